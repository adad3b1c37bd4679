//! Drives a store on real files in a disposable folder.
#![allow(dead_code)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mantou_log_core::vfs::Vfs;
use mantou_log_core::*;

use crate::batch_maker::{MadeRecord, batch};

const DEADLINE: Duration = Duration::from_secs(20);
/// Tests write a few megabytes; below this the machine has other worries.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// A folder that goes with the value.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let parent = std::env::temp_dir();
        let free = OsVfs.volume(&parent).expect("statfs").free_bytes;
        assert!(
            free > FREE_BYTES_MIN,
            "only {free} bytes are free in {}",
            parent.display()
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("mantou-log-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).expect("a fresh folder");
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Default)]
pub struct Seen {
    pub events: Vec<Event>,
    pub completions: HashMap<u64, Result<Reply, StoreError>>,
}

#[derive(Default)]
pub struct Sink {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl EventSink for Sink {
    fn event(&self, event: Event) {
        let mut seen = self.seen.lock().expect("lock");
        match event {
            Event::Completed { request, result } => {
                assert!(
                    seen.completions.insert(request, result).is_none(),
                    "answered twice"
                );
            }
            other => seen.events.push(other),
        }
        self.changed.notify_all();
    }
}

impl Sink {
    /// Waits until `ready` gives something.
    pub fn wait<T>(&self, what: &str, mut ready: impl FnMut(&mut Seen) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        let mut seen = self.seen.lock().expect("lock");
        loop {
            if let Some(found) = ready(&mut seen) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited in vain for {what}: {:?}",
                seen.events
            );
            seen = self.changed.wait_timeout(seen, left).expect("lock").0;
        }
    }

    pub fn durable(&self, log: LogId, end: i64) {
        self.wait(&format!("log {log} durable to {end}"), |seen| {
            seen.events
                .iter()
                .any(|event| {
                    matches!(event, Event::Durable { log: l, end_offset }
                        if *l == log && *end_offset >= end)
                })
                .then_some(())
        });
    }

    pub fn failure(&self, log: LogId) -> (StoreCode, i64) {
        self.wait(&format!("failure of log {log}"), |seen| {
            seen.events.iter().find_map(|event| match event {
                Event::LogFailed {
                    log: l,
                    code,
                    offset,
                    ..
                } if *l == log => Some((*code, *offset)),
                _ => None,
            })
        })
    }

    pub fn clear(&self) {
        self.seen.lock().expect("lock").events.clear();
    }

    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.seen
            .lock()
            .expect("lock")
            .events
            .iter()
            .filter(|event| fits(event))
            .count()
    }
}

pub fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 20,
        segment_ms: i64::MAX,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        file_delete_delay_ms: 0,
        preallocate: false,
        durability: Durability::Fsync,
    }
}

pub fn options(directory: &Path) -> StoreOptions {
    StoreOptions {
        data_directory: directory.to_owned(),
        reserve_bytes: 1 << 20,
        free_bytes_min: 1 << 20,
        group_hold_ms: 2.0,
        flush: Flush::Auto,
        files_open_max: 0,
    }
}

pub fn spec(log: LogId) -> LogSpec {
    LogSpec {
        log,
        topic: format!("topic{log}"),
        topic_id: [log as u8 + 1; 16],
        partition: 0,
        config: config(),
    }
}

pub struct Harness {
    pub store: Option<Store>,
    pub sink: Arc<Sink>,
    pub description: StoreDescription,
    next: AtomicU64,
}

impl Harness {
    pub fn open(directory: &Path) -> Harness {
        Harness::open_on(options(directory), Arc::new(OsVfs)).expect("opens")
    }

    pub fn open_on(options: StoreOptions, vfs: Arc<dyn Vfs>) -> Result<Harness, StoreError> {
        let sink = Arc::new(Sink::default());
        let (store, description) = Store::open(options, vfs, Arc::<Sink>::clone(&sink) as _)?;
        Ok(Harness {
            store: Some(store),
            sink,
            description,
            next: AtomicU64::new(1),
        })
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().expect("open")
    }

    pub fn begin(&self, command: Command) -> u64 {
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        self.store().submit(request, command);
        request
    }

    pub fn answer(&self, request: u64) -> Result<Reply, StoreError> {
        self.sink.wait(&format!("answer {request}"), |seen| {
            seen.completions.remove(&request)
        })
    }

    pub fn command(&self, command: Command) -> Result<Reply, StoreError> {
        self.answer(self.begin(command))
    }

