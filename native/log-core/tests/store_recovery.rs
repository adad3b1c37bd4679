//! What a kill leaves behind, and what is made of it. Power failures are enumerated on the
//! simulated machine (`crash_store.rs`); here the operating system lives on.

mod batch_maker;
mod store_harness;

use std::path::Path;

use mantou_log_core::*;
use store_harness::*;

fn first_log(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("topic0-0/00000000000000000000.log")
}

/// Appends `count` batches of one record and kills the store once they are durable and the
/// durable marks say so.
fn killed(dir: &TempDir, count: i64) -> u64 {
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    for index in 0..count {
        harness.append_async(0, index, made(1, 1000, 1000 + index));
    }
    harness.sink.durable(0, count);
    let marks = dir.path().join("mantou-durable-marks");
    until("the durable mark", || {
        let bytes = std::fs::read(&marks).expect("marks");
        bytes
            .chunks(64)
            .skip(1)
            .any(|slot| slot[24..32] == count.to_be_bytes())
    });
    let mut sizes = [0.0];
    harness.store().sizes(&[0], &mut sizes);
    harness.kill();
    sizes[0] as u64
}

fn extend(path: &Path, bytes: &[u8], at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("log");
    file.write_all_at(bytes, at).expect("written");
}

#[test]
fn a_kill_loses_nothing() {
    let dir = TempDir::new();
    killed(&dir, 30);
    let harness = Harness::open(dir.path());
    assert!(!harness.description.clean);
    assert_eq!(harness.description.logs.len(), 1);
    let state = harness.open_log(0);
    assert_eq!(
        (state.end_offset, state.cut_bytes, state.largest_timestamp),
        (30, 0, 1029)
    );
    assert_eq!(state.corrupt_from_offset, None);
    assert_eq!(batches(&harness.bytes(0, 0, u32::MAX)).len(), 30);
    let epochs = Command::GetFile {
        log: Some(0),
        name: "leader-epoch-checkpoint".into(),
    };
    assert_eq!(
        harness.command(epochs),
        Ok(Reply::File(Some(b"0\n1\n3 0\n".to_vec())))
    );
    harness.append(0, 30, made(1, 10, 5));
    harness.close();
}

#[test]
fn a_torn_tail_is_cut() {
    let torn = made(1, 1000, 5);
    for length in [1, 11, 30, 60, 61, 500, torn.len() - 1] {
        let dir = TempDir::new();
        let end = killed(&dir, 10);
        let mut bytes = torn[..length].to_vec();
        bytes[..8.min(length)].copy_from_slice(&10i64.to_be_bytes()[..8.min(length)]);
        bytes[0] = 1; // So that not all of a short tail is zeros.
        extend(&first_log(&dir), &bytes, end);
        let harness = Harness::open(dir.path());
        let state = harness.open_log(0);
        assert_eq!(state.end_offset, 10);
        // Zeros at its end are not counted.
        assert!(
            (1..=length as u64).contains(&state.cut_bytes),
            "{length}: {state:?}"
        );
        assert_eq!(state.corrupt_from_offset, None);
        assert_eq!(std::fs::metadata(first_log(&dir)).expect("log").len(), end);
        harness.append(0, 10, made(1, 10, 5));
        harness.close();
    }
}

#[test]
fn a_batch_inside_of_a_torn_one_is_not_promoted() {
    let mut torn = made(1, 3000, 5);
    let mut inner = made(1, 100, 5);
    inner[..8].copy_from_slice(&1000i64.to_be_bytes());
    torn[500..500 + inner.len()].copy_from_slice(&inner);
    torn[..8].copy_from_slice(&10i64.to_be_bytes());
    let dir = TempDir::new();
    let end = killed(&dir, 10);
    extend(&first_log(&dir), &torn[..2000], end);
    let harness = Harness::open(dir.path());
    let state = harness.open_log(0);
    assert_eq!((state.end_offset, state.corrupt_from_offset), (10, None));
    assert_eq!(state.cut_bytes, 2000);
    assert_eq!(harness.append(0, 10, made(1, 10, 5)), 11);
    harness.close();
}

