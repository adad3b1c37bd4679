//! Every verb of the store, on real files.

mod batch_maker;
mod store_harness;

use mantou_log_core::batch::BatchView;
use mantou_log_core::index::{OffsetEntries, TimeEntries};
use mantou_log_core::*;
use store_harness::*;

#[test]
fn a_log_without_data_has_no_file() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    assert!(harness.description.clean);
    let state = harness.open_log(0);
    assert_eq!(
        (
            state.start_offset,
            state.end_offset,
            state.largest_timestamp
        ),
        (0, 0, -1)
    );
    assert!(files(&dir.path().join("topic0-0")).is_empty());
    assert!(matches!(
        harness.store().locate(&want(0, 0, 100)),
        Located::Empty
    ));
    assert!(matches!(
        harness.store().locate(&want(0, 1, 100)),
        Located::OutOfRange
    ));
    assert!(matches!(
        harness.store().locate(&want(9, 0, 100)),
        Located::Unavailable
    ));
    harness.close();
}

#[test]
fn what_is_appended_is_patched_and_read_back() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    assert_eq!(harness.append(0, 0, made(3, 100, 1000)), 3);
    assert_eq!(harness.append(0, 3, made(2, 100, 2000)), 5);
    let written = |event: &Event| matches!(event, Event::Written { log: 0, .. });
    assert_eq!(harness.sink.count(written), 2);
    let bytes = harness.bytes(0, 0, u32::MAX);
    assert_eq!(batches(&bytes), [(0, 2), (3, 4)]);
    let first = BatchView::parse(&bytes).expect("a batch");
    assert_eq!(first.header.leader_epoch, 3);
    let Located::Ready(pin) = harness.store().locate(&want(0, 4, 1)) else {
        panic!("not ready")
    };
    assert_eq!(batches(&pinned(&pin)), [(3, 4)]);
    assert!(pin.raw_fd().is_some());
    assert_eq!(
        files(&dir.path().join("topic0-0")),
        ["00000000000000000000.log", "partition.metadata"]
    );
    let metadata = std::fs::read_to_string(dir.path().join("topic0-0/partition.metadata"));
    assert_eq!(
        metadata.expect("text"),
        "version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"
    );
    let mut sizes = [0.0; 2];
    harness.store().sizes(&[0, 7], &mut sizes);
    assert_eq!(sizes, [bytes.len() as f64, 0.0]);
    harness.close();
}

#[test]
fn log_append_time_is_set_and_the_checksum_redone() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    harness.append_with(0, 0, made(2, 10, 5), append_flag::LOG_APPEND_TIME);
    harness.sink.durable(0, 2);
    let bytes = harness.bytes(0, 0, 1000);
    let view = BatchView::parse(&bytes).expect("a batch");
    assert!(view.is_intact() && view.header.is_log_append_time());
    assert_eq!(view.header.max_timestamp, 77_000);
    assert_eq!(
        harness
            .sink
            .count(|event| matches!(event, Event::Written { .. })),
        0
    );
    harness.close();
}