    pub fn open_logs(&self, specs: &[LogSpec]) -> Vec<LogState> {
        match self.command(Command::OpenLogs(specs.to_vec())) {
            Ok(Reply::Logs(states)) => states,
            other => panic!("{other:?}"),
        }
    }

    pub fn open_log(&self, log: LogId) -> LogState {
        self.open_logs(&[spec(log)])[0]
    }

    pub fn state(&self, command: Command) -> LogState {
        match self.command(command) {
            Ok(Reply::State(state)) => state,
            other => panic!("{other:?}"),
        }
    }

    pub fn segments(&self, log: LogId) -> Vec<SegmentInfo> {
        match self.command(Command::Segments { log }) {
            Ok(Reply::Segments(segments)) => segments,
            other => panic!("{other:?}"),
        }
    }

    pub fn bytes(&self, log: LogId, from: i64, bytes_max: u32) -> Vec<u8> {
        match self.command(Command::Read {
            log,
            from,
            bytes_max,
        }) {
            Ok(Reply::Bytes(bytes)) => bytes,
            other => panic!("{other:?}"),
        }
    }

    /// Appends the batch with its offset and waits until it is durable. Gives the end.
    pub fn append(&self, log: LogId, base_offset: i64, batch: Vec<u8>) -> i64 {
        let end = self.append_async(log, base_offset, batch);
        self.sink.durable(log, end);
        end
    }

    pub fn append_async(&self, log: LogId, base_offset: i64, batch: Vec<u8>) -> i64 {
        self.append_with(log, base_offset, batch, append_flag::NOTIFY_WRITTEN)
    }

    pub fn append_with(&self, log: LogId, base_offset: i64, batch: Vec<u8>, flags: u32) -> i64 {
        let count = i32::from_be_bytes(batch[23..27].try_into().expect("a header")) + 1;
        let mut rows = vec![AppendRow {
            log,
            payload: Box::new(batch),
            base_offset,
            leader_epoch: 3,
            flags,
            now_ms: 77_000,
        }];
        self.store().append(&mut rows);
        assert!(rows.is_empty());
        base_offset + i64::from(count)
    }

    /// Locates with whatever help of the disk it takes.
    pub fn locate(&self, request: LocateRequest) -> Located {
        match self.store().locate(&request) {
            Located::Pending => self.sink.wait("a located range", |seen| {
                let index = seen.events.iter().position(
                    |event| matches!(event, Event::Located { tag, .. } if *tag == request.tag),
                )?;
                match seen.events.remove(index) {
                    Event::Located { result, .. } => Some(result),
                    _ => None,
                }
            }),
            other => other,
        }
    }

    pub fn close(mut self) {
        assert_eq!(self.command(Command::Close), Ok(Reply::Done));
        drop(self.store.take());
    }

    /// Stops without closing: what a kill leaves behind.
    pub fn kill(mut self) {
        drop(self.store.take());
    }
}

pub fn want(log: LogId, offset: i64, bytes_max: u32) -> LocateRequest {
    static TAGS: AtomicU64 = AtomicU64::new(1);
    let tag = TAGS.fetch_add(1, Ordering::Relaxed) as u32;
    let flags = AT_LEAST_ONE_BATCH;
    LocateRequest {
        log,
        flags,
        offset,
        limit: i64::MAX,
        bytes_max,
        tag,
    }
}

/// A batch of `count` records whose values are `value_bytes` long, with timestamps from
/// `timestamp` on.
pub fn made(count: usize, value_bytes: usize, timestamp: i64) -> Vec<u8> {
    let records: Vec<MadeRecord> = (0..count)
        .map(|index| {
            MadeRecord::of(
                timestamp + index as i64,
                &vec![index as u8 + 1; value_bytes],
            )
        })
        .collect();
    batch(&records)
}

/// What a pin holds.
pub fn pinned(pin: &Pin) -> Vec<u8> {
    let mut bytes = vec![0; pin.length as usize];
    vfs::read_exact(&**pin.file(), &mut bytes, pin.position).expect("pinned bytes");
    bytes
}

/// (base offset, last offset) of the batches in `bytes`, which must all be whole and intact.
pub fn batches(bytes: &[u8]) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let view = batch::BatchView::parse(rest).expect("a whole batch");
        assert!(view.is_intact());
        found.push((view.header.base_offset, view.header.last_offset()));
        rest = &rest[view.bytes().len()..];
    }
    found
}

pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries
                .map(|e| e.expect("entry").file_name().into_string().expect("utf-8"))
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

/// Waits for a condition with a deadline.
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !ready() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
