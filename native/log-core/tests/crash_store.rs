//! Stops the machine in every mutating call of a scripted life of a store, and compares every way
//! in which the disk may be left with what had been promised.
//!
//! `MANTOU_LONG=1` looks at every crash point of every variant with more survivors; without it, a
//! spread of them that changes nothing about what is checked.

mod batch_maker;
mod crash_harness;

use crash_harness::life::{append, life, live};
use crash_harness::{Ledger, Setup, Step, assert_no_panics, check, fresh};
use mantou_log_core::Flush;
use mantou_log_core::sim::{SimOptions, SimVfs};

fn is_long() -> bool {
    std::env::var_os("MANTOU_LONG").is_some_and(|value| value == "1")
}

fn machine(seed: u64, file_system: &str) -> SimVfs {
    let single_device = matches!(file_system, "ext4" | "xfs");
    let file_system = file_system.to_owned();
    fresh(SimVfs::new(SimOptions {
        seed,
        file_system,
        single_device,
        ..SimOptions::default()
    }))
}

/// Recovers a survivor, goes on with it, kills it, and recovers it again.
fn check_twice(vfs: &SimVfs, setup: &Setup, ledger: &Ledger, context: &str) {
    let mut ledger = ledger.clone();
    let opened = check(vfs, setup, &mut ledger, context);
    let mut running = opened.unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let mut again = ledger.clone();
    // A kill right after recovery: the page cache is there, nothing more was written.
    let killed = vfs.after_kill();
    let second = check(&killed, setup, &mut again, &format!("{context}, again"));
    drop(second.unwrap_or_else(|error| panic!("{context}, again: {error:?}")));
    for log in ledger.live() {
        assert_eq!(
            again.log(log).end,
            ledger.log(log).end,
            "{context}: recovery repeats itself"
        );
        for step in [append(log, 2, 2, 300), Step::Durable { log }] {
            let done = running.step(&mut ledger, &step);
            done.unwrap_or_else(|error| panic!("{context}, {step:?}: {error:?}"));
        }
    }
    drop(running);
    let lost = &vfs.survivors(1, 1)[0];
    let third = check(
        lost,
        setup,
        &mut ledger,
        &format!("{context}, went on, lost power"),
    );
    drop(third.unwrap_or_else(|error| panic!("{context}, went on: {error:?}")));
    assert_no_panics(context);
}

fn enumerate(setup: &Setup, file_system: &str, stride: u64, survivors: usize) {
    let vfs = machine(0, file_system);
    let mut ledger = Ledger::default();
    live(&vfs, setup, &mut ledger, &life()).expect("the life without a crash");
    assert_no_panics("without a crash");
    let calls = vfs.mutating_calls();
    check_twice(&vfs.after_kill(), setup, &ledger, "killed at the end");
    assert!(calls > 50, "only {calls} mutating calls");
    let mut crashes = 0;
    for nth in (2..calls + 20).step_by(stride as usize) {
        let vfs = machine(nth, file_system);
        let start = vfs.mutating_calls();
        vfs.crash_at(nth - start.min(nth));
        let mut ledger = Ledger::default();
        let stopped = live(&vfs, setup, &mut ledger, &life());
        crashes += u64::from(vfs.has_crashed());
        if stopped.is_err() && !vfs.has_crashed() {
            panic!("stopped by itself at {nth}: {stopped:?} {:#?}", vfs.trace());
        }
        assert_no_panics(&format!("crash at {nth}"));
        // The last way to go on is the machine itself, whose processes were killed.
        let mut machines = vfs.survivors(nth, survivors);
        machines.push(vfs.after_kill());
        for (index, survivor) in machines.iter().enumerate() {
            let context = format!("{file_system}, crash at {nth}, survivor {index}");
            let tail = vfs.trace();
            let tail = &tail[tail.len().saturating_sub(12)..];
            let context = format!("{context}\n{tail:#?}\n{stopped:?}");
            check_twice(survivor, setup, &ledger, &context);
        }
    }
    assert!(crashes > 5, "{crashes} crashes");
}

fn amount(short: (u64, usize), long: (u64, usize)) -> (u64, usize) {
    if is_long() { long } else { short }
}

#[test]
fn every_crash_point_keeps_the_promises_with_one_flush_per_group() {
    let (stride, survivors) = amount((7, 5), (1, 24));
    enumerate(&Setup::default(), "ext4", stride, survivors);
}

#[test]
fn every_crash_point_keeps_the_promises_with_a_flush_per_file() {
    let (stride, survivors) = amount((17, 4), (1, 12));
    let setup = Setup {
        flush: Flush::Pool,
        ..Setup::default()
    };
    enumerate(&setup, "btrfs", stride, survivors);
}

#[test]
fn every_crash_point_keeps_the_promises_with_syncfs() {
    let (stride, survivors) = amount((23, 4), (1, 12));
    let setup = Setup {
        flush: Flush::Syncfs,
        ..Setup::default()
    };
    enumerate(&setup, "ext4", stride, survivors);
}

#[test]
fn recovery_may_crash_at_every_call_too() {
    let setup = Setup::default();
    let (stride, count) = amount((113, 2), (5, 8));
    let vfs = machine(0, "ext4");
    live(&vfs, &setup, &mut Ledger::default(), &life()).expect("the life without a crash");
    for nth in (5..vfs.mutating_calls()).step_by(stride as usize) {
        let vfs = machine(nth, "ext4");
        vfs.crash_at(nth);
        let mut ledger = Ledger::default();
        let _ = live(&vfs, &setup, &mut ledger, &life());
        for (index, survivor) in vfs.survivors(nth, count).into_iter().enumerate() {
            recover_with_crashes(&survivor, &setup, &ledger, &format!("at {nth}, {index}"));
        }
    }
}

/// A folder whose names survived and whose data did not, not even the one that says whose it is:
/// the start that finds it is killed, and the next one must not take its own boot for proof.
#[test]
fn a_start_that_is_killed_leaves_the_judgement_to_the_next() {
    let setup = Setup::default();
    let vfs = machine(25, "ext4");
    vfs.crash_at(25);
    let mut ledger = Ledger::default();
    let _ = live(&vfs, &setup, &mut ledger, &life());
    let survivor = &vfs.survivors(25, 8)[5];
    recover_with_crashes(survivor, &setup, &ledger, "a folder without an owner");
}

fn recover_with_crashes(survivor: &SimVfs, setup: &Setup, ledger: &Ledger, context: &str) {
    let whole = survivor.after_kill();
    let done = check(&whole, setup, &mut ledger.clone(), context).map(drop);
    done.unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let calls = whole.mutating_calls();
    for second in 0..calls {
        let vfs = survivor.after_kill();
        vfs.crash_at(second);
        let context = format!("{context}, recovery crashed at {second} of {calls}");
        let mut ledger = ledger.clone();
        // What a recovery that got through has shown is a promise, so its ledger counts.
        let mut shown = ledger.clone();
        if let Ok(running) = check(&vfs, setup, &mut shown, &context) {
            drop(running);
            ledger = shown;
        }
        let mut machines = vfs.survivors(second, 4);
        machines.push(vfs.after_kill());
        for (index, vfs) in machines.iter().enumerate() {
            check_twice(vfs, setup, &ledger, &format!("{context}, survivor {index}"));
        }
    }
}