#[test]
fn a_restart_after_a_clean_stop_scans_nothing_and_finds_everything() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    assert_eq!(
        harness.command(Command::Format {
            cluster_id: "cluster".into(),
            node_id: 4
        }),
        Ok(Reply::Done)
    );
    let directory_id = harness.description.directory_id;
    harness.open_logs(&[spec(0), spec(1)]);
    for index in 0..40 {
        harness.append_async(0, index * 2, made(2, 2000, 1000 + index * 10));
    }
    harness.sink.durable(0, 80);
    harness.close();

    // Cut to length, so that others can read it; no marks are left behind.
    let folder = dir.path().join("topic0-0");
    let length = std::fs::metadata(folder.join("00000000000000000000.log"))
        .expect("log")
        .len();
    let harness = Harness::open(dir.path());
    assert!(harness.description.clean);
    assert_eq!(harness.description.cluster_id.as_deref(), Some("cluster"));
    assert_eq!(harness.description.node_id, Some(4));
    assert_eq!(harness.description.directory_id, directory_id);
    let stored = StoredLog {
        topic: "topic0".into(),
        topic_id: [1; 16],
        partition: 0,
    };
    assert_eq!(harness.description.logs, [stored]);
    let state = harness.open_logs(&[spec(0), spec(1)])[0];
    assert_eq!((state.start_offset, state.end_offset), (0, 80));
    assert_eq!(state.largest_timestamp, 1391);
    assert_eq!(state.cut_bytes, 0);
    let bytes = harness.bytes(0, 0, u32::MAX);
    assert_eq!(bytes.len() as u64, length);
    assert_eq!(batches(&bytes).len(), 40);
    assert_eq!(batches(&harness.bytes(0, 61, 1)), [(60, 61)]);
    // Goes on where it ended.
    harness.append(0, 80, made(1, 100, 5000));
    assert_eq!(batches(&harness.bytes(0, 80, 1)), [(80, 80)]);
    harness.close();

    // The index files are Kafka's: offsets at positions of batches, timestamps with offsets.
    let log = std::fs::read(folder.join("00000000000000000000.log")).expect("log");
    let index = std::fs::read(folder.join("00000000000000000000.index")).expect("index");
    let entries = OffsetEntries::new(0, &index);
    assert!(entries.check(log.len() as u64).is_ok() && entries.len() > 5);
    for number in 0..entries.len() {
        let entry = entries.get(number);
        let view = BatchView::parse(&log[entry.position as usize..]).expect("a batch");
        assert_eq!(view.header.last_offset(), entry.offset);
    }
    let times = std::fs::read(folder.join("00000000000000000000.timeindex")).expect("times");
    let times = TimeEntries::new(0, &times);
    assert!(times.check(80).is_ok());
    assert_eq!(
        times.last().map(|entry| (entry.timestamp, entry.offset)),
        Some((5000, 80))
    );
}

#[test]
fn segments_roll_by_size_time_and_command() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut by_time = spec(1);
    by_time.config.segment_ms = 1000;
    let mut by_size = spec(0);
    by_size.config.segment_bytes = 10_000;
    harness.open_logs(&[by_size, by_time, spec(2)]);
    for index in 0..10 {
        harness.append(0, index, made(1, 3000, 1));
    }
    let bases: Vec<i64> = harness.segments(0).iter().map(|s| s.base_offset).collect();
    assert_eq!(bases, [0, 3, 6, 9]);
    for (offset, timestamp) in [(0, 5000), (1, 5900), (2, 6000), (3, 6001), (4, 6500)] {
        harness.append(1, offset, made(1, 10, timestamp));
    }
    let segments = harness.segments(1);
    let bases: Vec<i64> = segments.iter().map(|s| s.base_offset).collect();
    assert_eq!(bases, [0, 3]);
    assert_eq!(segments[0].largest_timestamp, 6000);
    assert_eq!(harness.state(Command::Roll { log: 2 }).end_offset, 0);
    assert!(harness.segments(2).is_empty());
    harness.append(2, 0, made(4, 10, 1));
    harness.command(Command::Roll { log: 2 }).expect("rolled");
    harness
        .command(Command::Roll { log: 2 })
        .expect("nothing to roll");
    assert_eq!(harness.segments(2).len(), 2);
    assert_eq!(
        batches(&harness.bytes(0, 0, 1 << 20)),
        [(0, 0), (1, 1), (2, 2)]
    );
    assert_eq!(batches(&harness.bytes(0, 5, 1)), [(5, 5)]);
    harness.close();
    let harness = Harness::open(dir.path());
    let states = harness.open_logs(&[spec(0), spec(1), spec(2)]);
    assert_eq!(
        states.iter().map(|s| s.end_offset).collect::<Vec<_>>(),
        [10, 5, 4]
    );
    // Every segment can be read from its middle, sealed indexes included.
    for offset in 0..10 {
        assert_eq!(batches(&harness.bytes(0, offset, 1)), [(offset, offset)]);
    }
    harness.append(2, 4, made(1, 10, 1));
    harness.close();
}

