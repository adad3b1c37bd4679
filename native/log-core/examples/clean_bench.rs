//! How fast a log is compacted, and how much memory that takes.
//!
//! ```text
//! cargo run --release -p mantou-log-core --example clean_bench -- \
//!     [--records 1000000] [--keys 100000] [--value 1000] [--batch 100] [--codec 0] [--map-mib 128] [--dir PATH]
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use mantou_log_core::batch::crc32c;
use mantou_log_core::*;

type Answers = Vec<(u64, Result<Reply, StoreError>)>;

#[derive(Default)]
struct Sink {
    answers: Mutex<(Answers, i64)>,
    changed: Condvar,
}

impl EventSink for Sink {
    fn event(&self, event: Event) {
        let mut answers = self.answers.lock().expect("lock");
        match event {
            Event::Completed { request, result } => answers.0.push((request, result)),
            Event::Durable { end_offset, .. } => answers.1 = answers.1.max(end_offset),
            Event::LogFailed { detail, .. } | Event::StoreState { detail, .. } => {
                eprintln!("{detail}")
            }
            _ => {}
        }
        self.changed.notify_all();
    }
}

impl Sink {
    fn answer(&self, request: u64) -> Reply {
        let mut answers = self.answers.lock().expect("lock");
        loop {
            if let Some(at) = answers.0.iter().position(|answer| answer.0 == request) {
                return answers.0.remove(at).1.expect("an answer");
            }
            answers = self.changed.wait(answers).expect("lock");
        }
    }

    fn durable(&self, end: i64) {
        let mut answers = self.answers.lock().expect("lock");
        while answers.1 < end {
            answers = self.changed.wait(answers).expect("lock");
        }
    }
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// Half of each value is noise, so that codecs have something to do and not everything goes.
fn batch(rng: &mut Rng, count: usize, keys: u64, value_bytes: usize, codec: i16) -> Vec<u8> {
    let mut plain = Vec::new();
    for index in 0..count {
        let key = format!("user-{:012}", rng.next() % keys);
        let mut body = vec![0];
        varint(&mut body, index as i64);
        varint(&mut body, index as i64);
        varint(&mut body, key.len() as i64);
        body.extend_from_slice(key.as_bytes());
        varint(&mut body, value_bytes as i64);
        for at in 0..value_bytes {
            body.push(if at % 2 == 0 { rng.next() as u8 } else { b'v' });
        }
        varint(&mut body, 0);
        varint(&mut plain, body.len() as i64);
        plain.extend_from_slice(&body);
    }
    let payload = match codec {
        4 => zstd::encode_all(&plain[..], 3).expect("memory"),
        _ => plain,
    };
    let mut out = vec![0; 61];
    out[8..12].copy_from_slice(&(payload.len() as i32 + 49).to_be_bytes());
    out[16] = 2;
    out[21..23].copy_from_slice(&codec.to_be_bytes());
    out[23..27].copy_from_slice(&(count as i32 - 1).to_be_bytes());
    out[35..43].copy_from_slice(&(count as i64).to_be_bytes());
    out[43..57].fill(0xff);
    out[57..61].copy_from_slice(&(count as i32).to_be_bytes());
    out.extend_from_slice(&payload);
    let crc = crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

/// `VmRSS`: resident now. `VmHWM`: the most there ever was.
fn memory_mib(kind: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(kind));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    let number = |name: &str, fallback: u64| {
        option(name).map_or(fallback, |text| text.parse().expect("a number"))
    };
    let (records, keys) = (number("--records", 1_000_000), number("--keys", 100_000));
    let (value, per_batch) = (number("--value", 1000), number("--batch", 100));
    let codec = number("--codec", 0) as i16;
    let folder = option("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("mantou-clean-bench-{}", std::process::id()));
    let sink = Arc::new(Sink::default());
    let options = StoreOptions {
        data_directory: folder.clone(),
        reserve_bytes: 0,
        free_bytes_min: 0,
        group_hold_ms: 0.0,
        flush: Flush::Auto,
        files_open_max: 0,
    };
    let (store, _) = Store::open(options, Arc::new(OsVfs), Arc::<Sink>::clone(&sink) as _)
        .expect("the directory opens");
    let config = LogConfig {
        segment_bytes: 256 << 20,
        segment_ms: i64::MAX,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        file_delete_delay_ms: 0,
        preallocate: false,
        durability: Durability::Fsync,
    };
    let spec = LogSpec {
        log: 0,
        topic: "bench".to_owned(),
        topic_id: [1; 16],
        partition: 0,
        config,
    };
    let mut request = 0;
    let mut command = |command: Command| {
        request += 1;
        store.submit(request, command);
        sink.answer(request)
    };
    command(Command::OpenLogs(vec![spec]));
    let mut rng = Rng(1);
    let mut base_offset = 0;
    while base_offset < records as i64 {
        let payload = Box::new(batch(
            &mut rng,
            per_batch as usize,
            keys,
            value as usize,
            codec,
        ));
        let row = AppendRow {
            log: 0,
            payload,
            base_offset,
            leader_epoch: 0,
            flags: 0,
            now_ms: 0,
        };
        store.append(&mut vec![row]);
        base_offset += per_batch as i64;
        if base_offset % (per_batch as i64 * 200) == 0 {
            sink.durable(base_offset);
        }
    }
    sink.durable(base_offset);
    command(Command::Roll { log: 0 });
    command(Command::Checkpoint);
    let before = memory_mib("VmRSS");
    let began = Instant::now();
    let mut first_dirty = 0;
    let (mut read, mut written, mut runs) = (0, 0, 0);
    while first_dirty < base_offset {
        let spec = CleanSpec {
            first_dirty,
            limit: base_offset,
            now_ms: 0,
            delete_retention_ms: 0,
            map_bytes: number("--map-mib", 128) << 20,
            inflated_bytes_max: 64 << 20,
            bytes_per_second: 0,
            producers: Vec::new(),
        };
        let Reply::Cleaned(outcome) = command(Command::Clean {
            log: 0,
            spec: Box::new(spec),
        }) else {
            panic!("no outcome")
        };
        first_dirty = outcome.clean_end;
        read += outcome.read_bytes;
        written += outcome.written_bytes;
        runs += 1;
        println!(
            "run {runs}: {:.0} MiB to {:.0} MiB, {} keys, up to {first_dirty}, {} ms, map {} MiB",
            outcome.bytes_before as f64 / f64::from(1 << 20),
            outcome.bytes_after as f64 / f64::from(1 << 20),
            outcome.keys,
            outcome.duration_ms,
            store.stats().cleaner.last_map_bytes >> 20,
        );
    }
    let seconds = began.elapsed().as_secs_f64();
    let peak = memory_mib("VmHWM");
    let log = (records * (value + 30)) as f64 / 1e6;
    println!(
        "{log:.0} MB of records in {seconds:.2} s: {:.0} MB/s of log, {:.0} MB/s read and written; \
         resident {before} MiB before, {peak} MiB at most",
        log / seconds,
        (read + written) as f64 / 1e6 / seconds,
    );
    command(Command::Close);
    drop(store);
    let _ = std::fs::remove_dir_all(folder);
}
