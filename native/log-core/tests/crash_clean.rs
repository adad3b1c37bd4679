//! Stops the machine in every mutating call of a life full of cleanings, and compares every way in
//! which the disk may be left: the newest committed record of each key is there, nothing that went
//! is back, and cleaning goes on.
//!
//! `MANTOU_LONG=1` looks at every crash point with more survivors, and at more random lives.

mod batch_maker;
mod clean_harness;
mod store_harness;

use std::path::Path;
use std::sync::Arc;

use clean_harness::{Model, clean, clean_spec, read_all};
use mantou_log_core::sim::{Rng, SimOptions, SimVfs};
use mantou_log_core::*;
use store_harness::{Harness, options, spec};

const TIME: i64 = 1_000_000;
const LOG: LogId = 0;

fn is_long() -> bool {
    std::env::var_os("MANTOU_LONG").is_some_and(|value| value == "1")
}

/// Why a life ended early; read where a test fails.
#[derive(Debug)]
struct Stopped(#[allow(dead_code)] String);

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Stopped {
        Stopped(error.to_string())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Batches of so many records over a few keys.
    Put(usize),
    /// Records of a transaction, and its marker.
    Begin(i64),
    End(i64, bool),
    Roll,
    Checkpoint,
    /// So many milliseconds after the last one.
    Clean(i64),
    /// The last batches, but nothing that was cleaned.
    Truncate(usize),
    /// At the second record of the last batch, which goes whole.
    TruncateInside,
    /// Up to so many offsets from the end.
    Trim(i64),
    Restart,
}

/// What is promised, whatever happens.
#[derive(Clone, Default)]
struct Truth {
    model: Model,
    durable: i64,
    /// What the caller has written down as clean.
    first_dirty: i64,
    now_ms: i64,
    /// Ends that a cut may have made and may not.
    cutting: Option<i64>,
    trimming: i64,
    /// Of the batches, in order.
    bases: Vec<i64>,
}

fn log_spec() -> LogSpec {
    let mut log = spec(LOG);
    log.config.segment_bytes = 2000;
    log.config.index_interval_bytes = 200;
    log
}

fn start(vfs: &SimVfs) -> Result<(Harness, LogState), Stopped> {
    let store = Harness::open_on(options(Path::new("/data")), Arc::new(vfs.clone()))?;
    match store.command(Command::OpenLogs(vec![log_spec()]))? {
        Reply::Logs(states) => Ok((store, states[0])),
        other => panic!("{other:?}"),
    }
}

struct Life<'a> {
    vfs: &'a SimVfs,
    store: Harness,
    rng: Rng,
}

impl Life<'_> {
    fn append(&mut self, truth: &mut Truth, made: clean_harness::Appended) -> Result<(), Stopped> {
        let base = truth.durable;
        truth.bases.push(base);
        self.store.append_async(LOG, base, made.bytes);
        let end = made.end;
        let durable = self.store.sink.wait("an append to settle", |seen| {
            seen.events.iter().find_map(|event| match event {
                Event::Durable { end_offset, .. } if *end_offset >= end => Some(Ok(())),
                Event::LogFailed { .. } => Some(Err(format!("{event:?}"))),
                Event::StoreState { code, .. } if *code != StoreCode::Ok => {
                    Some(Err(format!("{event:?}")))
                }
                _ => None,
            })
        });
        durable.map_err(Stopped)?;
        truth.durable = end;
        Ok(())
    }

    fn put(
        &mut self,
        truth: &mut Truth,
        count: usize,
        producer: Option<i64>,
    ) -> Result<(), Stopped> {
        let records: Vec<(String, Option<String>)> = (0..count)
            .map(|_| {
                let key = format!("key {}", self.rng.below(12));
                let size = self.rng.below(120);
                let value = (self.rng.below(5) > 0).then(|| "v".repeat(size));
                (key, value)
            })
            .collect();
        let records: Vec<(&str, Option<&str>)> = records
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref()))
            .collect();
        let codec = self.rng.below(5) as i16;
        let timestamp = TIME + truth.model.end;
        let producer = producer.map(|id| (id, true));
        let made = truth.model.batch(&records, timestamp, codec, producer);
        self.append(truth, made)
    }

    fn step(&mut self, truth: &mut Truth, step: &Step) -> Result<(), Stopped> {
        match step {
            Step::Put(count) => self.put(truth, *count, None)?,
            Step::Begin(id) => self.put(truth, 3, Some(*id))?,
            Step::End(id, commit) => {
                let timestamp = TIME + truth.model.end;
                let made = truth.model.marker(*id, *commit, timestamp);
                self.append(truth, made)?;
            }
            Step::Roll => self.store.command(Command::Roll { log: LOG }).map(drop)?,
            Step::Checkpoint => self.store.command(Command::Checkpoint).map(drop)?,
            Step::Clean(later) => {
                truth.now_ms += later;
                let limit = truth.model.stable_end();
                let mut spec = clean_spec(truth.first_dirty, limit, truth.now_ms);
                spec.map_bytes = 24 * 40;
                truth.first_dirty = clean(&self.store, LOG, spec)?.clean_end;
            }
            Step::Truncate(_) | Step::TruncateInside => {
                let (back, inside) = match step {
                    Step::Truncate(back) => (*back, 0),
                    _ => (1, 1),
                };
                let base = truth.bases[truth.bases.len() - back];
                if base < truth.first_dirty {
                    return Ok(());
                }
                let end = base + inside;
                truth.cutting = Some(base);
                truth.durable = truth.durable.min(base);
                let state = self.store.command(Command::Truncate { log: LOG, end })?;
                let Reply::State(state) = state else {
                    panic!("{state:?}")
                };
                truth.cutting = None;
                truth.durable = state.end_offset;
                truth.model.truncate(state.end_offset);
                truth.bases.retain(|base| *base < state.end_offset);
                // What was told of the end before counts no more.
                self.store.sink.clear();
            }
            Step::Trim(back) => {
                let start = truth.model.end - back;
                truth.trimming = truth.trimming.max(start);
                self.store
                    .command(Command::Trim { log: LOG, start })
                    .map(drop)?;
                truth.model.start = truth.model.start.max(start);
            }
            Step::Restart => {
                self.store.command(Command::Close)?;
                let (store, state) = start(self.vfs)?;
                assert_eq!(state.end_offset, truth.model.end);
                self.store = store;
            }
        }
        Ok(())
    }
}

