//! Locating and reading: boundaries, limits, cold data, damage.

mod batch_maker;
mod store_harness;

use mantou_log_core::*;
use store_harness::*;

/// A closed log of 60 batches of two records in several segments.
fn filled(dir: &TempDir) {
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 40_000;
    harness.open_logs(&[small]);
    for index in 0..60 {
        harness.append_async(0, index * 2, made(2, 1000, 1000 + index));
    }
    harness.sink.durable(0, 120);
    harness.close();
}

fn ready(located: Located) -> Pin {
    match located {
        Located::Ready(pin) => pin,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ranges_begin_with_the_batch_and_end_before_the_limit() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    let size = made(2, 1000, 0).len() as u32;
    for index in 0..50 {
        harness.append_async(0, index * 2, made(2, 1000, 1000 + index));
    }
    harness.sink.durable(0, 100);
    for offset in 0..100 {
        for batches_max in [1, 2, 7, 100] {
            for limit in [offset + 1, offset + 2, offset + 9, 100, 1000] {
                let mut request = want(0, offset, batches_max * size + 10);
                request.limit = limit;
                let first = offset & !1;
                let end = (limit & !1)
                    .min(100)
                    .min(first + 2 * i64::from(batches_max));
                match harness.locate(request) {
                    Located::Empty => assert!(end <= first, "{request:?}"),
                    Located::Ready(pin) => {
                        let found = batches(&pinned(&pin));
                        let expected: Vec<_> = (first..end)
                            .step_by(2)
                            .map(|base| (base, base + 1))
                            .collect();
                        assert_eq!(found, expected, "{request:?}");
                    }
                    other => panic!("{request:?}: {other:?}"),
                }
            }
        }
    }
    // Not even one batch fits: only whoever asks for at least one gets it.
    assert_eq!(ready(harness.locate(want(0, 0, 1))).length, size);
    let mut request = want(0, 0, size - 1);
    request.flags = 0;
    assert!(matches!(harness.locate(request), Located::Empty));
    request.bytes_max = size;
    assert_eq!(ready(harness.locate(request)).length, size);
    assert!(matches!(harness.locate(want(0, 100, 1000)), Located::Empty));
    assert!(matches!(
        harness.locate(want(0, 101, 1000)),
        Located::OutOfRange
    ));
    assert!(matches!(
        harness.locate(want(0, -1, 1000)),
        Located::OutOfRange
    ));
    harness.close();
}

#[test]
fn fresh_data_needs_no_disk_thread() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    for index in 0..20 {
        harness.append(0, index, made(1, 5000, 1));
    }
    let mut offset = 0;
    while offset < 20 {
        let pin = ready(harness.store().locate(&want(0, offset, 20_000)));
        offset = batches(&pinned(&pin)).last().expect("a batch").1 + 1;
    }
    harness.close();
}

#[test]
fn cold_data_is_checked_once_and_then_served_from_memory() {
    let dir = TempDir::new();
    filled(&dir);
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    let mut offset = 0;
    let mut waits = 0;
    while offset < 120 {
        let request = want(0, offset, 10_000);
        if matches!(harness.store().locate(&request), Located::Pending) {
            waits += 1;
            harness.sink.wait("the located range", |seen| {
                let fits = |event: &Event| matches!(event, Event::Located { .. });
                let index = seen.events.iter().position(fits)?;
                Some(seen.events.remove(index))
            });
        }
        // Now that it was read and checked, the same range is there at once.
        let pin = ready(harness.store().locate(&request));
        offset = batches(&pinned(&pin)).last().expect("a batch").1 + 1;
    }
    assert!(waits > 5, "{waits}");
    harness.close();
}

#[test]
fn a_pin_outlives_its_segment() {
    let dir = TempDir::new();
    filled(&dir);
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    let pin = ready(harness.locate(want(0, 0, 1 << 20)));
    let before = pinned(&pin);
    harness.state(Command::Trim { log: 0, start: 120 });
    let folder = dir.path().join("topic0-0");
    until("the deletion", || {
        !files(&folder).iter().any(|name| name.ends_with("deleted"))
    });
    assert_eq!(pinned(&pin), before);
    harness
        .command(Command::Remove { log: 0 })
        .expect("removed");
    assert_eq!(pinned(&pin), before);
    harness.close();
}

