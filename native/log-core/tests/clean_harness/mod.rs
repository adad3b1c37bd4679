//! A keyed log and the truth about it: what was appended, what a reader must find after any
//! number of cleanings and crashes.
#![allow(dead_code, unused_imports)]

pub mod bench;
mod decode;

use std::collections::{BTreeMap, HashMap, HashSet};

use mantou_log_core::{CleanOutcome, CleanSpec, Command, LiveProducer, LogId, Reply, StoreError};

use crate::batch_maker::{MadeRecord, around, compress, payload, seal};
use crate::store_harness::Harness;
pub use decode::{ReadBatch, decode};

pub const NO_PRODUCER: i64 = -1;

/// A record as it was appended, or as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    /// Of a transactional record; else -1.
    pub producer_id: i64,
}

/// What was appended.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub records: BTreeMap<i64, Record>,
    /// Marker offset, producer, whether it committed.
    pub markers: Vec<(i64, i64, bool)>,
    pub end: i64,
    pub start: i64,
    sequences: HashMap<i64, i32>,
}

/// A batch to append and the records that it holds.
pub struct Appended {
    pub bytes: Vec<u8>,
    pub end: i64,
}

impl Model {
    /// A batch of keys and values; `producer` is (id, transactional).
    pub fn batch(
        &mut self,
        records: &[(&str, Option<&str>)],
        timestamp: i64,
        codec: i16,
        producer: Option<(i64, bool)>,
    ) -> Appended {
        let made: Vec<MadeRecord> = records
            .iter()
            .enumerate()
            .map(|(index, (key, value))| MadeRecord {
                timestamp: timestamp + index as i64,
                key: Some(key.as_bytes().to_vec()),
                value: value.map(|value| value.as_bytes().to_vec()),
                headers: vec![(b"h".to_vec(), Some(b"1".to_vec()))],
            })
            .collect();
        let plain = payload(timestamp, &made);
        let count = made.len() as i32;
        let is_transactional = producer.is_some_and(|producer| producer.1);
        let attributes = codec | if is_transactional { 0x10 } else { 0 };
        let last = timestamp + i64::from(count) - 1;
        let mut bytes = around(&compress(codec, &plain), count, timestamp, last, attributes);
        if let Some((id, _)) = producer {
            let sequence = self.sequences.entry(id).or_default();
            bytes[43..51].copy_from_slice(&id.to_be_bytes());
            bytes[51..53].copy_from_slice(&0i16.to_be_bytes());
            bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
            *sequence += count;
            seal(&mut bytes);
        }
        for record in &made {
            let offset = self.end;
            self.end += 1;
            self.records.insert(
                offset,
                Record {
                    offset,
                    key: record.key.clone(),
                    value: record.value.clone(),
                    timestamp: record.timestamp,
                    producer_id: match producer {
                        Some((id, true)) => id,
                        _ => NO_PRODUCER,
                    },
                },
            );
        }
        Appended {
            bytes,
            end: self.end,
        }
    }

    pub fn marker(&mut self, producer_id: i64, commit: bool, timestamp: i64) -> Appended {
        let record = MadeRecord {
            timestamp,
            key: Some(vec![0, 0, 0, u8::from(commit)]),
            value: Some(vec![0, 0, 0, 0, 0, 9]),
            headers: vec![],
        };
        let mut bytes = around(
            &payload(timestamp, &[record]),
            1,
            timestamp,
            timestamp,
            0x30,
        );
        bytes[43..51].copy_from_slice(&producer_id.to_be_bytes());
        bytes[51..53].copy_from_slice(&0i16.to_be_bytes());
        bytes[53..57].copy_from_slice(&(-1i32).to_be_bytes());
        seal(&mut bytes);
        self.markers.push((self.end, producer_id, commit));
        self.end += 1;
        Appended {
            bytes,
            end: self.end,
        }
    }

    /// The marker that decides a record.
    fn marker_of(&self, record: &Record) -> Option<(i64, bool)> {
        let mut markers = self.markers.iter();
        markers
            .find(|marker| marker.1 == record.producer_id && marker.0 > record.offset)
            .map(|marker| (marker.0, marker.2))
    }

    /// The first record that is not decided, or the end.
    pub fn stable_end(&self) -> i64 {
        let mut undecided = self
            .records
            .values()
            .filter(|record| record.producer_id != NO_PRODUCER && self.marker_of(record).is_none());
        undecided.next().map_or(self.end, |record| record.offset)
    }

