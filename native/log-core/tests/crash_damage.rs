//! Changes single bits and lengths of the files of a stopped store: whatever is served afterwards
//! was appended, byte for byte; everything else is refused and said.

mod batch_maker;
mod crash_harness;

use std::path::Path;

use crash_harness::life::{append, live};
use crash_harness::{Ledger, Running, Setup, Step, assert_no_panics, fresh};
use mantou_log_core::sim::{SimOptions, SimVfs};
use mantou_log_core::vfs::{OpenMode, Vfs, read_exact};
use mantou_log_core::{AT_LEAST_ONE_BATCH, Command, LocateRequest, Located, LogState, Reply};

/// How the machine came to rest before the damage.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rest {
    /// A clean stop: nothing is scanned afterwards.
    Clean,
    Killed,
    Restarted,
}

fn steps() -> Vec<Step> {
    vec![
        append(0, 6, 2, 900),
        Step::Durable { log: 0 },
        Step::Roll { log: 0 },
        append(0, 9, 1, 300),
        Step::Durable { log: 0 },
        Step::Checkpoint,
        append(0, 5, 3, 400),
        Step::Durable { log: 0 },
    ]
}

fn at_rest(setup: &Setup, rest: Rest) -> (SimVfs, Ledger) {
    let vfs = fresh(SimVfs::new(SimOptions::default()));
    let mut ledger = Ledger::default();
    let mut steps = steps();
    if rest == Rest::Clean {
        steps.push(Step::Restart);
    }
    live(&vfs, setup, &mut ledger, &steps).expect("a life");
    let vfs = match rest {
        Rest::Clean => stop_again(&vfs, setup, &mut ledger),
        Rest::Killed => vfs.after_kill(),
        Rest::Restarted => vfs.survivors(0, 1).remove(0),
    };
    (vfs, ledger)
}

/// A machine on which everything was stopped cleanly.
fn stop_again(vfs: &SimVfs, setup: &Setup, ledger: &mut Ledger) -> SimVfs {
    let vfs = vfs.after_kill();
    let mut running = Running::start(&vfs, setup).expect("a store");
    running.open_logs(&ledger.live()).expect("logs");
    assert_eq!(
        running.command(Command::Close).expect("a clean stop"),
        Reply::Done
    );
    vfs.after_kill()
}

/// Reads everything in both ways, and compares what is served with what was appended. Offsets
/// that are not served are passed over one by one, which must end.
fn read_what_is_served(
    running: &mut Running<'_>,
    ledger: &mut Ledger,
    state: &LogState,
    context: &str,
) -> i64 {
    let log = state.log;
    let mut served = 0;
    for from in state.start_offset..state.end_offset {
        let read = running.command(Command::Read {
            log,
            from,
            bytes_max: 1000,
        });
        if let Ok(Reply::Bytes(bytes)) = read {
            served += i64::from(!bytes.is_empty());
            ledger
                .log(log)
                .expect_served(&bytes, from, &format!("{context}, read"));
        }
        let request = LocateRequest {
            log,
            flags: AT_LEAST_ONE_BATCH,
            offset: from,
            limit: state.end_offset,
            bytes_max: 1000,
            tag: 0,
        };
        if let Located::Ready(pin) = running.store().locate(&request) {
            let mut bytes = vec![0; pin.length as usize];
            read_exact(&**pin.file(), &mut bytes, pin.position).expect("a pinned range");
            ledger
                .log(log)
                .expect_served(&bytes, from, &format!("{context}, locate"));
        }
    }
    served
}

fn open_and_read(vfs: &SimVfs, setup: &Setup, ledger: &Ledger, context: &str) -> i64 {
    let mut ledger = ledger.clone();
    let mut served = 0;
    if let Ok(mut running) = Running::start(vfs, setup)
        && let Ok(states) = running.open_logs(&[0])
    {
        served = read_what_is_served(&mut running, &mut ledger, &states[0], context);
        let _ = running.command(Command::FindMaxTimestamp {
            log: 0,
            limit: i64::MAX,
        });
        let _ = running.command(Command::FindTimestamp {
            log: 0,
            timestamp: 1,
            limit: i64::MAX,
        });
    }
    assert_no_panics(context);
    served
}

fn flip_everywhere(rest: Rest, ends: &str, bytes_stride: usize) {
    let setup = Setup {
        logs: 1,
        ..Setup::default()
    };
    let (vfs, ledger) = at_rest(&setup, rest);
    let whole = open_and_read(&vfs.after_kill(), &setup, &ledger, "undamaged");
    assert_eq!(whole, 36, "every offset is served before the damage");
    let mut damaged = 0;
    for path in vfs.files() {
        if !path.to_string_lossy().ends_with(ends) || path.parent() == Some(Path::new("/data")) {
            continue;
        }
        let length = vfs.contents(&path).unwrap_or_default().len();
        for at in (0..length).step_by(bytes_stride) {
            let vfs = vfs.after_kill();
            let mask = 1 << (at % 8);
            assert!(vfs.corrupt(&path, at, mask));
            let context = format!(
                "{rest:?}: bit {mask:02x} of byte {at} of {}",
                path.display()
            );
            let served = open_and_read(&vfs, &setup, &ledger, &context);
            damaged += i64::from(served < whole);
        }
        for length in (0..length).step_by(7 * bytes_stride) {
            let vfs = vfs.after_kill();
            let file = vfs.open(&path, OpenMode::ReadWrite).expect("the file");
            file.truncate(length as u64).expect("a cut");
            file.fsync().expect("a flush");
            let context = format!("{rest:?}: {} cut to {length}", path.display());
            open_and_read(&vfs, &setup, &ledger, &context);
        }
    }
    assert!(
        damaged > 0 || ends != ".log",
        "damage to records is never told"
    );
}

#[test]
fn a_flipped_bit_in_a_segment_is_never_served() {
    for rest in [Rest::Clean, Rest::Killed, Rest::Restarted] {
        flip_everywhere(rest, ".log", 211);
    }
}

#[test]
fn a_flipped_bit_in_an_index_serves_nothing_wrong() {
    for rest in [Rest::Clean, Rest::Killed, Rest::Restarted] {
        flip_everywhere(rest, ".index", 1);
        flip_everywhere(rest, ".timeindex", 3);
    }
}

#[test]
fn a_damaged_small_file_of_a_log_serves_nothing_wrong() {
    for rest in [Rest::Clean, Rest::Killed, Rest::Restarted] {
        flip_everywhere(rest, "leader-epoch-checkpoint", 1);
        flip_everywhere(rest, "partition.metadata", 3);
    }
}
