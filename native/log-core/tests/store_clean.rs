//! Compaction, rule by rule, on real files.

mod batch_maker;
mod clean_harness;
mod store_harness;

use clean_harness::bench::{Bench, small};
use clean_harness::{Model, clean, clean_spec, read_all};
use mantou_log_core::batch::attribute;
use mantou_log_core::*;
use store_harness::{Harness, batches, files, pinned, until, want};

const TIME: i64 = 1_000_000;

#[test]
fn the_newest_record_of_each_key_stays_with_its_offset() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))]);
    bench.put(&[("c", Some("1"))]);
    bench.put(&[("a", Some("3")), ("d", Some("1"))]);
    bench.roll();
    bench.put(&[("c", Some("newest, but in the segment that is written to"))]);
    let outcome = bench.clean_at(0, TIME);
    assert_eq!(outcome.clean_end, 6);
    assert_eq!((outcome.keys, outcome.records_removed), (4, 2));
    assert!(!outcome.is_map_full);
    assert_eq!(bench.offsets(), [1, 3, 4, 5, 6]);
    // From inside of a gap the next record is found.
    let bytes = bench.store.bytes(0, 2, 1);
    assert_eq!(batches(&bytes), [(0, 2)]);
    let headers = bench.store.command(Command::ReadHeaders {
        log: 0,
        from: 0,
        rows_max: 100,
    });
    let Ok(Reply::Headers(rows)) = headers else {
        panic!("{headers:?}")
    };
    let bases: Vec<f64> = rows.chunks(HEADER_DOUBLES).map(|row| row[0]).collect();
    assert_eq!(bases, [0.0, 3.0, 4.0, 6.0]);
    bench.store.close();
}

#[test]
fn every_codec_is_read_and_written_again() {
    for codec in 0..=4 {
        let mut bench = Bench::new();
        for round in 0..5 {
            let value = format!("value {round} ").repeat(30);
            let records: Vec<(String, &str)> = (0..10)
                .map(|key| (format!("key {}", (key + round) % 12), value.as_str()))
                .collect();
            let records: Vec<(&str, Option<&str>)> = records
                .iter()
                .map(|(key, value)| (key.as_str(), Some(*value)))
                .collect();
            bench.put_as(&records, codec, None);
        }
        bench.roll();
        let outcome = bench.clean_at(0, TIME);
        assert_eq!(outcome.clean_end, 50);
        let read = bench.read();
        bench
            .model
            .check_clean(&read, 50, &format!("codec {codec}"));
        let rewritten = read.iter().find(|batch| !batch.records.is_empty());
        let attributes = rewritten.expect("a batch").attributes;
        assert_eq!(attributes & attribute::CODEC_MASK, codec);
        bench.store.close();
    }
}

#[test]
fn a_tombstone_stays_until_its_horizon_has_passed() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1"))]);
    bench.put(&[("a", None), ("b", Some("2"))]);
    bench.roll();
    bench.clean_at(0, TIME);
    assert_eq!(bench.offsets(), [2, 3]);
    let read = bench.read();
    let batch = read
        .iter()
        .find(|batch| batch.base_offset == 2)
        .expect("it");
    assert_ne!(batch.attributes & attribute::DELETE_HORIZON, 0);
    assert_eq!(batch.base_timestamp, TIME + 1000);
    // The next run needs something to clean; the horizon is not moved.
    bench.put(&[("c", Some("1"))]);
    bench.roll();
    bench.clean_at(4, TIME + 999);
    assert_eq!(bench.offsets(), [2, 3, 4]);
    bench.put(&[("c", Some("2"))]);
    bench.roll();
    bench.clean_at(5, TIME + 1000);
    assert_eq!(bench.offsets(), [3, 5]);
    bench.store.close();
}

#[test]
fn aborted_records_go_and_their_marker_follows() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("good"))]);
    bench.put_as(&[("a", Some("aborted"))], 0, Some((7, true)));
    bench.put_as(&[("b", Some("committed"))], 3, Some((8, true)));
    bench.mark(7, false);
    bench.mark(8, true);
    bench.put_as(&[("c", Some("open"))], 0, Some((9, true)));
    bench.roll();
    assert_eq!(bench.model.stable_end(), 5);
    let outcome = bench.clean_at(0, TIME);
    assert_eq!(outcome.clean_end, 5);
    assert_eq!(bench.offsets(), [0, 2, 5]);
    let markers = |bench: &Bench| -> Vec<i64> {
        let read = bench.read();
        let markers = read.iter().filter(|batch| batch.marker.is_some());
        markers.map(|batch| batch.base_offset).collect()
    };
    assert_eq!(markers(&bench), [3, 4]);
    bench.mark(9, true);
    bench.roll();
    // Nothing of 7 is left: its marker gets a horizon, and goes when that has passed.
    bench.clean_at(5, TIME);
    assert_eq!(markers(&bench), [3, 4, 6]);
    bench.put(&[("x", Some("1"))]);
    bench.roll();
    bench.clean_at(7, TIME + 1000);
    assert_eq!(markers(&bench), [4, 6]);
    bench.store.close();
}