    pub fn is_visible(&self, record: &Record) -> bool {
        record.producer_id == NO_PRODUCER || self.marker_of(record).is_some_and(|marker| marker.1)
    }

    /// By key, the newest committed record.
    pub fn newest(&self) -> HashMap<Vec<u8>, Record> {
        let mut newest = HashMap::new();
        for record in self
            .records
            .values()
            .filter(|record| self.is_visible(record))
        {
            if let Some(key) = &record.key {
                newest.insert(key.clone(), record.clone());
            }
        }
        newest
    }

    /// The log was cut, by request or by a crash.
    pub fn truncate(&mut self, end: i64) {
        self.records.split_off(&end);
        self.markers.retain(|marker| marker.0 < end);
        self.end = end;
    }

    /// Compares what a reader finds: nothing invented, nothing lost, nothing back.
    pub fn check(&self, read: &[ReadBatch], context: &str) {
        let mut found: HashMap<Vec<u8>, &Record> = HashMap::new();
        let markers: HashSet<i64> = read
            .iter()
            .filter(|batch| batch.marker.is_some())
            .map(|batch| batch.base_offset)
            .collect();
        for record in read.iter().flat_map(|batch| &batch.records) {
            assert_eq!(
                self.records.get(&record.offset),
                Some(record),
                "{context}: offset {} is not what was appended",
                record.offset
            );
            if record.producer_id != NO_PRODUCER
                && let Some((marker, _)) = self.marker_of(record)
            {
                assert!(
                    markers.contains(&marker),
                    "{context}: record {} is there and its marker {marker} is not",
                    record.offset
                );
            }
            if self.is_visible(record)
                && let Some(key) = &record.key
            {
                found.insert(key.clone(), record);
            }
        }
        for (key, newest) in self.newest() {
            let seen = found.remove(&key);
            let text = String::from_utf8_lossy(&key).into_owned();
            match (seen, &newest.value) {
                (Some(record), _) if *record == newest => {}
                // A tombstone may have gone, with everything before it.
                (None, None) => {}
                // What lies below the start may be gone.
                (None, _) if newest.offset < self.start => {}
                (seen, _) => panic!("{context}: key {text}: {seen:?} instead of {newest:?}"),
            }
        }
        assert!(found.is_empty(), "{context}: keys from nowhere: {found:?}");
    }

    /// What must not be left below a clean end.
    pub fn check_clean(&self, read: &[ReadBatch], clean_end: i64, context: &str) {
        let mut keys = HashSet::new();
        for record in read.iter().flat_map(|batch| &batch.records) {
            if record.offset >= clean_end {
                continue;
            }
            assert!(
                self.is_visible(record),
                "{context}: aborted record {} is left",
                record.offset
            );
            assert!(
                keys.insert(record.key.clone()),
                "{context}: {} is there twice",
                record.offset
            );
        }
        let mut above = self.records.range(clean_end..);
        let kept: HashSet<i64> = read
            .iter()
            .flat_map(|batch| &batch.records)
            .map(|record| record.offset)
            .collect();
        assert!(
            above.all(|(offset, _)| kept.contains(offset)),
            "{context}: a record above {clean_end} is gone"
        );
    }
}

pub fn clean_spec(first_dirty: i64, limit: i64, now_ms: i64) -> CleanSpec {
    CleanSpec {
        first_dirty,
        limit,
        now_ms,
        delete_retention_ms: 1000,
        map_bytes: 1 << 20,
        inflated_bytes_max: 64 << 20,
        bytes_per_second: 0,
        producers: Vec::<LiveProducer>::new(),
    }
}

/// Writes recovery points, then cleans.
pub fn clean(store: &Harness, log: LogId, spec: CleanSpec) -> Result<CleanOutcome, StoreError> {
    store.command(Command::Checkpoint)?;
    let spec = Box::new(spec);
    match store.command(Command::Clean { log, spec })? {
        Reply::Cleaned(outcome) => Ok(outcome),
        other => panic!("{other:?}"),
    }
}

/// Everything from `from` on, call by call.
pub fn read_all(store: &Harness, log: LogId, from: i64) -> Result<Vec<ReadBatch>, StoreError> {
    let mut all = Vec::new();
    let mut from = from;
    loop {
        let bytes = match store.command(Command::Read {
            log,
            from,
            bytes_max: 3000,
        })? {
            Reply::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        if bytes.is_empty() {
            return Ok(all);
        }
        let batches = decode(&bytes);
        let next = batches.last().map_or(from, |batch| batch.last_offset + 1);
        assert!(next > from, "no progress at {from}");
        from = next;
        all.extend(batches);
    }
}
