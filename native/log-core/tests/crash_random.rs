//! Random lives on random machines, stopped at a random call, recovered, and lived on.
//!
//! `MANTOU_LONG=1` runs many more; `MANTOU_SEED=N` runs one.

mod batch_maker;
mod crash_harness;

use crash_harness::life::append;
use crash_harness::{Ledger, Removal, Setup, Step, assert_no_panics, check, fresh};
use mantou_log_core::Flush;
use mantou_log_core::sim::{Call, Fault, FaultRule, Rng, SimOptions, SimVfs, When};

const LOGS: u32 = 5;

fn setup(rng: &mut Rng) -> Setup {
    let mut setup = Setup {
        logs: LOGS,
        ..Setup::default()
    };
    setup.flush = [Flush::Auto, Flush::Auto, Flush::Pool, Flush::Syncfs][rng.below(4)];
    setup.config.segment_bytes = [4 << 10, 16 << 10, 1 << 20][rng.below(3)];
    setup.config.segment_index_bytes = [96, 4096][rng.below(2)];
    setup.config.index_interval_bytes = [1, 512, 4096][rng.below(3)];
    setup.config.preallocate = rng.chance(1, 4);
    setup
}

fn machine(seed: u64, rng: &mut Rng) -> SimVfs {
    let file_system = ["ext4", "ext4", "xfs", "btrfs"][rng.below(4)].to_owned();
    let single_device = file_system != "btrfs";
    fresh(SimVfs::new(SimOptions {
        seed,
        file_system,
        single_device,
        ..SimOptions::default()
    }))
}

fn step(rng: &mut Rng, ledger: &mut Ledger) -> Step {
    let live: Vec<u32> = (0..LOGS)
        .filter(|log| ledger.log(*log).removal == Removal::No)
        .collect();
    let Some(log) = live.get(rng.below(live.len())).copied() else {
        return Step::Checkpoint;
    };
    let held = ledger.log(log).end - ledger.log(log).start_max;
    match rng.below(100) {
        0..48 => {
            let value_bytes = [10, 300, 1000, 6000][rng.below(4)];
            append(log, 1 + rng.below(4), 1 + rng.below(4), value_bytes)
        }
        48..70 => Step::Durable { log },
        70..74 => Step::Roll { log },
        74..80 if held > 0 => Step::Truncate {
            log,
            batches: 1 + rng.below(3),
        },
        80..84 if held > 0 => Step::Trim {
            log,
            batches: rng.below(3),
        },
        84..86 => Step::Retain { log },
        86..87 if live.len() > 2 => Step::Remove { log },
        87..90 => Step::Checkpoint,
        90..94 => {
            let bytes = (0..rng.below(5000)).map(|_| rng.u64() as u8).collect();
            let name = ["one", "two"][rng.below(2)];
            Step::PutFile {
                log: rng.chance(1, 2).then_some(log),
                name,
                bytes,
            }
        }
        94..95 => Step::RemoveFile {
            log: None,
            name: "one",
        },
        95..97 => Step::Restart,
        97..98 => Step::Kill,
        _ => Step::Durable { log },
    }
}

/// Lives until something stops it. True: the machine or a fault did.
fn live(vfs: &SimVfs, setup: &Setup, ledger: &mut Ledger, rng: &mut Rng, context: &str) -> String {
    let mut running = match check(vfs, setup, ledger, context) {
        Ok(running) => running,
        Err(stopped) => return format!("{stopped:?}"),
    };
    for _ in 0..60 {
        let step = step(rng, ledger);
        if let Err(stopped) = running.step(ledger, &step) {
            return format!("{step:?}: {stopped:?}");
        }
    }
    running.note_durable(ledger);
    String::new()
}

/// Everything that happened, said when a test fails.
#[derive(Default)]
struct History(Vec<String>);

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what happened, oldest first:\n{}", self.0.join("\n"));
        }
    }
}

fn one(seed: u64) {
    let mut history = History::default();
    let mut rng = Rng::new(seed);
    let setup = setup(&mut rng);
    let mut vfs = machine(seed, &mut rng);
    let mut ledger = Ledger::default();
    for log in setup.all_logs() {
        ledger.log(log);
    }
    for round in 0..4 {
        let context = format!("MANTOU_SEED={seed}, round {round}, {setup:?}\n");
        vfs.crash_at(rng.below(400) as u64);
        if rng.chance(1, 3) {
            let call = [
                Call::Write,
                Call::Fdatasync,
                Call::Fsync,
                Call::SyncRange,
                Call::Read,
            ];
            let when = When::Only(call[rng.below(call.len())]);
            vfs.inject(FaultRule::once(
                when,
                rng.below(60) as u64,
                Fault::Errno(libc::EIO),
            ));
        }
        let stopped = live(&vfs, &setup, &mut ledger, &mut rng, &context);
        assert_no_panics(&context);
        if !vfs.has_crashed() && vfs.faults_met() == 0 && !stopped.is_empty() {
            panic!("{context}{stopped}\nstopped by itself {:#?}", vfs.trace());
        }
        let trace = vfs.trace();
        history.0.push(format!("-- round {round}: {stopped}"));
        history.0.extend(trace.iter().cloned());
        let context = format!(
            "{context}{stopped}\n{:#?}\n",
            &trace[trace.len().saturating_sub(40)..]
        );
        vfs = if rng.chance(1, 4) {
            history.0.push("-- killed".to_owned());
            vfs.after_kill()
        } else {
            let survivors = vfs.survivors(rng.u64(), 8);
            let index = rng.below(survivors.len());
            history.0.push(format!("-- lost power, survivor {index}"));
            survivors[index].clone()
        };
        let look = vfs.after_kill();
        let done = check(&look, &setup, &mut ledger.clone(), &context).map(drop);
        done.unwrap_or_else(|error| panic!("{context}{error:?}"));
        assert_no_panics(&context);
    }
}

#[test]
fn random_lives_keep_the_promises() {
    if let Some(seed) = std::env::var("MANTOU_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        return one(seed);
    }
    let long = std::env::var_os("MANTOU_LONG").is_some_and(|value| value == "1");
    (0..if long { 4000 } else { 60 }).for_each(one);
}
