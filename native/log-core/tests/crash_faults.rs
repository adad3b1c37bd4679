//! Fails every call of a scripted life in turn: nothing may be acknowledged that is not durable,
//! nothing acknowledged may be lost, and nothing may panic or wait for ever.
//!
//! `MANTOU_LONG=1` fails every call; without it, a spread of them.

mod batch_maker;
mod crash_harness;

use std::sync::{Arc, Mutex};

use crash_harness::life::{append, life, live_watched, put};
use crash_harness::{
    Ledger, Removal, Running, Setup, Step, assert_no_panics, check, end_on_disk, fresh,
};
use mantou_log_core::sim::{Call, Fault, FaultRule, SimOptions, SimVfs, When};
use mantou_log_core::vfs::{OpenMode, Vfs};
use mantou_log_core::{Flush, LogId, StoreCode};

fn is_long() -> bool {
    std::env::var_os("MANTOU_LONG").is_some_and(|value| value == "1")
}

fn machine(seed: u64, capacity: Option<u64>) -> SimVfs {
    fresh(SimVfs::new(SimOptions {
        seed,
        capacity,
        ..SimOptions::default()
    }))
}

/// A durable end as it was acknowledged, and what a power failure at that moment would leave.
struct Acknowledged {
    log: LogId,
    end: i64,
    disk: SimVfs,
}

/// How often `call` happens in a life without faults.
fn calls_in_life(setup: &Setup, when: When) -> u64 {
    let vfs = machine(0, None);
    // A rule that never changes anything counts for us.
    vfs.inject(FaultRule::from(when, 0, Fault::Short(usize::MAX)));
    let watch = |_: LogId, _: i64| {};
    live_watched(&vfs, setup, &mut Ledger::default(), &life(), watch).expect("a life");
    assert_no_panics("a life without faults");
    vfs.faults_met()
}

