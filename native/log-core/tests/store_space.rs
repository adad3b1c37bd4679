//! Little space: appends are refused before the volume is full, what must go on goes on, and
//! all of it works again without a restart.

mod batch_maker;
mod store_harness;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mantou_log_core::sim::{SimOptions, SimVfs};
use mantou_log_core::vfs::Vfs;
use mantou_log_core::*;
use store_harness::*;

const CAPACITY: u64 = 8 << 20;

fn machine() -> SimVfs {
    let vfs = SimVfs::new(SimOptions {
        capacity: Some(CAPACITY),
        ..SimOptions::default()
    });
    vfs.mkdir(Path::new("/data")).expect("a folder");
    vfs.fsync_dir(Path::new("/")).expect("synced");
    vfs
}

fn open_on(vfs: &SimVfs, reserve_bytes: u64, free_bytes_min: u64) -> Harness {
    let directory = PathBuf::from("/data");
    let options = StoreOptions {
        reserve_bytes,
        free_bytes_min,
        ..options(&directory)
    };
    Harness::open_on(options, Arc::new(vfs.clone())).expect("opens")
}

fn specs() -> [LogSpec; 2] {
    let mut data = spec(0);
    data.config.segment_bytes = 1 << 20;
    let mut metadata = spec(1);
    metadata.topic = "__cluster_metadata".into();
    [data, metadata]
}

fn saw(harness: &Harness, wanted: StoreCode) {
    harness.sink.wait(&format!("{wanted:?}"), |seen| {
        seen.events
            .iter()
            .any(|event| matches!(event, Event::StoreState { code, .. } if *code == wanted))
            .then_some(())
    });
}

/// Appends until the log is refused. Gives its end.
fn fill(harness: &Harness, mut end: i64) -> i64 {
    loop {
        let next = harness.append_async(0, end, made(1, 100_000, 1));
        let is_durable = harness.sink.wait("an outcome", |seen| {
            seen.events.iter().find_map(|event| match event {
                Event::Durable { log: 0, end_offset } if *end_offset >= next => Some(true),
                Event::LogFailed {
                    log: 0,
                    code,
                    offset,
                    ..
                } => {
                    assert_eq!((*code, *offset), (StoreCode::LowSpace, end));
                    Some(false)
                }
                _ => None,
            })
        });
        if !is_durable {
            return end;
        }
        end = next;
    }
}

fn goes_on_and_comes_back(reserve_bytes: u64, free_bytes_min: u64) {
    let vfs = machine();
    let harness = open_on(&vfs, reserve_bytes, free_bytes_min);
    harness.open_logs(&specs());
    let end = fill(&harness, 0);
    assert!(end > 20, "{end}");
    saw(&harness, StoreCode::LowSpace);
    // Reads, metadata and checkpoints go on.
    assert_eq!(batches(&harness.bytes(0, end - 1, 1)), [(end - 1, end - 1)]);
    harness.append(1, 0, made(1, 1000, 1));
    assert_eq!(harness.command(Command::Checkpoint), Ok(Reply::Done));
    let put = Command::PutFile {
        log: None,
        name: "vote".into(),
        bytes: vec![1; 100],
    };
    assert_eq!(harness.command(put), Ok(Reply::Done));
    // What frees space works on the log that was refused.
    let state = harness.state(Command::Trim {
        log: 0,
        start: end - 5,
    });
    assert_eq!(state.start_offset, end - 5);
    saw(&harness, StoreCode::Ok);
    harness.sink.clear();
    let state = harness.open_logs(&specs()[..1])[0];
    assert_eq!((state.start_offset, state.end_offset), (end - 5, end));
    harness.append(0, end, made(1, 100_000, 1));
    assert_eq!(
        vfs.files().contains(&PathBuf::from("/data/mantou-reserve")),
        reserve_bytes > 0
    );
    harness.close();
    let harness = open_on(&vfs, reserve_bytes, free_bytes_min);
    assert_eq!(harness.open_logs(&specs())[0].end_offset, end + 1);
    harness.close();
}

#[test]
fn below_the_floor_appends_are_refused_until_space_is_back() {
    goes_on_and_comes_back(256 << 10, 2 << 20);
}

#[test]
fn a_full_volume_frees_the_reserve() {
    goes_on_and_comes_back(1 << 20, 0);
}

#[test]
fn a_store_that_opens_without_space_says_so() {
    let vfs = machine();
    let harness = open_on(&vfs, 0, CAPACITY + 1);
    saw(&harness, StoreCode::LowSpace);
    harness.open_logs(&specs());
    harness.append_async(0, 0, made(1, 10, 1));
    assert_eq!(harness.sink.failure(0), (StoreCode::LowSpace, 0));
    harness.append(1, 0, made(1, 10, 1));
    vfs.set_capacity(Some(8 * CAPACITY));
    saw(&harness, StoreCode::Ok);
    harness.open_logs(&specs()[..1]);
    harness.append(0, 0, made(1, 10, 1));
    harness.close();
}