#[test]
fn truncation_cuts_at_a_batch_and_the_log_goes_on() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 10_000;
    harness.open_logs(&[small.clone()]);
    for index in 0..10 {
        harness.append(0, index * 2, made(2, 1500, 100 + index));
    }
    let state = harness.state(Command::Truncate { log: 0, end: 100 });
    assert_eq!(state.end_offset, 20);
    // In the middle of a batch: the batch goes whole.
    let state = harness.state(Command::Truncate { log: 0, end: 15 });
    assert_eq!((state.start_offset, state.end_offset), (0, 14));
    assert_eq!(state.largest_timestamp, 107);
    assert!(matches!(
        harness.store().locate(&want(0, 15, 1)),
        Located::OutOfRange
    ));
    harness.sink.clear();
    harness.append(0, 14, made(1, 5, 900));
    assert_eq!(
        batches(&harness.bytes(0, 13, 1 << 20)),
        [(12, 13), (14, 14)]
    );
    // Across segments.
    let state = harness.state(Command::Truncate { log: 0, end: 4 });
    assert_eq!((state.end_offset, state.largest_timestamp), (4, 102));
    assert_eq!(harness.segments(0).len(), 1);
    harness.sink.clear();
    harness.append(0, 4, made(1, 5, 900));
    harness.kill();
    let harness = Harness::open(dir.path());
    let state = harness.open_logs(&[small])[0];
    assert_eq!(
        (state.start_offset, state.end_offset, state.cut_bytes),
        (0, 5, 0)
    );
    assert_eq!(state.corrupt_from_offset, None);
    // Below the start: nothing is left, the log begins anew.
    let state = harness.state(Command::Truncate { log: 0, end: 0 });
    assert_eq!((state.start_offset, state.end_offset), (0, 0));
    harness.append(0, 0, made(1, 5, 1));
    assert_eq!(batches(&harness.bytes(0, 0, 100)), [(0, 0)]);
    harness.close();
}

#[test]
fn trimming_is_durable_and_frees_whole_segments() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 10_000;
    harness.open_logs(&[small.clone()]);
    for index in 0..10 {
        harness.append(0, index, made(1, 3000, 1));
    }
    let state = harness.state(Command::Trim { log: 0, start: 7 });
    assert_eq!((state.start_offset, state.end_offset), (7, 10));
    let bases: Vec<i64> = harness.segments(0).iter().map(|s| s.base_offset).collect();
    assert_eq!(bases, [6, 9]);
    assert!(matches!(
        harness.store().locate(&want(0, 6, 1)),
        Located::OutOfRange
    ));
    assert_eq!(batches(&harness.bytes(0, 7, 1)), [(7, 7)]);
    let error = harness
        .command(Command::Trim { log: 0, start: 11 })
        .expect_err("refused");
    assert_eq!(error.code, "OUT_OF_RANGE");
    assert_eq!(
        harness
            .state(Command::Trim { log: 0, start: 3 })
            .start_offset,
        7
    );
    let folder = dir.path().join("topic0-0");
    until("the deletion", || {
        !files(&folder).iter().any(|name| name.ends_with("deleted"))
    });
    harness.kill();
    let harness = Harness::open(dir.path());
    let state = harness.open_logs(&[small])[0];
    assert_eq!((state.start_offset, state.end_offset), (7, 10));
    assert_eq!(
        harness
            .state(Command::Trim { log: 0, start: 10 })
            .start_offset,
        10
    );
    harness.close();
    let harness = Harness::open(dir.path());
    let state = harness.open_log(0);
    assert_eq!((state.start_offset, state.end_offset), (10, 10));
    harness.close();
}

#[test]
fn retention_deletes_by_time_and_by_size() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 10_000;
    let mut other = small.clone();
    (other.log, other.topic, other.topic_id) = (1, "other".into(), [2; 16]);
    harness.open_logs(&[small, other]);
    for index in 0..10 {
        harness.append(0, index, made(1, 3000, 1000 + index * 100));
        harness.append(1, index, made(1, 3000, 1000 + index * 100));
    }
    let retain = |log, retention_ms, retention_bytes, limit, now_ms| {
        let command = Command::Retain {
            log,
            retention_ms,
            retention_bytes,
            limit,
            now_ms,
        };
        harness.state(command).start_offset
    };
    assert_eq!(retain(0, -1, -1, 10, i64::MAX), 0);
    // Segments 0..2 (to 1200) and 3..5 (to 1500) are older than 500 ms at 2001, 6..8 is not.
    assert_eq!(retain(0, 500, -1, 10, 2001), 6);
    assert_eq!(retain(0, 500, -1, 7, 1_000_000), 6);
    // All of it has expired: the segment that is written to is rolled first.
    assert_eq!(retain(0, 500, -1, 10, 1_000_000), 10);
    assert_eq!(harness.segments(0).len(), 1);
    assert_eq!(retain(0, 500, -1, 10, 1_000_000), 10);
    harness.append(0, 10, made(1, 10, 1));
    let total: u64 = harness
        .segments(1)
        .iter()
        .map(|segment| segment.bytes)
        .sum();
    assert_eq!(retain(1, -1, total as i64 - 1, 10, 0), 0);
    assert_eq!(retain(1, -1, total as i64 - 9400, 10, 0), 3);
    assert_eq!(retain(1, -1, 0, 8, 0), 6);
    harness.close();
    let harness = Harness::open(dir.path());
    let mut second = spec(1);
    second.topic = "other".into();
    let states = harness.open_logs(&[spec(0), second]);
    assert_eq!((states[0].start_offset, states[0].end_offset), (10, 11));
    assert_eq!((states[1].start_offset, states[1].end_offset), (6, 10));
    harness.close();
}

