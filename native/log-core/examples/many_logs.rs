//! Measures a store with many logs: time to open after a clean stop and after a kill, memory for
//! each idle log, descriptors.
//!
//! `cargo run --release -p mantou-log-core --example many_logs -- [LOGS] [DIR]`
//! Takes about 20 KB of disk for each log and deletes it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use mantou_log_core::*;

#[derive(Default)]
struct Sink {
    completed: Mutex<HashMap<u64, Result<Reply, StoreError>>>,
    durable: Mutex<u64>,
    changed: Condvar,
}

impl EventSink for Sink {
    fn event(&self, event: Event) {
        match event {
            Event::Completed { request, result } => {
                self.completed.lock().expect("lock").insert(request, result);
                self.changed.notify_all();
            }
            Event::Durable { .. } => *self.durable.lock().expect("lock") += 1,
            _ => {}
        }
    }
}

fn batch() -> Vec<u8> {
    let mut batch = vec![0; 200];
    batch[8..12].copy_from_slice(&188i32.to_be_bytes());
    batch[16] = 2;
    batch[57..61].copy_from_slice(&1i32.to_be_bytes());
    let crc = batch::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = text
        .lines()
        .find(|line| line.starts_with("RssAnon"))
        .expect("RssAnon");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

struct Opened {
    store: Store,
    sink: Arc<Sink>,
}

fn run(opened: &Opened, request: u64, command: Command) -> Reply {
    opened.store.submit(request, command);
    let mut completed = opened.sink.completed.lock().expect("lock");
    loop {
        if let Some(result) = completed.remove(&request) {
            return result.expect("done");
        }
        completed = opened.sink.changed.wait(completed).expect("lock");
    }
}

fn open(directory: &Path, logs: u32, what: &str) -> Opened {
    let before = resident_kib();
    let start = Instant::now();
    let sink = Arc::new(Sink::default());
    let options = StoreOptions {
        data_directory: directory.to_owned(),
        reserve_bytes: 0,
        free_bytes_min: 1 << 30,
        group_hold_ms: 2.0,
        flush: Flush::Auto,
        files_open_max: 0,
    };
    let (store, _) =
        Store::open(options, Arc::new(OsVfs), Arc::<Sink>::clone(&sink) as _).expect("opens");
    let directory_ms = start.elapsed().as_millis();
    let config = LogConfig {
        segment_bytes: 1 << 30,
        segment_ms: i64::MAX,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        file_delete_delay_ms: 0,
        preallocate: false,
        durability: Durability::Fsync,
    };
    let specs = (0..logs)
        .map(|log| LogSpec {
            log,
            topic: format!("topic-{}", log / 100),
            topic_id: [(log / 100) as u8; 16],
            partition: (log % 100) as i32,
            config,
        })
        .collect();
    let opened = Opened { store, sink };
    run(&opened, 1, Command::OpenLogs(specs));
    let stats = opened.store.stats();
    println!(
        "{what}: directory {directory_ms} ms, all open after {} ms, {:.2} KiB a log, {} files open",
        start.elapsed().as_millis(),
        (resident_kib() as f64 - before as f64) / f64::from(logs),
        stats.files_open,
    );
    opened
}

fn append(opened: &Opened, logs: u32, base_offset: i64) {
    let before = *opened.sink.durable.lock().expect("lock");
    let start = Instant::now();
    let mut rows = (0..logs)
        .map(|log| AppendRow {
            log,
            payload: Box::new(batch()),
            base_offset,
            leader_epoch: 0,
            flags: 0,
            now_ms: 0,
        })
        .collect();
    opened.store.append(&mut rows);
    while *opened.sink.durable.lock().expect("lock") < before + u64::from(logs) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    println!(
        "one batch to each: durable after {} ms",
        start.elapsed().as_millis()
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let logs = arguments
        .next()
        .map_or(10_000, |text| text.parse().expect("a number"));
    let parent = PathBuf::from(arguments.next().unwrap_or_else(|| "/tmp".to_owned()));
    let directory = parent.join(format!("mantou-many-logs-{}", std::process::id()));
    let opened = open(&directory, logs, "fresh");
    append(&opened, logs, 0);
    let start = Instant::now();
    run(&opened, 2, Command::Close);
    println!("clean stop: {} ms", start.elapsed().as_millis());
    drop(opened);
    let opened = open(&directory, logs, "after a clean stop");
    append(&opened, logs, 1);
    // Dropped without closing: as if killed.
    drop(opened);
    let opened = open(&directory, logs, "after a kill");
    drop(opened);
    std::fs::remove_dir_all(&directory).expect("removed");
}