#[test]
fn zeros_behind_the_end_are_no_damage() {
    let dir = TempDir::new();
    let end = killed(&dir, 10);
    extend(&first_log(&dir), &[0; 100_000], end);
    let harness = Harness::open(dir.path());
    let state = harness.open_log(0);
    assert_eq!((state.end_offset, state.cut_bytes), (10, 0));
    assert_eq!(std::fs::metadata(first_log(&dir)).expect("log").len(), end);
    harness.close();
}

#[test]
fn a_batch_that_does_not_continue_the_offsets_is_cut() {
    let dir = TempDir::new();
    let end = killed(&dir, 10);
    // Whole and intact, as a recycled file would have it: but from long ago.
    let mut stale = made(1, 1000, 5);
    stale[..8].copy_from_slice(&3i64.to_be_bytes());
    let length = stale.len() as u64;
    extend(&first_log(&dir), &stale, end);
    let harness = Harness::open(dir.path());
    let state = harness.open_log(0);
    assert_eq!(state.end_offset, 10);
    // A zero at its end is not counted.
    assert!(state.cut_bytes + 1 >= length, "{state:?}");
    harness.close();
}

#[test]
fn acknowledged_bytes_that_fail_their_checksum_are_corruption() {
    let size = made(1, 1000, 1).len() as u64;
    // In the middle, with whole batches behind it; and the last one, which the mark covers.
    for (damaged, readable_behind) in [(4, true), (9, false)] {
        let dir = TempDir::new();
        killed(&dir, 10);
        extend(&first_log(&dir), b"damage", damaged * size + 300);
        let harness = Harness::open(dir.path());
        let state = harness.open_log(0);
        assert_eq!(state.corrupt_from_offset, Some(damaged as i64));
        assert_eq!((state.end_offset, state.cut_bytes), (10, 0));
        let before = batches(&harness.bytes(0, 0, u32::MAX));
        assert_eq!(before.len() as u64, damaged);
        assert!(matches!(
            harness.locate(want(0, damaged as i64, 1)),
            Located::Corrupt
        ));
        if readable_behind {
            assert_eq!(
                batches(&harness.bytes(0, damaged as i64 + 1, 1 << 20)).len(),
                5
            );
        }
        harness.append(0, 10, made(1, 10, 5));
        assert_eq!(batches(&harness.bytes(0, 10, 1)), [(10, 10)]);
        harness.kill();
        // Found again, or remembered: never skipped in silence.
        let harness = Harness::open(dir.path());
        let state = harness.open_log(0);
        assert_eq!(state.corrupt_from_offset, Some(damaged as i64));
        assert_eq!(state.end_offset, 11);
        assert_eq!(batches(&harness.bytes(0, 10, 1)), [(10, 10)]);
        harness.close();
        let harness = Harness::open(dir.path());
        assert_eq!(
            harness.open_log(0).corrupt_from_offset,
            Some(damaged as i64)
        );
        assert!(matches!(
            harness.locate(want(0, damaged as i64, 1)),
            Located::Corrupt
        ));
        harness.close();
    }
}

#[test]
fn acknowledged_bytes_that_are_gone_are_told() {
    let dir = TempDir::new();
    let end = killed(&dir, 10);
    let size = end / 10;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(first_log(&dir))
        .expect("log");
    file.set_len(7 * size).expect("cut");
    let harness = Harness::open(dir.path());
    let state = harness.open_log(0);
    // Their offsets are never given to others.
    assert_eq!((state.end_offset, state.corrupt_from_offset), (10, Some(7)));
    assert_eq!(batches(&harness.bytes(0, 0, u32::MAX)).len(), 7);
    assert!(matches!(harness.locate(want(0, 8, 1)), Located::Corrupt));
    harness.append(0, 10, made(1, 10, 5));
    assert_eq!(batches(&harness.bytes(0, 10, 1)), [(10, 10)]);
    harness.close();
}

