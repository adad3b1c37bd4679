//! Opens a data directory of which any file may have been changed in any way.
//!
//! The store may refuse the directory or a log, and report ranges as corrupt. It may not panic,
//! and whatever it serves must be whole batches in order, each with a right checksum.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

use mantou_log_core::batch::{BatchView, crc32c};
use mantou_log_core::sim::SimVfs;
use mantou_log_core::vfs::{OpenMode, Vfs, read_exact, write_all};
use mantou_log_core::{
    AT_LEAST_ONE_BATCH, AppendRow, Command, Durability, Event, EventSink, Flush, LocateRequest,
    Located, LogConfig, LogSpec, LogState, Reply, Store, StoreError, StoreOptions,
};

const DATA: &str = "/data";
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Answers {
    completed: Mutex<HashMap<u64, Result<Reply, StoreError>>>,
    located: Mutex<HashMap<u32, Located>>,
    changed: Condvar,
}

impl EventSink for Answers {
    fn event(&self, event: Event) {
        match event {
            Event::Completed { request, result } => {
                lock(&self.completed).insert(request, result);
                self.changed.notify_all();
            }
            Event::Located { tag, result, .. } => {
                lock(&self.located).insert(tag, result);
            }
            _ => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Panics of the store's own threads would otherwise only be events.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            if thread.name().is_some_and(|name| name.starts_with("log-")) {
                lock(&PANICS).push(info.to_string());
            }
            before(info);
        }));
    });
}

struct Running {
    store: Store,
    answers: Arc<Answers>,
    requests: u64,
}

impl Running {
    fn start(vfs: &SimVfs) -> Option<Running> {
        let answers = Arc::new(Answers::default());
        let options = StoreOptions {
            data_directory: PathBuf::from(DATA),
            reserve_bytes: 0,
            free_bytes_min: 0,
            group_hold_ms: 0.0,
            flush: Flush::Auto,
            files_open_max: 32,
        };
        let sink: Arc<dyn EventSink> = answers.clone();
        let (store, _) = Store::open(options, Arc::new(vfs.clone()), sink).ok()?;
        Some(Running {
            store,
            answers,
            requests: 0,
        })
    }

    fn ask(&mut self, command: Command) -> Result<Reply, StoreError> {
        self.requests += 1;
        let text = format!("{command:?}");
        self.store.submit(self.requests, command);
        let mut completed = lock(&self.answers.completed);
        loop {
            if let Some(answer) = completed.remove(&self.requests) {
                return answer;
            }
            let waited = self.answers.changed.wait_timeout(completed, ANSWER_MAX);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            completed = guard;
            assert!(
                !timeout.timed_out(),
                "no answer to {text}: {:?}",
                lock(&PANICS)
            );
        }
    }
}

fn spec(log: u32) -> LogSpec {
    LogSpec {
        log,
        topic: "topic".to_owned(),
        topic_id: [7; 16],
        partition: log as i32,
        config: LogConfig {
            segment_bytes: 2000,
            segment_ms: i64::MAX,
            segment_jitter_ms: 0,
            segment_index_bytes: 240,
            index_interval_bytes: 200,
            file_delete_delay_ms: 0,
            preallocate: false,
            durability: Durability::Fsync,
        },
    }
}