fn live(vfs: &SimVfs, seed: u64, truth: &mut Truth, steps: &[Step]) -> Result<(), Stopped> {
    truth.now_ms = TIME;
    let (store, _) = start(vfs)?;
    let mut life = Life {
        vfs,
        store,
        rng: Rng::new(seed),
    };
    for step in steps {
        life.step(truth, step)?;
    }
    Ok(())
}

/// Opens what a crash has left, compares it with the truth, cleans it and compares again.
fn check(vfs: &SimVfs, truth: &mut Truth, context: &str) {
    let (store, state) = start(vfs).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    assert_eq!(state.corrupt_from_offset, None, "{context}: {state:?}");
    let low = truth.durable.min(truth.cutting.unwrap_or(i64::MAX));
    assert!(
        (low..=truth.model.end).contains(&state.end_offset),
        "{context}: {state:?}, durable {}",
        truth.durable
    );
    truth.model.truncate(state.end_offset);
    truth.model.start = truth.model.start.max(truth.trimming);
    truth.durable = state.end_offset;
    let read = read_all(&store, LOG, state.start_offset);
    let read = read.unwrap_or_else(|error| panic!("{context}: {error}"));
    truth.model.check(&read, context);
    let rolled = store.command(Command::Roll { log: LOG });
    rolled.unwrap_or_else(|error| panic!("{context}: {error}"));
    let limit = truth.model.stable_end();
    truth.now_ms += 500;
    while truth.first_dirty < limit {
        let spec = clean_spec(truth.first_dirty, limit, truth.now_ms);
        let outcome = clean(&store, LOG, spec);
        let outcome = outcome.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(
            outcome.clean_end > truth.first_dirty,
            "{context}: {outcome:?}"
        );
        truth.first_dirty = outcome.clean_end;
    }
    let read = read_all(&store, LOG, state.start_offset);
    let read = read.unwrap_or_else(|error| panic!("{context}, cleaned: {error}"));
    truth.model.check(&read, &format!("{context}, cleaned"));
    let clean_end = truth.first_dirty;
    truth.model.check_clean(&read, clean_end, context);
    for path in vfs.files() {
        let name = path.to_string_lossy().into_owned();
        let left = name.ends_with(".cleaned") || name.ends_with(".swap");
        assert!(!left, "{context}: {name} is left");
    }
    store.kill();
}

fn script() -> Vec<Step> {
    use Step::{Begin, Checkpoint, Clean, End, Put, Restart, Roll, Trim, Truncate, TruncateInside};
    vec![
        Put(4),
        Begin(7),
        Put(6),
        End(7, false),
        Roll,
        Put(5),
        Roll,
        Put(3),
        Clean(0),
        Begin(8),
        Begin(9),
        Put(5),
        End(8, true),
        Roll,
        Put(8),
        Clean(0),
        End(9, false),
        Put(8),
        Roll,
        Put(2),
        Clean(1000),
        Put(3),
        Put(2),
        Truncate(2),
        Put(4),
        TruncateInside,
        Put(6),
        Checkpoint,
        Roll,
        Put(4),
        Clean(1000),
        Trim(12),
        Put(7),
        Roll,
        Clean(1000),
        Restart,
        Put(9),
        Roll,
        Put(1),
        Clean(1000),
    ]
}