#[test]
fn a_removed_log_is_gone_and_its_name_is_free() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    harness.append(0, 0, made(1, 100, 1));
    let Located::Ready(pin) = harness.locate(want(0, 0, 100)) else {
        panic!("not ready")
    };
    assert_eq!(harness.command(Command::Remove { log: 0 }), Ok(Reply::Done));
    assert!(!dir.path().join("topic0-0").exists());
    assert_eq!(batches(&pinned(&pin)), [(0, 0)]);
    let error = harness
        .command(Command::Roll { log: 0 })
        .expect_err("refused");
    assert_eq!(error.code, "UNKNOWN_LOG");
    let mut again = spec(5);
    again.topic = "topic0".into();
    assert_eq!(harness.open_logs(&[again.clone()])[0].end_offset, 0);
    harness.append(5, 0, made(1, 10, 1));
    until("the deletion", || {
        !files(dir.path())
            .iter()
            .any(|name| name.ends_with("-delete"))
    });
    // The folder of another topic of that name is not taken over.
    let mut stranger = again;
    (stranger.log, stranger.topic_id) = (6, [9; 16]);
    let error = harness
        .command(Command::OpenLogs(vec![stranger]))
        .expect_err("refused");
    assert_eq!(error.code, "TOPIC_ID");
    harness.close();
}

#[test]
fn records_are_found_by_timestamp() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 20_000;
    harness.open_logs(&[small]);
    for index in 0..30 {
        // Three records a batch, ten milliseconds a batch; batch 20 is far ahead of its time.
        let timestamp = if index == 20 { 9000 } else { 1000 + index * 10 };
        harness.append(0, index * 3, made(3, 800, timestamp));
    }
    assert!(harness.segments(0).len() > 2);
    let find = |timestamp, limit| match harness.command(Command::FindTimestamp {
        log: 0,
        timestamp,
        limit,
    }) {
        Ok(Reply::Position(found)) => found.map(|found| (found.offset, found.timestamp)),
        other => panic!("{other:?}"),
    };
    assert_eq!(find(0, 90), Some((0, 1000)));
    assert_eq!(find(1001, 90), Some((1, 1001)));
    assert_eq!(find(1003, 90), Some((3, 1010)));
    assert_eq!(find(1190, 90), Some((57, 1190)));
    assert_eq!(find(1193, 90), Some((60, 9000)));
    assert_eq!(find(2000, 90), Some((60, 9000)));
    assert_eq!(find(9002, 90), Some((62, 9002)));
    assert_eq!(find(9002, 62), None);
    assert_eq!(find(9003, 90), None);
    let max = |limit| match harness.command(Command::FindMaxTimestamp { log: 0, limit }) {
        Ok(Reply::Position(found)) => found.map(|found| (found.offset, found.timestamp)),
        other => panic!("{other:?}"),
    };
    assert_eq!(max(90), Some((62, 9002)));
    assert_eq!(max(61), Some((60, 9000)));
    assert_eq!(max(60), Some((59, 1192)));
    assert_eq!(max(0), None);
    harness.state(Command::Trim { log: 0, start: 63 });
    assert_eq!(find(0, 90), Some((63, 1210)));
    assert_eq!(max(90), Some((89, 1292)));
    harness.close();
}