#[test]
fn only_what_is_behind_the_recovery_point_is_scanned() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 20_000;
    harness.open_logs(&[small.clone()]);
    for index in 0..50 {
        harness.append_async(0, index, made(1, 1000, 1000 + index));
    }
    harness.sink.durable(0, 50);
    assert_eq!(harness.command(Command::Checkpoint), Ok(Reply::Done));
    // Sealing takes a moment; until then a checkpoint must not pass the segments.
    until("the recovery point", || {
        harness.command(Command::Checkpoint).expect("done");
        let text = std::fs::read_to_string(dir.path().join("mantou-checkpoint")).expect("text");
        text.lines()
            .any(|line| line.ends_with("topic0") && line.contains(" 0 0 50 "))
    });
    for index in 50..55 {
        harness.append(0, index, made(1, 1000, 1000 + index));
    }
    harness.kill();
    // Damage below the recovery point is not looked for at the start; it is found when read.
    let size = made(1, 1000, 1).len() as u64;
    extend(&first_log(&dir), b"damage", 3 * size + 300);
    let harness = Harness::open(dir.path());
    let state = harness.open_logs(&[small])[0];
    assert_eq!((state.end_offset, state.corrupt_from_offset), (55, None));
    assert_eq!(state.largest_timestamp, 1054);
    assert!(matches!(harness.locate(want(0, 3, 1)), Located::Corrupt));
    for offset in [0, 1, 2, 4, 20, 40, 49, 50, 53, 54] {
        assert_eq!(batches(&harness.bytes(0, offset, 1)), [(offset, offset)]);
    }
    harness.close();
}

#[test]
fn a_log_that_no_checkpoint_names_is_found() {
    let dir = TempDir::new();
    killed(&dir, 5);
    std::fs::remove_file(dir.path().join("mantou-checkpoint")).expect("removed");
    std::fs::create_dir(dir.path().join("empty-0")).expect("a folder without an owner");
    let harness = Harness::open(dir.path());
    let stored = StoredLog {
        topic: "topic0".into(),
        topic_id: [1; 16],
        partition: 0,
    };
    assert_eq!(harness.description.logs, [stored]);
    assert!(!harness.description.clean);
    assert_eq!(harness.open_log(0).end_offset, 5);
    harness.close();
}

#[test]
fn a_failed_log_is_opened_again_without_a_restart() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    for index in 0..20 {
        harness.append(0, index, made(1, 1000, index));
    }
    harness.append_async(0, 5, made(1, 1000, 1));
    assert_eq!(harness.sink.failure(0), (StoreCode::WriteFailed, 20));
    let state = harness.open_log(0);
    assert_eq!((state.end_offset, state.cut_bytes), (20, 0));
    harness.sink.clear();
    harness.append(0, 20, made(1, 1000, 1));
    assert_eq!(batches(&harness.bytes(0, 0, u32::MAX)).len(), 21);
    harness.close();
}

#[test]
fn hundreds_of_logs_come_back() {
    let dir = TempDir::new();
    let specs: Vec<LogSpec> = (0..100)
        .map(|log| LogSpec {
            partition: log,
            ..spec(0)
        })
        .enumerate()
        .map(|(log, spec)| LogSpec {
            log: log as u32,
            ..spec
        })
        .collect();
    for round in 0..3 {
        let harness = Harness::open(dir.path());
        let states = harness.open_logs(&specs);
        assert!(
            states.iter().all(|state| state.end_offset == round),
            "round {round}"
        );
        for log in 0..100 {
            harness.append_async(log, round, made(1, 100, 1));
        }
        for log in 0..100 {
            harness.sink.durable(log, round + 1);
        }
        match round {
            0 => harness.close(),
            _ => harness.kill(),
        }
    }
    let harness = Harness::open(dir.path());
    assert!(
        harness
            .open_logs(&specs)
            .iter()
            .all(|state| state.end_offset == 3)
    );
    harness.close();
}
