//! Measures appends: MB/s, processor time of the whole machine, flushes and latency, for N logs.
//!
//! ```text
//! cargo run --release -p mantou-log-core --example append_bench -- \
//!     [--dir DIR] [--logs N] [--batch BYTES] [--in-flight K] [--seconds S] [--mb MAX] \
//!     [--durability fsync|page-cache] [--flush auto|pool|syncfs] [--hold MS] [--pace MB/S]
//! ```
//! Writes at most `--mb` (1000) megabytes into a folder under DIR and deletes it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mantou_log_core::*;

struct Arguments(HashMap<String, String>);

impl Arguments {
    fn read() -> Arguments {
        let mut words = std::env::args().skip(1);
        let mut found = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.trim_start_matches("--").to_owned();
            found.insert(name, words.next().unwrap_or_default());
        }
        Arguments(found)
    }

    fn text(&self, name: &str, fallback: &str) -> String {
        self.0
            .get(name)
            .cloned()
            .unwrap_or_else(|| fallback.to_owned())
    }

    fn number(&self, name: &str, fallback: f64) -> f64 {
        self.0
            .get(name)
            .map_or(fallback, |text| text.parse().expect("a number"))
    }
}

#[derive(Default)]
struct State {
    durable: HashMap<LogId, i64>,
    events: Vec<(LogId, i64)>,
    completed: HashMap<u64, Result<Reply, StoreError>>,
}

#[derive(Default)]
struct Sink {
    state: Mutex<State>,
    changed: Condvar,
}