/// A batch of `count` records without key, value or headers, and some bytes of filling.
fn batch(count: i32, filling: usize) -> Vec<u8> {
    let mut out = vec![0; 61];
    for index in 0..count {
        // Everything fits varints of one byte: length, attributes, deltas, no key, value, headers.
        let delta = (index * 2) as u8;
        out.extend_from_slice(&[
            (6 + filling as u8) * 2,
            0,
            delta,
            delta,
            1,
            filling as u8 * 2,
        ]);
        out.extend(std::iter::repeat_n(b'v', filling));
        out.push(0);
    }
    let length = out.len() as i32 - 12;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[16] = 2;
    out[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    out[35..43].copy_from_slice(&i64::from(count - 1).to_be_bytes());
    out[43..57].fill(0xff);
    out[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

fn append(running: &mut Running, log: u32, mut offset: i64, batches: usize) -> i64 {
    let mut rows = Vec::new();
    for number in 0..batches {
        let count = 1 + number as i32 % 3;
        rows.push(AppendRow {
            log,
            payload: Box::new(batch(count, 20 + number)),
            base_offset: offset,
            leader_epoch: 1 + number as i32 / 5,
            flags: 0,
            now_ms: 1000,
        });
        offset += i64::from(count);
    }
    running.store.append(&mut rows);
    // Commands are answered in order with appends, so this waits for them.
    let _ = running.ask(Command::Segments { log });
    let _ = running.ask(Command::Checkpoint);
    offset
}

/// Machines to start from: killed, restarted, and cleanly stopped.
fn machines() -> &'static [SimVfs] {
    static MACHINES: OnceLock<Vec<SimVfs>> = OnceLock::new();
    MACHINES.get_or_init(|| {
        let vfs = SimVfs::default();
        vfs.mkdir(Path::new(DATA)).expect("a folder");
        vfs.fsync_dir(Path::new("/")).expect("a synced folder");
        let mut running = Running::start(&vfs).expect("a store");
        running
            .ask(Command::OpenLogs(vec![spec(0), spec(1)]))
            .expect("logs");
        let end = append(&mut running, 0, 0, 30);
        append(&mut running, 1, 0, 3);
        append(&mut running, 0, end, 7);
        running
            .ask(Command::Trim { log: 0, start: 5 })
            .expect("a trim");
        let killed = vfs.after_kill();
        let restarted = vfs.survivors(0, 2).remove(1);
        running.ask(Command::Close).expect("a clean stop");
        drop(running);
        let stopped = vfs.after_kill();
        vec![killed, restarted, stopped]
    })
}

/// Carries out changes of five bytes each: which file, what, where (two bytes), how.
fn damage(vfs: &SimVfs, changes: &[u8]) {
    for change in changes.chunks_exact(5).take(12) {
        let files = vfs.files();
        if files.is_empty() {
            return;
        }
        let path = &files[usize::from(change[0]) % files.len()];
        let at = usize::from(u16::from_be_bytes([change[2], change[3]]));
        let Ok(file) = vfs.open(path, OpenMode::ReadWrite) else {
            return;
        };
        let length = file.len().unwrap_or(0);
        let at = if length == 0 { 0 } else { at as u64 % length };
        let _ = match change[1] % 8 {
            0..=2 => {
                vfs.corrupt(path, at as usize, change[4].max(1));
                Ok(())
            }
            3 => file.truncate(at),
            4 => write_all(&*file, &vec![change[4]; 1 + usize::from(change[4])], length),
            5 => write_all(&*file, &vec![0; usize::from(change[4])], at),
            6 => vfs.unlink(path),
            _ => {
                let other = &files[usize::from(change[4]) % files.len()];
                let bytes = vfs.contents(other).unwrap_or_default();
                file.truncate(0).and_then(|()| write_all(&*file, &bytes, 0))
            }
        };
    }
}

/// Whole batches, intact, in order; gives the offset behind them.
fn check_batches(bytes: &[u8], mut next: i64) -> i64 {
    let mut rest = bytes;
    while !rest.is_empty() {
        let view = BatchView::parse(rest).expect("whole batches are served");
        assert!(
            view.is_intact(),
            "a batch that fails its checksum is served"
        );
        assert!(view.header.next_offset() > next, "offsets go back");
        next = view.header.next_offset();
        rest = &rest[view.bytes().len()..];
    }
    next
}

fn read_everything(running: &mut Running, state: &LogState) {
    let log = state.log;
    let mut next = state.start_offset;
    for tag in 0..1000 {
        if next >= state.end_offset {
            break;
        }
        let read = running.ask(Command::Read {
            log,
            from: next,
            bytes_max: 700,
        });
        let limit = state.end_offset;
        let request = LocateRequest {
            log,
            flags: AT_LEAST_ONE_BATCH,
            offset: next,
            limit,
            bytes_max: 700,
            tag,
        };
        if let Located::Ready(pin) = running.store.locate(&request) {
            let mut bytes = vec![0; pin.length as usize];
            read_exact(&**pin.file(), &mut bytes, pin.position).expect("a pinned range");
            check_batches(&bytes, next);
        }
        match read {
            Ok(Reply::Bytes(bytes)) if !bytes.is_empty() => next = check_batches(&bytes, next),
            _ => break,
        }
    }
    let limit = state.end_offset;
    for timestamp in [-1, 0, 1, 1 << 40] {
        let _ = running.ask(Command::FindTimestamp {
            log,
            timestamp,
            limit,
        });
    }
    let _ = running.ask(Command::FindMaxTimestamp { log, limit });
    let _ = running.ask(Command::ReadHeaders {
        log,
        from: state.start_offset,
        rows_max: 100,
    });
    let _ = running.ask(Command::Segments { log });
}

pub fn recovery(data: &[u8]) {
    watch_panics();
    let Some((which, changes)) = data.split_first() else {
        return;
    };
    let machines = machines();
    let vfs = machines[usize::from(*which) % machines.len()].after_kill();
    damage(&vfs, changes);
    if let Some(mut running) = Running::start(&vfs) {
        for log in [0, 1] {
            let Ok(Reply::Logs(states)) = running.ask(Command::OpenLogs(vec![spec(log)])) else {
                continue;
            };
            let state = states[0];
            read_everything(&mut running, &state);
            append(&mut running, log, state.end_offset, 3);
            let half = state.start_offset + (state.end_offset - state.start_offset) / 2;
            let _ = running.ask(Command::Truncate { log, end: half });
            let _ = running.ask(Command::Trim { log, start: half });
        }
        let _ = running.ask(Command::Close);
    }
    let panics = std::mem::take(&mut *lock(&PANICS));
    assert!(panics.is_empty(), "{panics:?}");
}