#[test]
fn damage_is_refused_and_reported_and_the_rest_is_served() {
    let dir = TempDir::new();
    filled(&dir);
    let size = made(2, 1000, 0).len();
    let path = dir.path().join("topic0-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).expect("log");
    // A payload byte of the batch 4..5, and the header of the batch 12..13.
    bytes[2 * size + 500] ^= 1;
    bytes[6 * size + 16] = 9;
    std::fs::write(&path, bytes).expect("written");
    let harness = Harness::open(dir.path());
    assert_eq!(harness.open_log(0).corrupt_from_offset, None);
    let offsets = |offset, bytes_max| match harness.locate(want(0, offset, bytes_max)) {
        Located::Ready(pin) => batches(&pinned(&pin))
            .iter()
            .map(|batch| batch.0)
            .collect::<Vec<_>>(),
        Located::Corrupt => vec![-1],
        other => panic!("{other:?}"),
    };
    assert_eq!(offsets(0, 1 << 20), [0, 2]);
    assert_eq!(harness.sink.failure(0), (StoreCode::Corrupt, 4));
    assert_eq!(offsets(4, 1 << 20), [-1]);
    assert_eq!(offsets(5, 1 << 20), [-1]);
    assert_eq!(offsets(6, 1 << 20), [6, 8, 10]);
    assert_eq!(offsets(12, 1 << 20), [-1]);
    assert_eq!(offsets(13, 1 << 20), [-1]);
    assert_eq!(offsets(15, 2 * size as u32), [14, 16]);
    let error = harness.command(Command::Read {
        log: 0,
        from: 4,
        bytes_max: 10,
    });
    assert_eq!(error.expect_err("refused").code, "CORRUPT");
    let reports = |event: &Event| matches!(event, Event::LogFailed { .. });
    assert_eq!(harness.sink.count(reports), 2);
    // The log goes on.
    harness.append(0, 120, made(1, 10, 1));
    let rows = match harness.command(Command::ReadHeaders {
        log: 0,
        from: 0,
        rows_max: 10,
    }) {
        Ok(Reply::Headers(rows)) => rows,
        other => panic!("{other:?}"),
    };
    let bases: Vec<f64> = rows.chunks(HEADER_DOUBLES).map(|row| row[0]).collect();
    assert_eq!(
        bases,
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 14.0, 16.0, 18.0, 20.0]
    );
    harness.close();
    // It is remembered.
    let harness = Harness::open(dir.path());
    assert_eq!(harness.open_log(0).corrupt_from_offset, Some(4));
    assert!(matches!(harness.locate(want(0, 5, 10)), Located::Corrupt));
    let state = harness.state(Command::Trim { log: 0, start: 14 });
    assert_eq!(state.corrupt_from_offset, None);
    harness.close();
}

#[test]
fn damaged_and_missing_indexes_are_made_anew() {
    let dir = TempDir::new();
    filled(&dir);
    let folder = dir.path().join("topic0-0");
    let indexes: Vec<String> = files(&folder)
        .into_iter()
        .filter(|name| name.contains("index"))
        .collect();
    assert!(indexes.len() > 5);
    let before: Vec<Vec<u8>> = indexes
        .iter()
        .map(|name| std::fs::read(folder.join(name)).expect("index"))
        .collect();
    for (number, name) in indexes.iter().enumerate() {
        match number % 3 {
            0 => std::fs::remove_file(folder.join(name)).expect("removed"),
            1 => std::fs::write(folder.join(name), [0xff; 24]).expect("written"),
            _ => std::fs::write(folder.join(name), [1; 7]).expect("written"),
        }
    }
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    for offset in 0..120 {
        let found = batches(&harness.bytes(0, offset, 1));
        assert_eq!(found, [(offset & !1, offset | 1)]);
    }
    let find = Command::FindTimestamp {
        log: 0,
        timestamp: 1021,
        limit: 120,
    };
    let position = RecordPosition {
        offset: 41,
        timestamp: 1021,
    };
    assert_eq!(harness.command(find), Ok(Reply::Position(Some(position))));
    // All sealed ones are as they were.
    for (name, before) in indexes.iter().zip(before).take(6) {
        assert_eq!(
            std::fs::read(folder.join(name)).expect("index"),
            before,
            "{name}"
        );
    }
    harness.close();
}

#[test]
fn many_descriptors_are_not_kept_open() {
    let dir = TempDir::new();
    let mut few = options(dir.path());
    few.files_open_max = 16;
    let harness = Harness::open_on(few, std::sync::Arc::new(OsVfs)).expect("opens");
    let specs: Vec<LogSpec> = (0..100).map(spec).collect();
    harness.open_logs(&specs);
    for log in 0..100 {
        harness.append_async(log, 0, made(1, 100, 1));
    }
    for log in 0..100 {
        harness.sink.durable(log, 1);
    }
    for log in 0..100 {
        assert_eq!(batches(&harness.bytes(log, 0, 1)), [(0, 0)]);
    }
    assert!(harness.store().stats().files_open <= 16);
    harness.close();
}