impl EventSink for Sink {
    fn event(&self, event: Event) {
        let mut state = self.state.lock().expect("lock");
        match event {
            Event::Durable { log, end_offset } => state.events.push((log, end_offset)),
            Event::Completed { request, result } => {
                state.completed.insert(request, result);
            }
            Event::Written { .. } | Event::Located { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn burst_end(&self) {
        self.changed.notify_all();
    }
}

fn command(store: &Store, sink: &Sink, request: u64, command: Command) -> Reply {
    store.submit(request, command);
    let mut state = sink.state.lock().expect("lock");
    loop {
        if let Some(result) = state.completed.remove(&request) {
            return result.expect("done");
        }
        state = sink.changed.wait(state).expect("lock");
    }
}

fn batch(bytes: usize) -> Vec<u8> {
    let mut batch = vec![0x5a; bytes.max(62)];
    let length = (batch.len() - 12) as i32;
    batch[..61].fill(0);
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    batch[57..61].copy_from_slice(&1i32.to_be_bytes());
    let crc = batch::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// Busy seconds of all processors since boot.
fn busy_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").expect("/proc/stat");
    let line = text.lines().next().expect("a line");
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .map(|word| word.parse().expect("ticks"))
        .collect();
    (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / 100.0
}

fn own_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("/proc/self/stat");
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    (fields[11].parse::<f64>().expect("ticks") + fields[12].parse::<f64>().expect("ticks")) / 100.0
}

/// A batch that goes back to its stack when the store drops it, as the arena's runs do.
struct Reused {
    bytes: Option<Vec<u8>>,
    stack: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Payload for Reused {
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_mut().expect("until dropped")
    }
}

impl Drop for Reused {
    fn drop(&mut self) {
        self.stack.lock().expect("lock").extend(self.bytes.take());
    }
}

fn main() {
    let arguments = Arguments::read();
    let logs = arguments.number("logs", 16.0) as u32;
    let batch_bytes = arguments.number("batch", 65536.0) as usize;
    let in_flight = arguments.number("in-flight", 40.0) as usize;
    let seconds = arguments.number("seconds", 3.0);
    let bytes_max = arguments.number("mb", 1000.0) * 1e6;
    let pace = arguments.number("pace", 0.0) * 1e6;
    let parent = PathBuf::from(arguments.text("dir", "/tmp"));
    let directory = parent.join(format!("mantou-append-bench-{}", std::process::id()));
    let durability = match arguments.text("durability", "fsync").as_str() {
        "page-cache" => Durability::PageCache,
        _ => Durability::Fsync,
    };
    let flush = match arguments.text("flush", "auto").as_str() {
        "pool" => Flush::Pool,
        "syncfs" => Flush::Syncfs,
        _ => Flush::Auto,
    };
    let sink = Arc::new(Sink::default());
    let options = StoreOptions {
        data_directory: directory.clone(),
        reserve_bytes: 0,
        free_bytes_min: 1 << 30,
        group_hold_ms: arguments.number("hold", 2.0),
        flush,
        files_open_max: 0,
    };
    let (store, description) =
        Store::open(options, Arc::new(OsVfs), Arc::<Sink>::clone(&sink) as _).expect("opens");
    let specs = (0..logs)
        .map(|log| LogSpec {
            log,
            topic: "bench".to_owned(),
            topic_id: [7; 16],
            partition: log as i32,
            config: LogConfig {
                segment_bytes: 1 << 30,
                segment_ms: i64::MAX,
                segment_jitter_ms: 0,
                segment_index_bytes: 10 << 20,
                index_interval_bytes: 4096,
                file_delete_delay_ms: 0,
                preallocate: false,
                durability,
            },
        })
        .collect();
    command(&store, &sink, 1, Command::OpenLogs(specs));

    let stack = Arc::new(Mutex::new(vec![batch(batch_bytes); in_flight]));
    let mut ends = vec![0i64; logs as usize];
    let mut waiting: Vec<VecDeque<(i64, Instant)>> = vec![VecDeque::new(); logs as usize];
    let mut latencies: Vec<f64> = Vec::new();
    let (mut sent, mut acknowledged, mut flying) = (0u64, 0u64, 0usize);
    let mut random = 88_172_645_463_325_252u64;
    let (busy, own, start) = (busy_seconds(), own_seconds(), Instant::now());
    let mut rows = Vec::new();
    loop {
        let elapsed = start.elapsed().as_secs_f64();
        let over = elapsed > seconds || sent as f64 * batch_bytes as f64 > bytes_max;
        while !over && flying < in_flight {
            if pace > 0.0 && sent as f64 * batch_bytes as f64 > pace * elapsed {
                break;
            }
            let Some(bytes) = stack.lock().expect("lock").pop() else {
                break;
            };
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let log = (random % u64::from(logs)) as u32;
            let payload = Box::new(Reused {
                bytes: Some(bytes),
                stack: Arc::clone(&stack),
            });
            let base_offset = ends[log as usize];
            ends[log as usize] += 1;
            waiting[log as usize].push_back((base_offset, Instant::now()));
            rows.push(AppendRow {
                log,
                payload,
                base_offset,
                leader_epoch: 0,
                flags: 0,
                now_ms: 0,
            });
            sent += 1;
            flying += 1;
        }
        store.append(&mut rows);
        if over && flying == 0 {
            break;
        }
        let mut state = sink.state.lock().expect("lock");
        if state.events.is_empty() {
            let pause = if pace > 0.0 {
                Duration::from_micros(200)
            } else {
                Duration::from_secs(5)
            };
            state = sink.changed.wait_timeout(state, pause).expect("lock").0;
        }
        let events = std::mem::take(&mut state.events);
        for (log, end) in &events {
            state.durable.insert(*log, *end);
        }
        drop(state);
        let now = Instant::now();
        for (log, end) in events {
            let waiting = &mut waiting[log as usize];
            while let Some((offset, since)) = waiting.front()
                && *offset < end
            {
                latencies.push((now - *since).as_secs_f64() * 1000.0);
                waiting.pop_front();
                flying -= 1;
                acknowledged += 1;
            }
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let (busy, own) = (busy_seconds() - busy, own_seconds() - own);
    let gigabytes = acknowledged as f64 * batch_bytes as f64 / 1e9;
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let stats = store.stats();
    println!(
        "{} {} logs {logs} batch {batch_bytes} K {in_flight}: {:.0} MB/s; machine {:.2}, own {:.2} \
         CPU-s/GB; p50 {:.2} p99 {:.2} max {:.1} ms; {:.0} flushes/GB, {:.1} batches/group",
        description.file_system,
        description.flush_strategy,
        gigabytes * 1000.0 / elapsed,
        busy / gigabytes,
        own / gigabytes,
        at(0.5),
        at(0.99),
        at(1.0),
        stats.flushes_total as f64 / gigabytes,
        acknowledged as f64 / stats.groups_total.max(1) as f64,
    );
    command(&store, &sink, 2, Command::Close);
    drop(store);
    std::fs::remove_dir_all(&directory).expect("removed");
}
