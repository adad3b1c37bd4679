//! Settings that change while a log is in use, and commands that meet each other.

mod batch_maker;
mod stalling;
mod store_harness;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use batch_maker::{MadeRecord, around, compress, payload, seal};
use mantou_log_core::sim::{Call, Fault, FaultRule, SimOptions, SimVfs, When};
use mantou_log_core::vfs::Vfs;
use mantou_log_core::*;
use stalling::{Gate, Held, StallingVfs};
use store_harness::*;

fn machine() -> SimVfs {
    let vfs = SimVfs::new(SimOptions::default());
    vfs.mkdir(Path::new("/data")).expect("a folder");
    vfs.fsync_dir(Path::new("/")).expect("synced");
    vfs
}

fn open_on(vfs: Arc<dyn Vfs>) -> Harness {
    let options = StoreOptions {
        reserve_bytes: 0,
        free_bytes_min: 0,
        ..options(&PathBuf::from("/data"))
    };
    Harness::open_on(options, vfs).expect("opens")
}

fn cached(durability: Durability) -> LogSpec {
    let mut spec = spec(0);
    spec.config.segment_bytes = 4096;
    spec.config.durability = durability;
    spec
}

#[test]
fn what_was_left_to_the_page_cache_is_flushed_with_what_follows() {
    // The switch meets the middle of a segment, and its very end: a roll comes first.
    for (before, bytes) in [(5, 1000), (4, 2000)] {
        let vfs = machine();
        let harness = open_on(Arc::new(vfs.clone()));
        let config = cached(Durability::Fsync).config;
        harness.open_logs(&[cached(Durability::PageCache)]);
        for offset in 0..before {
            harness.append(0, offset, made(1, bytes, 1));
        }
        harness.store().configure(0, config);
        harness.append(0, before, made(1, bytes, 1));
        for survivor in vfs.survivors(1, 8) {
            let again = open_on(Arc::new(survivor));
            let state = again.open_logs(&[cached(Durability::Fsync)])[0];
            let found = (state.end_offset, state.corrupt_from_offset);
            assert_eq!(found, (before + 1, None), "{before} batches of {bytes}");
            again.close();
        }
        harness.close();
    }
}

#[test]
fn a_removal_waits_for_the_log_to_be_opened() {
    let gate = Arc::new(Gate::default());
    let vfs = StallingVfs {
        sim: machine(),
        gate: Arc::clone(&gate),
    };
    let harness = open_on(Arc::new(vfs.clone()));
    harness.open_log(0);
    harness.append(0, 0, made(1, 100, 1));
    // Does not continue the log, which goes offline and is opened again.
    harness.append_async(0, 0, made(1, 100, 1));
    assert_eq!(harness.sink.failure(0).0, StoreCode::WriteFailed);
    gate.close(Held::ReadDir, "/topic0-0");
    let opening = harness.begin(Command::OpenLogs(vec![spec(0)]));
    gate.wait_for_one();
    let removing = harness.begin(Command::Remove { log: 0 });
    // Behind the removal in the writer's queue: when it is answered, the removal was looked at.
    let other = harness.command(Command::Roll { log: 7 });
    assert_eq!(other.expect_err("not open").code, "UNKNOWN_LOG");
    gate.open();
    assert!(matches!(harness.answer(opening), Ok(Reply::Logs(_))));
    assert_eq!(harness.answer(removing), Ok(Reply::Done));
    let gone = harness.command(Command::Roll { log: 0 });
    assert_eq!(gone.expect_err("removed").code, "UNKNOWN_LOG");
    let folder = Path::new("/data/topic0-0");
    assert!(vfs.metadata(folder).expect("metadata").is_none());
    // Its name is free.
    let mut next = spec(1);
    next.topic = "topic0".into();
    harness.open_logs(&[next]);
    harness.append(1, 0, made(1, 100, 1));
    harness.close();
}

#[test]
fn a_removal_that_fails_leaves_a_log_to_be_opened_again() {
    let vfs = machine();
    let harness = open_on(Arc::new(vfs.clone()));
    harness.open_log(0);
    harness.append(0, 0, made(1, 100, 1));
    vfs.inject(FaultRule::once(
        When::Only(Call::Rename),
        0,
        Fault::Errno(libc::EACCES),
    ));
    let refused = harness.command(Command::Remove { log: 0 });
    assert_eq!(refused.expect_err("refused").code, "EACCES");
    // It was not recovered: nothing may be appended to it as if nothing had happened.
    harness.append_async(0, 1, made(1, 100, 1));
    assert_eq!(harness.sink.failure(0), (StoreCode::WriteFailed, 1));
    assert_eq!(harness.open_log(0).end_offset, 1);
    assert_eq!(harness.command(Command::Remove { log: 0 }), Ok(Reply::Done));
    harness.close();
}

#[test]
fn readers_do_not_wait_while_a_segment_gets_its_blocks() {
    let gate = Arc::new(Gate::default());
    let vfs = StallingVfs {
        sim: machine(),
        gate: Arc::clone(&gate),
    };
    let harness = Arc::new(open_on(Arc::new(vfs)));
    let mut spec = cached(Durability::Fsync);
    spec.config.preallocate = true;
    harness.open_logs(&[spec]);
    harness.append(0, 0, made(1, 3000, 1));
    gate.close(Held::Allocate, ".log");
    harness.append_async(0, 1, made(1, 3000, 1));
    gate.wait_for_one();
    let (located, found) = mpsc::channel();
    let reader = Arc::clone(&harness);
    std::thread::spawn(move || {
        let ready = matches!(reader.store().locate(&want(0, 0, 100)), Located::Ready(_));
        let _ = located.send(ready);
    });
    let ready = found.recv_timeout(Duration::from_secs(30));
    gate.open();
    assert_eq!(ready, Ok(true));
    harness.sink.durable(0, 2);
}

#[test]
fn jitter_and_small_indexes_do_not_give_every_batch_a_segment() {
    let vfs = machine();
    let harness = open_on(Arc::new(vfs));
    let mut jitter = spec(0);
    (jitter.config.segment_ms, jitter.config.segment_jitter_ms) = (100, 100);
    let mut small = spec(1);
    small.config.segment_index_bytes = 4;
    harness.open_logs(&[jitter, small]);
    for log in [0, 1] {
        for offset in 0..4 {
            harness.append(log, offset, made(1, 100, 1 + offset.min(1)));
        }
        assert_eq!(harness.segments(log).len(), 1, "log {log}");
    }
    harness.close();
}

#[test]
fn a_batch_that_inflates_without_end_is_not_searched() {
    let harness = open_on(Arc::new(machine()));
    harness.open_log(0);
    let records = [
        MadeRecord::of(100, &vec![0; 70 << 20]),
        MadeRecord::of(200, b"late"),
    ];
    let bomb = compress(4, &payload(100, &records));
    let mut batch = around(&bomb, 2, 100, 200, 4);
    seal(&mut batch);
    assert!(batch.len() < 100_000, "{}", batch.len());
    harness.append(0, 0, batch);
    let asked = harness.command(Command::FindTimestamp {
        log: 0,
        timestamp: 150,
        limit: i64::MAX,
    });
    assert_eq!(asked.expect_err("too large").code, "CORRUPT");
    harness.close();
}