#[test]
fn headers_come_as_rows() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut small = spec(0);
    small.config.segment_bytes = 5000;
    harness.open_logs(&[small]);
    for index in 0..6 {
        harness.append(0, index * 2, made(2, 1000, 50 + index));
    }
    let rows = |from, rows_max| match harness.command(Command::ReadHeaders {
        log: 0,
        from,
        rows_max,
    }) {
        Ok(Reply::Headers(rows)) => rows,
        other => panic!("{other:?}"),
    };
    let all = rows(0, 100);
    assert_eq!(all.len(), 6 * HEADER_DOUBLES);
    assert_eq!(all[..8], [0.0, 1.0, 51.0, -1.0, -1.0, -1.0, 0.0, 3.0]);
    assert_eq!(rows(3, 2)[0], 2.0);
    assert_eq!(rows(3, 2).len(), 2 * HEADER_DOUBLES);
    assert_eq!(rows(11, 100)[0], 10.0);
    assert!(rows(12, 100).is_empty());
    harness.close();
}

#[test]
fn small_files_are_put_listed_and_removed() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    for log in [None, Some(0)] {
        let put = |name: &str, bytes: &[u8]| {
            let (name, bytes) = (name.to_owned(), bytes.to_vec());
            harness.command(Command::PutFile { log, name, bytes })
        };
        let get = |name: &str| match harness.command(Command::GetFile {
            log,
            name: name.to_owned(),
        }) {
            Ok(Reply::File(bytes)) => bytes,
            other => panic!("{other:?}"),
        };
        assert_eq!(get("state"), None);
        assert_eq!(put("state", b"one"), Ok(Reply::Done));
        assert_eq!(put("00000000000000000003.snapshot", b""), Ok(Reply::Done));
        assert_eq!(put("state", b"two"), Ok(Reply::Done));
        assert_eq!(get("state").as_deref(), Some(&b"two"[..]));
        let names = vec![
            "00000000000000000003.snapshot".to_owned(),
            "state".to_owned(),
        ];
        assert_eq!(
            harness.command(Command::ListFiles { log }),
            Ok(Reply::Names(names))
        );
        let remove = || {
            harness.command(Command::RemoveFile {
                log,
                name: "state".to_owned(),
            })
        };
        assert_eq!(remove(), Ok(Reply::Done));
        assert_eq!(remove(), Ok(Reply::Done));
        assert_eq!(get("state"), None);
        for name in ["../x", "", ".lock", "a/b", "partition.metadata.tmp"] {
            assert_eq!(
                put(name, b"x").expect_err("refused").code,
                "INVALID",
                "{name}"
            );
        }
    }
    // The log's folder says whose it is, and the log still begins at 0.
    assert_eq!(harness.append(0, 0, made(1, 1, 1)), 1);
    let epochs = Command::GetFile {
        log: Some(0),
        name: "leader-epoch-checkpoint".into(),
    };
    assert_eq!(
        harness.command(epochs),
        Ok(Reply::File(Some(b"0\n1\n3 0\n".to_vec())))
    );
    harness.close();
}

#[test]
fn groups_and_passes_are_counted() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    harness.open_log(0);
    for offset in 0..3 {
        harness.append(0, offset, made(1, 1000, 1));
    }
    let stats = harness.store().stats();
    let count = |histogram: HistogramCounts| histogram.buckets.iter().sum::<u64>();
    assert_eq!(stats.groups_total, 3);
    assert_eq!(count(stats.flush_micros), 3);
    assert_eq!(
        (count(stats.group_batches), stats.group_batches.sum),
        (3, 3)
    );
    assert_eq!(stats.group_bytes.sum, stats.appended_bytes_total);
    assert_eq!(stats.locates_total, 0);
    harness.locate(want(0, 0, 3));
    assert_eq!(harness.store().stats().locates_total, 1);
    harness.close();
}

#[test]
fn page_cache_logs_are_called_durable_when_written() {
    let dir = TempDir::new();
    let harness = Harness::open(dir.path());
    let mut cached = spec(0);
    cached.config.durability = Durability::PageCache;
    harness.open_logs(&[cached]);
    harness.append(0, 0, made(1, 1000, 1));
    assert_eq!(harness.store().stats().groups_total, 0);
    assert!(harness.store().stats().appended_bytes_total > 1000);
    assert_eq!(harness.command(Command::Checkpoint), Ok(Reply::Done));
    harness.append(0, 1, made(1, 1000, 1));
    harness.kill();
    let harness = Harness::open(dir.path());
    assert_eq!(harness.open_log(0).end_offset, 2);
    harness.close();
}