fn fail_each(setup: &Setup, when: When, fault: Fault, forever: bool, stride: u64) {
    let calls = calls_in_life(setup, when);
    let stride = if is_long() { 1 } else { stride };
    for nth in (0..calls).step_by(stride as usize) {
        let context = format!("{fault:?} at {when:?} {nth} of {calls}, forever: {forever}");
        let vfs = machine(nth, None);
        let rule = FaultRule::once(when, nth, fault);
        vfs.inject(FaultRule { forever, ..rule });
        let acknowledged: Arc<Mutex<Vec<Acknowledged>>> = Arc::default();
        let (seen, disk) = (Arc::clone(&acknowledged), vfs.clone());
        let watch = move |log, end| {
            let disk = disk.survivors(0, 1).remove(0);
            seen.lock().unwrap().push(Acknowledged { log, end, disk });
        };
        let mut ledger = Ledger::default();
        let stopped = live_watched(&vfs, setup, &mut ledger, &life(), watch);
        assert_no_panics(&context);
        if matches!(fault, Fault::Short(_)) {
            stopped.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
        for moment in acknowledged.lock().unwrap().iter() {
            let end = end_on_disk(&moment.disk, &setup.folder(moment.log));
            assert!(
                end >= moment.end,
                "{context}: log {} acknowledged to {} but on the disk to {end}\n{:#?}",
                moment.log,
                moment.end,
                vfs.trace(),
            );
        }
        vfs.clear_faults();
        for (index, survivor) in vfs.survivors(nth, 4).iter().enumerate() {
            let context = format!("{context}, survivor {index}\n{:#?}", vfs.trace());
            let checked = check(survivor, setup, &mut ledger.clone(), &context).map(drop);
            checked.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
        let killed = vfs.after_kill();
        let checked = check(
            &killed,
            setup,
            &mut ledger.clone(),
            &format!("{context}, killed"),
        );
        drop(checked.unwrap_or_else(|error| panic!("{context}, killed: {error:?}")));
        assert_no_panics(&context);
    }
}

fn once(setup: &Setup, call: Call, errno: i32, stride: u64) {
    fail_each(setup, When::Only(call), Fault::Errno(errno), false, stride);
}

fn forever(setup: &Setup, call: Call, errno: i32, stride: u64) {
    fail_each(setup, When::Only(call), Fault::Errno(errno), true, stride);
}

#[test]
fn short_writes_and_reads_are_continued() {
    let setup = Setup::default();
    for bytes in [1, 700] {
        fail_each(
            &setup,
            When::Only(Call::Write),
            Fault::Short(bytes),
            false,
            5,
        );
    }
    fail_each(
        &setup,
        When::Only(Call::Write),
        Fault::Short(1000),
        true,
        40,
    );
    fail_each(&setup, When::Only(Call::Read), Fault::Short(3), false, 5);
}

#[test]
fn a_failed_write_acknowledges_nothing() {
    let setup = Setup::default();
    once(&setup, Call::Write, libc::EIO, 3);
    once(&setup, Call::Write, libc::ENOSPC, 5);
    forever(&setup, Call::Write, libc::EIO, 9);
    once(&setup, Call::WriteZeros, libc::EIO, 1);
    once(&setup, Call::WriteZeros, libc::ENOSPC, 1);
    once(&setup, Call::Allocate, libc::ENOSPC, 1);
}

#[test]
fn a_failed_flush_acknowledges_nothing_ever_after() {
    for flush in [Flush::Auto, Flush::Pool, Flush::Syncfs] {
        let setup = Setup {
            flush,
            ..Setup::default()
        };
        for call in [
            Call::Fsync,
            Call::Fdatasync,
            Call::SyncRange,
            Call::Syncfs,
            Call::FsyncDir,
        ] {
            once(&setup, call, libc::EIO, 3);
        }
    }
}

#[test]
fn a_failed_change_of_names_loses_nothing() {
    let setup = Setup::default();
    for call in [
        Call::Create,
        Call::Rename,
        Call::Unlink,
        Call::Mkdir,
        Call::Rmdir,
    ] {
        once(&setup, call, libc::EIO, 3);
        once(&setup, call, libc::ENOSPC, 7);
    }
    once(&setup, Call::Create, libc::EMFILE, 3);
    once(&setup, Call::Truncate, libc::EIO, 1);
}

#[test]
fn a_failed_look_loses_nothing() {
    let setup = Setup::default();
    for call in [
        Call::Open,
        Call::Read,
        Call::Len,
        Call::Metadata,
        Call::ReadDir,
        Call::Volume,
    ] {
        once(&setup, call, libc::EIO, 9);
    }
    once(&setup, Call::Open, libc::EMFILE, 9);
    once(&setup, Call::Map, libc::ENOMEM, 1);
    once(&setup, Call::Lock, libc::EIO, 1);
}

#[test]
fn a_full_volume_refuses_appends_and_serves_again_when_there_is_room() {
    let setup = Setup::default();
    for room in [0, 4096, 20_000, 60_000] {
        let context = format!("{room} bytes of room");
        let vfs = machine(room, None);
        let mut ledger = Ledger::default();
        let mut running = Running::start(&vfs, &setup).expect("a store");
        for log in setup.all_logs() {
            ledger.log(log);
        }
        running.open_logs(&setup.all_logs()).expect("logs");
        for step in [
            append(0, 3, 3, 900),
            Step::Durable { log: 0 },
            append(1, 1, 1, 100),
        ] {
            running.step(&mut ledger, &step).expect("there is room");
        }
        running
            .step(&mut ledger, &Step::Durable { log: 1 })
            .expect("there is room");
        vfs.set_capacity(Some(vfs.used_bytes() + room));
        let mut refused = false;
        for _ in 0..40 {
            running
                .step(&mut ledger, &append(0, 1, 4, 2000))
                .expect("appends only enqueue");
            if running
                .step(&mut ledger, &Step::Durable { log: 0 })
                .is_err()
            {
                refused = true;
                break;
            }
        }
        assert!(refused, "{context}: 320 KB were taken");
        assert_no_panics(&context);
        let codes: Vec<StoreCode> = running.sink.failures().iter().map(|f| f.1).collect();
        assert!(
            !codes.contains(&StoreCode::SyncFailed),
            "{context}: {codes:?}"
        );
        // Metadata and deletes still work.
        for step in [
            put(None, "raft-state", "term 3"),
            Step::Checkpoint,
            Step::Remove { log: 1 },
        ] {
            let done = running.step(&mut ledger, &step);
            done.unwrap_or_else(|error| panic!("{context}: {step:?}: {error:?}"));
        }
        assert_eq!(ledger.log(1).removal, Removal::Yes);
        // And writes go on without a restart.
        vfs.set_capacity(None);
        running.sink.well();
        running.sink.clear_failures();
        let states = running.open_logs(&[0]);
        let states = states.unwrap_or_else(|error| panic!("{context}: re-open: {error:?}"));
        let bytes = running.read_all(0, &states[0]).expect("readable");
        ledger.log(0).compare(&states[0], &bytes, &context);
        for step in [append(0, 2, 2, 2000), Step::Durable { log: 0 }] {
            let done = running.step(&mut ledger, &step);
            done.unwrap_or_else(|error| panic!("{context}: {step:?}: {error:?}"));
        }
        drop(running);
        for survivor in vfs.survivors(room, 6) {
            let checked = check(&survivor, &setup, &mut ledger.clone(), &context).map(drop);
            checked.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
        assert_no_panics(&context);
    }
}

#[test]
fn what_recovery_shows_after_a_failed_flush_is_really_on_the_disk() {
    // After a failed flush Linux has the bytes in memory, marked clean: whoever reads them back,
    // flushes again and believes it, has been lied to.
    let setup = Setup::default();
    for nth in 0..6 {
        let vfs = machine(nth, None);
        let mut ledger = Ledger::default();
        let call = When::Only(Call::Fdatasync);
        vfs.inject(FaultRule::once(call, nth + 4, Fault::Errno(libc::EIO)));
        let _ = live_watched(&vfs, &setup, &mut ledger, &life(), |_, _| {});
        if vfs.faults_met() == 0 {
            continue;
        }
        let killed = vfs.after_kill();
        let context = format!("failed flush {nth}, killed");
        if nth % 2 == 1 {
            // Killed between the two calls that leave the marker.
            let path = std::path::Path::new("/data/mantou-sync-failed");
            let marker = killed.open(path, OpenMode::ReadWrite).expect("a marker");
            marker.truncate(0).expect("emptied");
        }
        let checked = check(&killed, &setup, &mut ledger, &context).map(drop);
        checked.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let lost = &killed.survivors(nth, 1)[0];
        let context = format!("{context}, lost power");
        let checked = check(lost, &setup, &mut ledger, &context).map(drop);
        checked.unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
}