#[test]
fn every_crash_point_of_a_cleaning_keeps_the_newest_records() {
    let (stride, survivors) = if is_long() { (1, 12) } else { (9, 3) };
    let vfs = SimVfs::new(SimOptions::default());
    let mut truth = Truth::default();
    live(&vfs, 1, &mut truth, &script()).expect("the life without a crash");
    let calls = vfs.mutating_calls();
    assert!(
        truth.first_dirty > 60,
        "cleaned up to {}",
        truth.first_dirty
    );
    check(&vfs.after_kill(), &mut truth, "killed at the end");
    let mut crashes = 0;
    for nth in (3..calls).step_by(stride) {
        let vfs = SimVfs::new(SimOptions {
            seed: nth,
            ..SimOptions::default()
        });
        vfs.crash_at(nth);
        let mut truth = Truth::default();
        let stopped = live(&vfs, 1, &mut truth, &script());
        crashes += u64::from(vfs.has_crashed());
        assert!(
            stopped.is_ok() || vfs.has_crashed(),
            "stopped by itself at {nth}: {stopped:?}"
        );
        let mut machines = vfs.survivors(nth, survivors);
        machines.push(vfs.after_kill());
        for (index, survivor) in machines.iter().enumerate() {
            let tail = vfs.trace();
            let tail = &tail[tail.len().saturating_sub(10)..];
            let context = format!("crash at {nth} of {calls}, survivor {index}: {tail:#?}");
            let mut truth = truth.clone();
            check(survivor, &mut truth, &context);
            // And once more, from what the recovery has left.
            let lost = &survivor.survivors(nth, 1)[0];
            check(lost, &mut truth, &format!("{context}, again"));
        }
    }
    assert!(crashes > 5, "{crashes} crashes");
}

#[test]
fn recovery_of_a_swap_may_crash_at_every_call_too() {
    let stride = if is_long() { 3 } else { 41 };
    let vfs = SimVfs::new(SimOptions::default());
    live(&vfs, 1, &mut Truth::default(), &script()).expect("the life without a crash");
    let calls = vfs.mutating_calls();
    for nth in (calls / 5..calls).step_by(stride) {
        let vfs = SimVfs::new(SimOptions::default());
        vfs.crash_at(nth);
        let mut truth = Truth::default();
        let _ = live(&vfs, 1, &mut truth, &script());
        for survivor in vfs.survivors(nth, 2) {
            // Recovery alone, stopped wherever it writes.
            let whole = survivor.after_kill();
            let before = whole.mutating_calls();
            drop(start(&whole));
            let calls = whole.mutating_calls() - before;
            for second in (0..calls).step_by(if is_long() { 1 } else { 3 }) {
                let again = survivor.after_kill();
                again.crash_at(second);
                drop(start(&again));
                for (index, left) in again.survivors(second, 2).iter().enumerate() {
                    let context = format!("crash at {nth}, then at {second}, survivor {index}");
                    check(left, &mut truth.clone(), &context);
                }
            }
        }
    }
}

fn random_steps(rng: &mut Rng, count: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..count {
        let step = match rng.below(20) {
            0..8 => Step::Put(1 + rng.below(10)),
            8..10 => {
                let id = 1 + rng.below(4) as i64;
                if !open.contains(&id) {
                    open.push(id);
                }
                Step::Begin(id)
            }
            10..12 if !open.is_empty() => {
                let id = open.swap_remove(rng.below(open.len()));
                Step::End(id, rng.below(2) == 0)
            }
            12..15 => Step::Roll,
            15 => Step::Checkpoint,
            16 => Step::Restart,
            _ => Step::Clean([0, 400, 1000][rng.below(3)]),
        };
        steps.push(step);
    }
    steps
}

#[test]
fn random_lives_agree_with_the_model() {
    let lives = if is_long() { 400 } else { 12 };
    for seed in 0..lives {
        let mut rng = Rng::new(seed);
        let steps = random_steps(&mut rng, 120);
        let vfs = SimVfs::new(SimOptions {
            seed,
            ..SimOptions::default()
        });
        let crash = rng.below(3) == 0;
        if crash {
            vfs.crash_at(rng.below(400) as u64);
        }
        let mut truth = Truth::default();
        let stopped = live(&vfs, seed, &mut truth, &steps);
        assert!(
            stopped.is_ok() || vfs.has_crashed(),
            "seed {seed}: {stopped:?}"
        );
        let machine = if crash {
            vfs.survivors(seed, 1).remove(0)
        } else {
            vfs.after_kill()
        };
        check(&machine, &mut truth, &format!("seed {seed}"));
        check(
            &machine.after_kill(),
            &mut truth,
            &format!("seed {seed}, again"),
        );
    }
}
