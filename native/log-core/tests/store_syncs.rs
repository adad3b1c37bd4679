//! Who is told of a failed sync, what others' syncs must not touch, and what marks have to outlive.

mod batch_maker;
mod stalling;
mod store_harness;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mantou_log_core::sim::{Call, Fault, FaultRule, SimOptions, SimVfs, When};
use mantou_log_core::vfs::Vfs;
use mantou_log_core::*;
use stalling::{Gate, Held, StallingVfs};
use store_harness::*;

const FIRST_SEGMENT: &str = "topic0-0/00000000000000000000.log";
const MARKS: &str = "/data/mantou-durable-marks";
const SYNC_FAILED: &str = "/data/mantou-sync-failed";

fn machine() -> SimVfs {
    let vfs = SimVfs::new(SimOptions::default());
    vfs.mkdir(Path::new("/data")).expect("a folder");
    vfs.fsync_dir(Path::new("/")).expect("synced");
    vfs
}

fn start(vfs: Arc<dyn Vfs>) -> Harness {
    let options = StoreOptions {
        reserve_bytes: 0,
        free_bytes_min: 0,
        ..options(&PathBuf::from("/data"))
    };
    Harness::open_on(options, vfs).expect("opens")
}

fn small_segments() -> LogSpec {
    let mut spec = spec(0);
    spec.config.segment_bytes = 4096;
    spec
}

fn path(name: &str) -> PathBuf {
    Path::new("/data").join(name)
}

fn is_sync_failure(event: &Event) -> bool {
    matches!(event, Event::StoreState { code, .. } if *code == StoreCode::SyncFailed)
}

fn durable_marks(vfs: &SimVfs) -> Vec<i64> {
    let bytes = vfs.durable_contents(Path::new(MARKS)).expect("marks");
    let slots = bytes.chunks(64).skip(1);
    let offset = |slot: &[u8]| i64::from_be_bytes(slot[24..32].try_into().expect("an offset"));
    slots.map(offset).collect()
}

/// Appends batches of one record to logs 0 and 1, and waits for the marks that say so.
fn two_logs(vfs: &SimVfs, count: i64) -> Harness {
    let harness = start(Arc::new(vfs.clone()));
    for log in [0, 1] {
        harness.open_log(log);
        for offset in 0..count {
            harness.append(log, offset, made(1, 1000, 1));
        }
    }
    until("both durable marks", || {
        let marks = durable_marks(vfs);
        marks.iter().filter(|mark| **mark == count).count() == 2
    });
    harness
}

#[test]
fn an_error_that_the_janitor_meets_acknowledges_nothing() {
    let gate = Arc::new(Gate::default());
    let sim = machine();
    let vfs = StallingVfs {
        sim: sim.clone(),
        gate: Arc::clone(&gate),
    };
    let harness = start(Arc::new(vfs));
    harness.open_logs(&[small_segments()]);
    harness.append(0, 0, made(1, 100, 1));
    gate.close(Held::Fdatasync, FIRST_SEGMENT);
    gate.close(Held::Open, SYNC_FAILED);
    let rule = FaultRule::once(When::Only(Call::Fsync), 0, Fault::Errno(libc::EIO));
    sim.inject(rule.on(FIRST_SEGMENT));
    harness.append_async(0, 1, made(1, 3000, 1));
    gate.wait_for_one();
    // Rolls: the janitor syncs the segment whose flush is held, is told of the error, and is held
    // before it can pass that on.
    harness.append_async(0, 2, made(1, 3000, 1));
    gate.wait_for(2);
    gate.let_pass(Held::Fdatasync);
    let is_acknowledged = |event: &Event| {
        let Event::Durable { end_offset, .. } = event else {
            return false;
        };
        *end_offset > 1
    };
    until("the flusher to know", || {
        harness.sink.count(is_acknowledged) > 0 || gate.waiting() == 2
    });
    gate.open();
    until("the news", || harness.sink.count(is_sync_failure) > 0);
    assert_eq!(harness.sink.count(is_acknowledged), 0);
    harness.kill();
}

#[test]
fn a_sync_that_fails_while_a_log_is_opened_is_not_believed_later() {
    let vfs = machine();
    let harness = start(Arc::new(vfs.clone()));
    harness.open_log(0);
    harness.append(0, 0, made(1, 1000, 1));
    harness.kill();
    let vfs = vfs.after_kill();
    let rule = FaultRule::once(When::Only(Call::Fsync), 0, Fault::Errno(libc::EIO));
    vfs.inject(rule.on(FIRST_SEGMENT));
    let harness = start(Arc::new(vfs.clone()));
    let refused = harness.command(Command::OpenLogs(vec![spec(0)]));
    assert_eq!(refused.expect_err("refused").code, "EIO");
    until("the news", || harness.sink.count(is_sync_failure) > 0);
    assert!(harness.command(Command::OpenLogs(vec![spec(0)])).is_err());
    harness.kill();
    // The next start of this run of the operating system writes everything again.
    assert!(vfs.contents(Path::new(SYNC_FAILED)).is_some());
}