#[test]
fn a_marker_behind_the_limit_decides_all_the_same() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("good"))]);
    bench.put_as(&[("a", Some("aborted"))], 0, Some((7, true)));
    bench.put(&[("b", Some("1"))]);
    bench.roll();
    bench.mark(7, false);
    let outcome = bench.clean_at(0, TIME);
    assert_eq!(outcome.clean_end, 3);
    assert_eq!(bench.offsets(), [0, 2]);
    bench.store.close();
}

#[test]
fn an_open_transaction_is_not_touched_whatever_the_caller_says() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2"))]);
    bench.put_as(&[("a", Some("open"))], 0, Some((7, true)));
    bench.put(&[("a", Some("3"))]);
    bench.roll();
    let spec = clean_spec(0, bench.model.end, TIME);
    let outcome = clean(&bench.store, 0, spec).expect("cleans");
    assert_eq!(outcome.clean_end, 2);
    assert_eq!(bench.offsets(), [1, 2, 3]);
    bench.store.close();
}

#[test]
fn a_live_producer_keeps_its_last_batch_as_a_header() {
    let mut bench = Bench::new();
    bench.put_as(&[("a", Some("1"))], 0, Some((5, false)));
    bench.put_as(&[("b", Some("1")), ("a", Some("2"))], 4, Some((5, false)));
    bench.put_as(&[("a", Some("1"))], 0, Some((6, false)));
    bench.put(&[("a", Some("3")), ("b", Some("2"))]);
    bench.roll();
    let mut spec = clean_spec(0, bench.model.end, TIME);
    spec.producers = vec![LiveProducer {
        producer_id: 5,
        producer_epoch: 0,
        last_offset: 2,
    }];
    clean(&bench.store, 0, spec).expect("cleans");
    let read = bench.read();
    let bases: Vec<i64> = read.iter().map(|batch| batch.base_offset).collect();
    assert_eq!(bases, [1, 4]);
    let header = &read[0];
    assert_eq!((header.last_offset, header.producer_id), (2, 5));
    assert_eq!((header.base_sequence, header.base_timestamp), (1, -1));
    assert!(header.records.is_empty());
    bench.store.close();
}

#[test]
fn memory_that_runs_out_ends_a_run_early_and_the_next_goes_on() {
    let mut bench = Bench::new();
    for round in 0..40 {
        let keys: Vec<String> = (0..10).map(|key| format!("{}", round * 5 + key)).collect();
        let records: Vec<(&str, Option<&str>)> = keys
            .iter()
            .map(|key| (key.as_str(), Some("value")))
            .collect();
        bench.put(&records);
    }
    bench.roll();
    let (mut first_dirty, mut runs) = (0, 0);
    while first_dirty < bench.model.end {
        let mut spec = clean_spec(first_dirty, bench.model.end, TIME);
        spec.map_bytes = 24 * 40;
        let outcome = clean(&bench.store, 0, spec).expect("cleans");
        assert!(outcome.clean_end > first_dirty && outcome.keys <= 36);
        assert_eq!(outcome.is_map_full, outcome.clean_end < bench.model.end);
        first_dirty = outcome.clean_end;
        runs += 1;
        let read = bench.read();
        bench.model.check_clean(&read, first_dirty, "a part");
    }
    assert!(runs >= 5, "{runs} runs");
    let map_bytes = bench.store.store().stats().cleaner.last_map_bytes;
    assert!(map_bytes <= 24 * 40, "{map_bytes}");
    bench.store.close();
}

#[test]
fn small_segments_become_one_and_indexes_are_right() {
    let mut bench = Bench::new();
    for round in 0..12 {
        let value = format!("{round:02}").repeat(300);
        bench.put(&[
            ("a", Some(&value)),
            ("b", Some(&value)),
            ("c", Some(&value)),
        ]);
        bench.put(&[(&format!("only {round}"), Some(&value))]);
        bench.roll();
    }
    let before = bench.store.segments(0).len();
    assert_eq!(before, 13);
    let outcome = bench.clean_at(0, TIME);
    assert!(outcome.bytes_after < outcome.bytes_before);
    let once = bench.store.segments(0).len();
    // What is small now is put together by the next run.
    bench.put(&[("z", Some("1"))]);
    bench.roll();
    bench.clean_at(48, TIME);
    let twice = bench.store.segments(0).len();
    assert!(once <= before && twice < once, "{before}, {once}, {twice}");
    for offset in bench.offsets() {
        let record = bench.model.records[&offset].clone();
        let found = bench.store.command(Command::FindTimestamp {
            log: 0,
            timestamp: record.timestamp,
            limit: i64::MAX,
        });
        let position = RecordPosition {
            offset,
            timestamp: record.timestamp,
        };
        assert_eq!(found, Ok(Reply::Position(Some(position))));
        let bytes = bench.store.bytes(0, offset, 1);
        assert!(batches(&bytes)[0].0 <= offset && offset <= batches(&bytes)[0].1);
    }
    let end = bench.model.end;
    let found = bench
        .store
        .command(Command::FindMaxTimestamp { log: 0, limit: end });
    assert!(matches!(found, Ok(Reply::Position(Some(found))) if found.offset == end - 1));
    bench.store.close();
}

