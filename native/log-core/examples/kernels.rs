//! Runs one kernel so many times, for `valgrind --tool=callgrind` to count its instructions:
//! `cargo run --release --example kernels -- inspect|append|locate COUNT`.
//!
//! `tests/instructions` runs each with two counts: the difference is what one call costs, without
//! start and end. A count that noise cannot touch guards against what a clock would not show.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use mantou_log_core::batch::{crc32c, inspect};
use mantou_log_core::*;

const RECORDS: i32 = 15;
const RECORD_BYTES: usize = 1024;
/// Rows of one call, as a tick under load has them.
const ROWS_PER_CALL: usize = 64;

/// 15 records of a kilobyte.
fn batch() -> Vec<u8> {
    let mut payload = Vec::new();
    for number in 0..RECORDS {
        // Length as a varint of two bytes, attributes, deltas, no key, the value's length.
        let mut body = vec![0, 0, (number * 2) as u8, 1];
        let value_bytes = RECORD_BYTES - 10;
        body.extend([
            ((value_bytes * 2) & 0x7f | 0x80) as u8,
            ((value_bytes * 2) >> 7) as u8,
        ]);
        body.extend((0..value_bytes).map(|at| at as u8));
        body.push(0);
        payload.extend([
            ((body.len() * 2) & 0x7f | 0x80) as u8,
            ((body.len() * 2) >> 7) as u8,
        ]);
        payload.extend(body);
    }
    let mut out = vec![0; 61];
    out[8..12].copy_from_slice(&(payload.len() as i32 + 49).to_be_bytes());
    out[12..16].fill(0xff);
    out[16] = 2;
    out[23..27].copy_from_slice(&(RECORDS - 1).to_be_bytes());
    out[43..57].fill(0xff);
    out[57..61].copy_from_slice(&RECORDS.to_be_bytes());
    out.extend(payload);
    let crc = crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

#[derive(Default)]
struct Sink {
    written: Mutex<i64>,
    completed: Mutex<u64>,
    changed: Condvar,
}

impl EventSink for Sink {
    fn event(&self, event: Event) {
        match event {
            Event::Written { end_offset, .. } | Event::Durable { end_offset, .. } => {
                let mut written = self.written.lock().expect("lock");
                *written = (*written).max(end_offset);
            }
            Event::Completed { request, result } => {
                result.expect("done");
                *self.completed.lock().expect("lock") = request;
            }
            other => panic!("{other:?}"),
        }
    }

    fn burst_end(&self) {
        self.changed.notify_all();
    }
}

impl Sink {
    fn wait<T: PartialOrd>(&self, value: &Mutex<T>, wanted: &T) {
        let mut now = value.lock().expect("lock");
        while *now < *wanted {
            now = self.changed.wait(now).expect("lock");
        }
    }
}

/// A log in a folder that is removed at the end.
struct Bench {
    store: Store,
    sink: Arc<Sink>,
    folder: PathBuf,
}

impl Bench {
    fn open() -> Bench {
        let folder = std::env::temp_dir().join(format!("kernels-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let sink = Arc::new(Sink::default());
        let options = StoreOptions {
            data_directory: folder.clone(),
            reserve_bytes: 0,
            free_bytes_min: 0,
            group_hold_ms: 0.0,
            flush: Flush::Auto,
            files_open_max: 100,
        };
        let vfs = Arc::new(OsVfs);
        let (store, _) = Store::open(options, vfs, sink.clone()).expect("opens");
        let config = LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 1 << 40,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            file_delete_delay_ms: 0,
            preallocate: false,
            durability: Durability::PageCache,
        };
        let spec = LogSpec {
            log: 0,
            topic: "kernels".to_owned(),
            topic_id: [1; 16],
            partition: 0,
            config,
        };
        store.submit(1, Command::OpenLogs(vec![spec]));
        sink.wait(&sink.completed, &1);
        Bench {
            store,
            sink,
            folder,
        }
    }

    fn append(&self, count: usize) {
        let bytes = batch();
        let mut base_offset = 0;
        for from in (0..count).step_by(ROWS_PER_CALL) {
            let mut rows: Vec<AppendRow> = (from..count.min(from + ROWS_PER_CALL))
                .map(|number| AppendRow {
                    log: 0,
                    payload: Box::new(bytes.clone()),
                    base_offset: number as i64 * i64::from(RECORDS),
                    leader_epoch: 1,
                    flags: 0,
                    now_ms: 1_700_000_000_000,
                })
                .collect();
            base_offset += rows.len() as i64 * i64::from(RECORDS);
            self.store.append(&mut rows);
            self.sink.wait(&self.sink.written, &base_offset);
        }
    }

    fn locate(&self, count: usize) {
        self.append(ROWS_PER_CALL * 4);
        let end = (ROWS_PER_CALL * 4) as i64 * i64::from(RECORDS);
        for number in 0..count {
            let found = self.store.locate(&LocateRequest {
                log: 0,
                flags: AT_LEAST_ONE_BATCH,
                offset: number as i64 * 7919 % end,
                limit: end,
                bytes_max: 1 << 14,
                tag: 0,
            });
            black_box(found);
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let kernel = words.next().expect("a kernel");
    let count = words.next().and_then(|word| word.parse().ok());
    let count: usize = count.expect("a count");
    if kernel == "inspect" {
        let bytes = batch();
        for _ in 0..count {
            assert_eq!(inspect(black_box(&bytes), 0, 0).code as u32, 0);
        }
        return;
    }
    let bench = Bench::open();
    match kernel.as_str() {
        "append" => bench.append(count),
        "locate" => bench.locate(count),
        other => panic!("{other}: inspect, append or locate"),
    }
    let Bench { store, folder, .. } = bench;
    drop(store);
    std::fs::remove_dir_all(folder).expect("removed");
}
