//! Busy logs: blocks are written ahead, and one flush covers many files. Zeros must never meet
//! data, and nothing may be called durable that a power failure can take.

mod batch_maker;
mod store_harness;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mantou_log_core::sim::{SimOptions, SimVfs};
use mantou_log_core::vfs::Vfs;
use mantou_log_core::*;
use store_harness::*;

const LOGS: u32 = 3;

fn machine() -> SimVfs {
    let vfs = SimVfs::new(SimOptions::default());
    vfs.mkdir(Path::new("/data")).expect("a folder");
    vfs.fsync_dir(Path::new("/")).expect("synced");
    vfs
}

fn sim_options() -> StoreOptions {
    StoreOptions {
        reserve_bytes: 0,
        free_bytes_min: 0,
        ..options(&PathBuf::from("/data"))
    }
}

fn open_on(vfs: &SimVfs) -> (Harness, Vec<LogState>) {
    let harness = Harness::open_on(sim_options(), Arc::new(vfs.clone())).expect("opens");
    let specs: Vec<LogSpec> = (0..LOGS)
        .map(|log| {
            let mut spec = spec(log);
            spec.config.segment_bytes = 3 << 20;
            spec
        })
        .collect();
    let states = harness.open_logs(&specs);
    (harness, states)
}

/// Appends to all logs for a while, each batch waiting for the one before it to be durable, until
/// blocks were written ahead of each. Returns the ends.
fn keep_busy(harness: &Harness, ends: &mut [i64], lasting: Duration) {
    let start = Instant::now();
    while start.elapsed() < lasting {
        for log in 0..LOGS {
            let end = &mut ends[log as usize];
            *end = harness.append_async(log, *end, made(1, 700, *end));
        }
        for log in 0..LOGS {
            harness.sink.durable(log, ends[log as usize]);
        }
        harness.sink.clear();
    }
}

fn check(harness: &Harness, log: LogId, end: i64) {
    let mut offset = 0;
    while offset < end {
        let found = batches(&harness.bytes(log, offset, 1 << 20));
        for (base, last) in found {
            assert_eq!((base, last), (offset, offset));
            offset += 1;
        }
    }
}

#[test]
fn zeros_never_meet_data_and_what_was_durable_survives() {
    let vfs = machine();
    let (harness, _) = open_on(&vfs);
    assert_eq!(harness.description.flush_strategy, "ahead");
    let mut ends = vec![0; LOGS as usize];
    keep_busy(&harness, &mut ends, Duration::from_millis(900));
    let was_ahead = |log: u32| {
        let folder = format!("/data/topic{log}-0");
        let bytes: u64 = harness
            .segments(log)
            .iter()
            .map(|segment| segment.bytes)
            .sum();
        let on_disk: usize = vfs
            .files()
            .iter()
            .filter(|path| {
                path.starts_with(&folder) && path.extension().is_some_and(|e| e == "log")
            })
            .map(|path| vfs.contents(path).map_or(0, |bytes| bytes.len()))
            .sum();
        on_disk as u64 > bytes
    };
    // Zeros come a moment after the log became busy; go on until they are in use.
    let start = Instant::now();
    while !(0..LOGS).all(was_ahead) {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "nothing was written ahead"
        );
        keep_busy(&harness, &mut ends, Duration::from_millis(50));
    }
    keep_busy(&harness, &mut ends, Duration::from_millis(200));
    for log in 0..LOGS {
        check(&harness, log, ends[log as usize]);
    }
    // One flush for three files, mostly.
    let stats = harness.store().stats();
    assert!(stats.flushes_total < stats.groups_total * 4, "{stats:?}");
    vfs.crash_now();
    let survivors = vfs.survivors(1, 6);
    harness.kill();
    for (number, survivor) in survivors.iter().enumerate() {
        let (harness, states) = open_on(survivor);
        for (log, state) in states.iter().enumerate() {
            assert_eq!(
                state.corrupt_from_offset, None,
                "survivor {number}: {state:?}"
            );
            assert_eq!(state.end_offset, ends[log], "survivor {number}: {state:?}");
            check(&harness, log as LogId, ends[log]);
        }
        harness.append(0, ends[0], made(1, 10, 1));
        harness.close();
    }
}

#[test]
fn a_clean_stop_cuts_what_was_written_ahead() {
    let vfs = machine();
    let (harness, _) = open_on(&vfs);
    let mut ends = vec![0; LOGS as usize];
    keep_busy(&harness, &mut ends, Duration::from_millis(1200));
    let bytes: Vec<u64> = (0..LOGS)
        .map(|log| harness.segments(log).last().expect("a segment").bytes)
        .collect();
    let last: Vec<i64> = (0..LOGS)
        .map(|log| harness.segments(log).last().expect("a segment").base_offset)
        .collect();
    harness.close();
    for log in 0..LOGS as usize {
        let path = format!("/data/topic{log}-0/{:020}.log", last[log]);
        let length = vfs.contents(Path::new(&path)).expect("the log").len() as u64;
        assert_eq!(length, bytes[log]);
    }
    let (harness, states) = open_on(&vfs);
    assert!(harness.description.clean);
    for (state, end) in states.iter().zip(ends) {
        assert_eq!((state.end_offset, state.cut_bytes), (end, 0));
    }
    harness.close();
}

#[test]
fn a_cut_drops_what_was_written_ahead() {
    let vfs = machine();
    let (harness, _) = open_on(&vfs);
    let mut ends = vec![0; LOGS as usize];
    keep_busy(&harness, &mut ends, Duration::from_millis(900));
    for log in 0..LOGS {
        let end = ends[log as usize] / 2;
        let state = harness.state(Command::Truncate { log, end });
        assert_eq!(state.end_offset, end);
        ends[log as usize] = end;
    }
    harness.sink.clear();
    keep_busy(&harness, &mut ends, Duration::from_millis(700));
    for log in 0..LOGS {
        check(&harness, log, ends[log as usize]);
    }
    let killed = vfs.after_kill();
    harness.kill();
    let (harness, states) = open_on(&killed);
    for (state, end) in states.iter().zip(&ends) {
        assert_eq!((state.end_offset, state.corrupt_from_offset), (*end, None));
    }
    harness.close();
}