#[test]
fn readers_with_a_pin_go_on_and_old_files_go() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2"))]);
    bench.put(&[("a", Some("3"))]);
    bench.roll();
    bench.put(&[("b", Some("1"))]);
    let Located::Ready(pin) = bench.store.locate(want(0, 0, 1 << 20)) else {
        panic!("not located")
    };
    let before = pinned(&pin);
    assert_eq!(batches(&before), [(0, 1), (2, 2)]);
    bench.clean_at(0, TIME);
    assert_eq!(pinned(&pin), before);
    drop(pin);
    let Located::Ready(pin) = bench.store.locate(want(0, 0, 1 << 20)) else {
        panic!("not located")
    };
    assert_eq!(batches(&pinned(&pin)), [(2, 2)]);
    let folder = bench.directory.path().join("topic0-0");
    until("old files to go", || {
        files(&folder)
            .iter()
            .all(|name| !name.ends_with(".deleted") && !name.contains(".swap"))
    });
    bench.store.close();
}

#[test]
fn a_damaged_segment_is_left_alone_and_others_go_on() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1"))]);
    bench.put(&[("a", Some("2"))]);
    bench.roll();
    bench.store.command(Command::Checkpoint).expect("written");
    let path = bench
        .directory
        .path()
        .join("topic0-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).expect("a segment");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).expect("written");
    let refused = clean(&bench.store, 0, clean_spec(0, 2, TIME)).expect_err("damaged");
    assert_eq!(refused.code, "CORRUPT");
    assert_eq!(std::fs::read(&path).expect("there"), bytes);
    assert_eq!(bench.store.store().stats().cleaner.failures_total, 1);
    bench.store.open_logs(&[small(1)]);
    let mut other = Model::default();
    let made = other.batch(&[("x", Some("1")), ("x", Some("2"))], TIME, 0, None);
    bench.store.append(1, 0, made.bytes);
    bench.store.state(Command::Roll { log: 1 });
    let outcome = clean(&bench.store, 1, clean_spec(0, 2, TIME)).expect("cleans");
    assert_eq!(outcome.records_removed, 1);
    bench.store.close();
}

#[test]
fn a_payload_beyond_the_bound_is_not_inflated() {
    let mut bench = Bench::new();
    let value = "v".repeat(100_000);
    bench.put_as(&[("a", Some(&value)), ("a", Some("2"))], 4, None);
    bench.roll();
    let mut spec = clean_spec(0, 2, TIME);
    spec.inflated_bytes_max = 50_000;
    let refused = clean(&bench.store, 0, spec).expect_err("too large");
    assert_eq!(refused.code, "CORRUPT");
    assert_eq!(bench.offsets(), [0, 1]);
    bench.store.close();
}

#[test]
fn what_was_cleaned_is_there_after_a_restart_and_goes_with_retention() {
    let mut bench = Bench::new();
    for round in 0..30 {
        let value = format!("{round} ").repeat(100);
        bench.put(&[
            ("a", Some(&value)),
            (&format!("k{}", round % 7), Some(&value)),
        ]);
    }
    bench.roll();
    bench.clean_at(0, TIME);
    let offsets = bench.offsets();
    let Bench {
        store,
        directory,
        model,
    } = bench;
    store.close();
    let store = Harness::open(directory.path());
    let state = store.open_logs(&[small(0)])[0];
    assert_eq!((state.start_offset, state.end_offset), (0, 60));
    let read = read_all(&store, 0, 0).expect("readable");
    model.check(&read, "after a restart");
    let found: Vec<i64> = read
        .iter()
        .flat_map(|batch| batch.records.iter().map(|record| record.offset))
        .collect();
    assert_eq!(found, offsets);
    let kept = store.state(Command::Retain {
        log: 0,
        retention_ms: -1,
        retention_bytes: 0,
        limit: 60,
        now_ms: TIME,
    });
    assert_eq!(kept.start_offset, 60);
    store.close();
}