#[test]
fn a_segment_that_a_cut_made_active_again_keeps_what_is_written_to_it() {
    let gate = Arc::new(Gate::default());
    let sim = machine();
    let vfs = StallingVfs {
        sim: sim.clone(),
        gate: Arc::clone(&gate),
    };
    let harness = start(Arc::new(vfs));
    harness.open_logs(&[small_segments()]);
    harness.append(0, 0, made(1, 100, 1));
    harness.append(0, 1, made(1, 3000, 1));
    let bytes = sim.contents(&path(FIRST_SEGMENT)).expect("a segment").len();
    // The janitor is held, and the segment's seal waits behind it.
    gate.close(Held::Open, "mantou-checkpoint.tmp");
    let checkpoint = harness.begin(Command::Checkpoint);
    gate.wait_for_one();
    harness.append(0, 2, made(1, 3000, 1));
    let cut = harness.begin(Command::Truncate { log: 0, end: 2 });
    gate.close(Held::Written, FIRST_SEGMENT);
    let end = harness.append_async(0, 2, made(1, 500, 1));
    gate.wait_for(2);
    gate.let_pass(Held::Open);
    assert_eq!(harness.answer(checkpoint), Ok(Reply::Done));
    // Answered by the janitor, behind the seal.
    assert!(harness.answer(cut).is_ok());
    gate.open();
    harness.sink.durable(0, end);
    let now = sim.contents(&path(FIRST_SEGMENT)).expect("a segment").len();
    assert!(now > bytes + 500, "{now} bytes, {bytes} before");
    assert_eq!(batches(&harness.bytes(0, 2, u32::MAX)), [(2, 2)]);
    harness.close();
}

#[test]
fn marks_outlive_a_stop_for_logs_that_were_not_opened() {
    let vfs = machine();
    two_logs(&vfs, 5).kill();
    let vfs = vfs.survivors(0, 1).remove(0);
    // Acknowledged bytes of the second log are damaged.
    let segment = path("topic1-0/00000000000000000000.log");
    assert!(vfs.corrupt(&segment, 4500, 1));
    let harness = start(Arc::new(vfs.clone()));
    assert_eq!(harness.open_log(0).end_offset, 5);
    harness.close();
    let harness = start(Arc::new(vfs.after_kill()));
    let state = harness.open_log(1);
    assert_eq!((state.end_offset, state.corrupt_from_offset), (5, Some(4)));
    harness.close();
}

#[test]
fn a_removed_log_leaves_no_mark_to_its_successor() {
    let vfs = machine();
    let harness = two_logs(&vfs, 5);
    assert_eq!(harness.command(Command::Remove { log: 0 }), Ok(Reply::Done));
    let state = harness.open_log(0);
    assert_eq!((state.end_offset, state.corrupt_from_offset), (0, None));
    // Though nothing is flushed any more.
    until("the mark to go", || {
        durable_marks(&vfs)
            .iter()
            .filter(|mark| **mark == 5)
            .count()
            == 1
    });
    harness.kill();
    let harness = start(Arc::new(vfs.after_kill()));
    let state = harness.open_log(0);
    assert_eq!((state.end_offset, state.corrupt_from_offset), (0, None));
    assert_eq!(harness.open_log(1).end_offset, 5);
    harness.close();
}

#[test]
fn a_log_that_comes_back_keeps_its_mark() {
    let vfs = machine();
    let harness = start(Arc::new(vfs.clone()));
    for log in [0, 1, 2] {
        harness.open_log(log);
        harness.append(log, 0, made(1, 1000, 1));
    }
    until("marks", || {
        durable_marks(&vfs)
            .iter()
            .filter(|mark| **mark == 1)
            .count()
            == 3
    });
    // The last that is removed leaves the slot that is taken first.
    for log in [2, 1, 0] {
        assert_eq!(harness.command(Command::Remove { log }), Ok(Reply::Done));
    }
    harness.open_log(2);
    for offset in 0..5 {
        harness.append(2, offset, made(1, 1000, 1));
    }
    until("its mark", || durable_marks(&vfs).contains(&5));
    harness.kill();
    let vfs = vfs.survivors(0, 1).remove(0);
    assert!(vfs.corrupt(&path("topic2-0/00000000000000000000.log"), 4500, 1));
    let harness = start(Arc::new(vfs));
    let state = harness.open_log(2);
    assert_eq!((state.end_offset, state.corrupt_from_offset), (5, Some(4)));
    harness.close();
}

#[test]
fn a_full_volume_only_delays_marks() {
    let vfs = machine();
    let harness = start(Arc::new(vfs.clone()));
    harness.open_log(0);
    harness.append(0, 0, made(1, 10, 1));
    until("a mark", || durable_marks(&vfs).contains(&1));
    let rule = FaultRule::from(When::Only(Call::WriteZeros), 0, Fault::Errno(libc::ENOSPC));
    vfs.inject(rule.on("mantou-durable-marks"));
    // More logs than the file has slots for.
    let specs: Vec<LogSpec> = (1..300).map(wide_spec).collect();
    harness.open_logs(&specs);
    for spec in &specs {
        harness.append_async(spec.log, 0, made(1, 10, 1));
    }
    for spec in &specs {
        harness.sink.durable(spec.log, 1);
    }
    harness.append(0, 1, made(1, 10, 1));
    until("the mark of a log that has a slot", || {
        durable_marks(&vfs).contains(&2)
    });
    vfs.clear_faults();
    harness.append(0, 2, made(1, 10, 1));
    until("all marks", || {
        let marks = durable_marks(&vfs);
        marks.iter().filter(|mark| **mark == 1).count() == specs.len()
    });
    harness.close();
}

/// For more logs than `spec` has ids of topics for.
fn wide_spec(log: LogId) -> LogSpec {
    let mut spec = LogSpec {
        log,
        topic: format!("topic{log}"),
        ..spec(0)
    };
    spec.topic_id[..4].copy_from_slice(&log.to_be_bytes()[..4]);
    spec
}
