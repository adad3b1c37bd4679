//! What was measured.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::lane::InFlight;
use crate::options::{Mode, Options};
use crate::usage::Usage;

pub struct Tally {
    /// Microseconds.
    latency: Histogram<u64>,
    requests: u64,
    bytes: u64,
    /// Records produced or tailed, or batches fetched.
    items: u64,
    /// When the first thing that counts was over, and the last.
    span: Option<(Instant, Instant)>,
    /// Error codes of answers, in and before the window.
    pub errors: BTreeMap<i16, u64>,
    /// Threads that gave up waiting for answers at the end.
    pub late: u64,
}

impl Tally {
    pub fn new() -> Tally {
        Tally {
            // From 1 µs, as long as it takes, to three digits.
            latency: Histogram::new(3).expect("three digits are a valid precision"),
            requests: 0,
            bytes: 0,
            items: 0,
            span: None,
            errors: BTreeMap::new(),
            late: 0,
        }
    }

    /// A request is over. It counts if it ends in the window.
    pub fn count(&mut self, request: &InFlight, items: u64, begin: Instant, end: Instant) {
        let now = Instant::now();
        if now < begin || now >= end {
            return;
        }
        let micros = now.duration_since(request.due).as_micros() as u64;
        self.add_one(now, micros, request.bytes, items);
    }

    /// A batch has arrived at a reader, so many microseconds after it was due.
    pub fn arrive(&mut self, micros: u64, bytes: usize, records: u64, begin: Instant) {
        let now = Instant::now();
        if now >= begin {
            self.add_one(now, micros, bytes, records);
        }
    }

    fn add_one(&mut self, now: Instant, micros: u64, bytes: usize, items: u64) {
        self.requests += 1;
        self.bytes += bytes as u64;
        self.items += items;
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        // It grows to hold any value.
        let _ = self.latency.record(micros.max(1));
    }

    pub fn error(&mut self, code: i16) {
        if code != 0 {
            *self.errors.entry(code).or_default() += 1;
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.latency
            .add(&other.latency)
            .expect("histograms that grow take any value");
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.items += other.items;
        self.late += other.late;
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, another) => one.or(another),
        };
        for (code, count) in &other.errors {
            *self.errors.entry(*code).or_default() += count;
        }
    }

    /// One line of JSON. Times in the names' units; MB and GB are decimal.
    pub fn to_json(&self, options: &Options, before: &Usage, after: &Usage) -> String {
        let seconds = options.duration.as_secs_f64();
        let gigabytes = (self.bytes as f64 / 1e9).max(1e-9);
        let mut text = String::from("{");
        let mode = options.mode.name();
        let items = match options.mode {
            Mode::Produce | Mode::Tail => "records",
            Mode::Fetch => "batches",
        };
        let active = self.span.map_or(0.0, |(first, last)| {
            last.duration_since(first).as_secs_f64()
        });
        let _ = write!(
            text,
            "\"mode\":\"{mode}\",\"connections\":{},\"depth\":{},\"partitions\":{},",
            options.connections, options.depth, options.partitions
        );
        let _ = write!(
            text,
            "\"seconds\":{seconds:.3},\"activeSeconds\":{active:.3},\"requests\":{},\"{items}\":{},\"bytes\":{},",
            self.requests, self.items, self.bytes
        );
        let _ = write!(
            text,
            "\"requestsPerSecond\":{:.1},\"mbPerSecond\":{:.2},",
            self.requests as f64 / seconds,
            self.bytes as f64 / 1e6 / seconds
        );
        let _ = write!(text, "\"latencyUs\":{{\"mean\":{:.0}", self.latency.mean());
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
            let _ = write!(
                text,
                ",\"{name}\":{}",
                self.latency.value_at_quantile(quantile)
            );
        }
        let _ = write!(text, ",\"max\":{}}},", self.latency.max());
        let client = after.client - before.client;
        let machine = after.machine - before.machine;
        let _ = write!(
            text,
            "\"clientCpuSeconds\":{client:.2},\"otherCpuSeconds\":{:.2},\
             \"otherCpuSecondsPerGb\":{:.3},",
            machine - client,
            (machine - client) / gigabytes
        );
        if options.server_pid.is_some() {
            let server = after.server - before.server;
            let _ = write!(
                text,
                "\"serverCpuSeconds\":{server:.2},\"serverCpuSecondsPerGb\":{:.3},\
                 \"serverResidentBytes\":{},",
                server / gigabytes,
                after.server_resident_bytes
            );
        }
        let errors: Vec<String> = self
            .errors
            .iter()
            .map(|(code, count)| format!("\"{code}\":{count}"))
            .collect();
        let _ = write!(
            text,
            "\"unanswered\":{},\"errors\":{{{}}}}}",
            self.late,
            errors.join(",")
        );
        text
    }
}
