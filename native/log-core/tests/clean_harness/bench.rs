//! A keyed log on real files, with its model.

use super::{Appended, Model, ReadBatch, clean, clean_spec, read_all};
use crate::store_harness::{Harness, TempDir, spec};
use mantou_log_core::{CleanOutcome, Command, LogId, LogSpec};

/// When records were made: long before anything is cleaned.
const OLD: i64 = 100_000;

pub fn small(log: LogId) -> LogSpec {
    let mut small = spec(log);
    small.config.segment_bytes = 4096;
    small.config.index_interval_bytes = 200;
    small
}

pub struct Bench {
    // Closed before the folder goes.
    pub store: Harness,
    pub directory: TempDir,
    pub model: Model,
}

impl Bench {
    pub fn new() -> Bench {
        let directory = TempDir::new();
        let store = Harness::open(directory.path());
        store.open_logs(&[small(0)]);
        Bench {
            store,
            directory,
            model: Model::default(),
        }
    }

    pub fn put(&mut self, records: &[(&str, Option<&str>)]) -> i64 {
        self.put_as(records, 0, None)
    }

    pub fn put_as(
        &mut self,
        records: &[(&str, Option<&str>)],
        codec: i16,
        producer: Option<(i64, bool)>,
    ) -> i64 {
        let base = self.model.end;
        let made = self.model.batch(records, OLD + base, codec, producer);
        self.store.append(0, base, made.bytes)
    }

    pub fn mark(&mut self, producer_id: i64, commit: bool) -> i64 {
        let base = self.model.end;
        let made = self.model.marker(producer_id, commit, OLD + base);
        self.store.append(0, base, made.bytes)
    }

    pub fn roll(&self) {
        self.store.state(Command::Roll { log: 0 });
    }

    pub fn clean_at(&self, first_dirty: i64, now_ms: i64) -> CleanOutcome {
        let limit = self.model.stable_end();
        clean(&self.store, 0, clean_spec(first_dirty, limit, now_ms)).expect("cleans")
    }

    pub fn read(&self) -> Vec<ReadBatch> {
        let read = read_all(&self.store, 0, 0).expect("readable");
        self.model.check(&read, "after a run");
        read
    }

    pub fn offsets(&self) -> Vec<i64> {
        let read = self.read();
        let records = read.iter().flat_map(|batch| &batch.records);
        records.map(|record| record.offset).collect()
    }
}
