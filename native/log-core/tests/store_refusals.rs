//! What the store refuses, and how it says so.

mod batch_maker;
mod store_harness;

use mantou_log_core::*;
use store_harness::*;

#[test]
fn another_broker_is_told_that_the_directory_is_taken() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let again = Harness::open_on(options(dir.path()), std::sync::Arc::new(OsVfs));
    assert_eq!(again.err().expect("refused").code, "LOCKED");
    harness.close();
    Harness::open(dir.path()).close();
}

#[test]
fn a_foreign_directory_is_refused() {
    let dir = TempDir::new();
    Harness::open(dir.path()).close();
    let path = dir.path().join("mantou-checkpoint");
    let text = std::fs::read_to_string(&path).expect("text");
    std::fs::write(&path, text.replace("version: 1", "version: 2")).expect("written");
    let refused = Harness::open_on(options(dir.path()), std::sync::Arc::new(OsVfs));
    assert_eq!(refused.err().expect("refused").code, "FORMAT");
    std::fs::write(&path, text.replace("clean: 1", "clean: 0")).expect("written");
    let refused = Harness::open_on(options(dir.path()), std::sync::Arc::new(OsVfs));
    assert_eq!(refused.err().expect("refused").code, "CORRUPT");
    std::fs::write(dir.path().join("file"), "").expect("written");
    let inside = options(&dir.path().join("file"));
    let refused = Harness::open_on(inside, std::sync::Arc::new(OsVfs));
    assert!(["ENOTDIR", "EEXIST"].contains(&refused.err().expect("refused").code.as_str()));
}

#[test]
fn a_directory_behind_a_link_to_nowhere_is_refused() {
    let dir = TempDir::new();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).expect("a link");
    let refused = Harness::open_on(options(&link.join("data")), std::sync::Arc::new(OsVfs));
    assert_eq!(refused.err().expect("refused").code, "ENOENT");
}

#[test]
fn refusals_are_answers() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    let error = harness
        .command(Command::OpenLogs(vec![spec(0)]))
        .expect_err("refused");
    assert_eq!(error.code, "INVALID");
    let mut bad = spec(1);
    bad.topic = "../up".into();
    let error = harness
        .command(Command::OpenLogs(vec![bad]))
        .expect_err("refused");
    assert_eq!(error.code, "INVALID");
    // Not open.
    harness.append_async(42, 0, made(1, 1, 1));
    assert_eq!(harness.sink.failure(42).0, StoreCode::Closed);
    // Does not continue the log: the log goes offline, and with it all that is queued.
    harness.append(0, 0, made(2, 1, 1));
    harness.append_async(0, 1, made(1, 1, 1));
    assert_eq!(harness.sink.failure(0), (StoreCode::WriteFailed, 2));
    harness.append_async(0, 2, made(1, 1, 1));
    let error = harness
        .command(Command::Roll { log: 0 })
        .expect_err("refused");
    assert_eq!(error.code, "OFFLINE");
    let state = harness.open_log(0);
    assert_eq!(state.end_offset, 2);
    harness.sink.clear();
    harness.append(0, 2, made(1, 1, 1));
    harness.close();
}

#[test]
fn what_was_written_is_durable_before_the_failure_is_told() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    let row = |base_offset, batch| AppendRow {
        log: 0,
        payload: Box::new(batch),
        base_offset,
        leader_epoch: 0,
        flags: 0,
        now_ms: 0,
    };
    // The third does not continue the log.
    let mut rows = vec![
        row(0, made(1, 100, 1)),
        row(1, made(1, 100, 1)),
        row(0, made(1, 100, 1)),
        row(2, made(1, 100, 1)),
    ];
    harness.store().append(&mut rows);
    assert_eq!(harness.sink.failure(0), (StoreCode::WriteFailed, 2));
    let durable = |event: &Event| {
        matches!(
            event,
            Event::Durable {
                log: 0,
                end_offset: 2
            }
        )
    };
    assert_eq!(harness.sink.count(durable), 1);
    assert_eq!(harness.open_log(0).end_offset, 2);
    harness.close();
}
