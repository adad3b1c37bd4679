//! The scripted life that crash and fault tests interrupt.

use super::{Ledger, Running, Setup, Step, Stopped};
use mantou_log_core::LogId;
use mantou_log_core::sim::SimVfs;

pub fn append(log: u32, batches: usize, records: usize, value_bytes: usize) -> Step {
    Step::Append {
        log,
        batches,
        records,
        value_bytes,
    }
}

pub fn put(log: Option<u32>, name: &'static str, text: &str) -> Step {
    Step::PutFile {
        log,
        name,
        bytes: text.as_bytes().to_vec(),
    }
}

/// Appends, rolls, truncations, trims, checkpoints, deletion, small files, and a clean stop.
pub fn life() -> Vec<Step> {
    vec![
        append(0, 3, 3, 200),
        Step::Durable { log: 0 },
        append(1, 1, 1, 50),
        put(None, "raft-state", "term 1"),
        Step::Durable { log: 1 },
        append(0, 4, 4, 1000),
        append(1, 2, 1, 3000),
        Step::Durable { log: 0 },
        append(0, 5, 4, 1000),
        Step::Checkpoint,
        Step::Durable { log: 0 },
        append(0, 2, 1, 700),
        Step::Durable { log: 0 },
        put(None, "raft-state", "term 2, vote 3"),
        Step::Truncate { log: 0, batches: 3 },
        append(0, 2, 2, 900),
        Step::Durable { log: 0 },
        Step::Roll { log: 1 },
        append(1, 3, 2, 600),
        Step::Durable { log: 1 },
        Step::Truncate { log: 1, batches: 4 },
        append(1, 1, 2, 5000),
        Step::Durable { log: 1 },
        Step::Trim { log: 0, batches: 2 },
        put(Some(0), "snapshot", "offset 9"),
        append(0, 2, 6, 1000),
        Step::Durable { log: 0 },
        Step::Retain { log: 0 },
        Step::Restart,
        append(0, 1, 1, 100),
        append(1, 2, 3, 2000),
        Step::Durable { log: 0 },
        Step::RemoveFile {
            log: None,
            name: "raft-state",
        },
        Step::Remove { log: 1 },
        append(0, 3, 2, 400),
    ]
}

/// Runs `steps` until the end or the first refusal.
pub fn live(
    vfs: &SimVfs,
    setup: &Setup,
    ledger: &mut Ledger,
    steps: &[Step],
) -> Result<(), Stopped> {
    live_watched(vfs, setup, ledger, steps, |_, _| {})
}

/// As [`live`]; `watch` is called with each durable end at the moment of its acknowledgement
/// (those before the life's restart).
pub fn live_watched(
    vfs: &SimVfs,
    setup: &Setup,
    ledger: &mut Ledger,
    steps: &[Step],
    watch: impl Fn(LogId, i64) + Send + 'static,
) -> Result<(), Stopped> {
    for log in setup.all_logs() {
        ledger.log(log);
    }
    let mut running = Running::start(vfs, setup)?;
    *running.sink.watch.lock().unwrap() = Some(Box::new(watch));
    running.open_logs(&setup.all_logs())?;
    for step in steps {
        running.step(ledger, step)?;
    }
    running.note_durable(ledger);
    Ok(())
}
