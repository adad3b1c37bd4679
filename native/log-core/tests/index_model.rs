//! Indexes against a plain list of entries, and sealed index files.

use std::path::Path;
use std::sync::Arc;

use mantou_log_core::index::{
    Damage, IndexCache, IndexError, OffsetEntries, OffsetIndex, SegmentKey, TimeEntries, TimeIndex,
};
use mantou_log_core::sim::{Call, Fault, FaultRule, SimVfs, When};
use mantou_log_core::vfs::{Vfs, write_file};
use proptest::prelude::*;

const BASE: i64 = 5_000_000_000;

/// Ascending (offset, position) and (timestamp, offset) pairs from steps.
fn rising(steps: &[(u16, u16)]) -> Vec<(i64, u64)> {
    let mut at = (BASE, 0);
    let step = |step: &(u16, u16)| {
        at = (at.0 + i64::from(step.0) + 1, at.1 + u64::from(step.1) + 1);
        at
    };
    steps.iter().map(step).collect()
}

fn steps() -> impl Strategy<Value = Vec<(u16, u16)>> {
    prop::collection::vec((0u16..50, 0u16..5000), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn offset_lookups_follow_the_model(steps in steps(), cut in 0i64..3000) {
        let model = rising(&steps);
        let mut index = OffsetIndex::new(BASE, 1 << 20);
        for (offset, position) in &model {
            index.append(*offset, *position).unwrap();
        }
        prop_assert_eq!(index.bytes().len(), model.len() * 8);
        let segment_bytes = model.last().map_or(0, |last| last.1 + 1);
        index.entries().check(segment_bytes).unwrap();
        for probe in (BASE - 2..BASE + 3100).step_by(7) {
            let found = index.lookup(probe);
            let wanted = model.iter().rev().find(|entry| entry.0 <= probe).copied();
            prop_assert_eq!((found.offset, u64::from(found.position)), wanted.unwrap_or((BASE, 0)));
        }
        for probe in (0u32..100_000).step_by(997) {
            let found = index.entries().first_at_position(probe).map(|entry| entry.offset);
            let wanted = model.iter().find(|entry| entry.1 >= u64::from(probe));
            prop_assert_eq!(found, wanted.map(|entry| entry.0));
        }
        let bytes = index.bytes().to_vec();
        let mut read = OffsetIndex::from_bytes(BASE, bytes, 1 << 20, segment_bytes).unwrap();
        read.truncate_to(BASE + cut);
        let left = model.iter().filter(|entry| entry.0 < BASE + cut).count();
        prop_assert_eq!(read.entries().len(), left);
        prop_assert_eq!(read.bytes(), &index.bytes()[..left * 8]);
    }

    #[test]
    fn time_lookups_follow_the_model(
        appends in prop::collection::vec((-100i64..3000, 0i64..20), 0..60),
        cut in 0i64..1000,
    ) {
        let mut index = TimeIndex::new(BASE, 1 << 20);
        let mut model: Vec<(i64, i64)> = Vec::new();
        let mut offset = BASE;
        for (timestamp, step) in appends {
            offset += step;
            let rises = timestamp > model.last().map_or(-1, |last| last.0);
            prop_assert_eq!(index.maybe_append(timestamp, offset, false).unwrap(), rises);
            if rises {
                model.push((timestamp, offset));
            }
        }
        index.entries().check(offset).unwrap();
        for probe in (-200i64..3100).step_by(13) {
            let found = index.lookup(probe);
            let wanted = model.iter().rev().find(|entry| entry.0 <= probe).copied();
            prop_assert_eq!((found.timestamp, found.offset), wanted.unwrap_or((-1, BASE)));
        }
        let bytes = index.bytes().to_vec();
        let mut read = TimeIndex::from_bytes(BASE, bytes, 1 << 20, offset).unwrap();
        read.truncate_to(BASE + cut);
        let left = model.iter().filter(|entry| entry.1 < BASE + cut).count();
        prop_assert_eq!(read.bytes(), &index.bytes()[..left * 12]);
    }

    #[test]
    fn any_bytes_can_be_checked_and_searched(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let offsets = OffsetEntries::new(BASE, &bytes);
        let sound = offsets.check(1 << 31);
        let times = TimeEntries::new(BASE, &bytes);
        let _ = times.check(i64::MAX);
        for probe in [i64::MIN, -1, 0, BASE - 1, BASE, BASE + 77, i64::MAX] {
            let entry = offsets.lookup(probe);
            prop_assert!(sound.is_err() || entry.offset <= probe.max(BASE));
            let _ = (times.lookup(probe), offsets.first_at_position(probe as u32));
        }
        let _ = OffsetIndex::from_bytes(BASE, bytes.clone(), 80, 1000);
        let _ = TimeIndex::from_bytes(BASE, bytes, 80, BASE + 5);
    }
}

#[test]
fn the_bytes_are_apaches() {
    let mut offsets = OffsetIndex::new(BASE, 100);
    offsets.append(BASE + 258, 4112).unwrap();
    assert_eq!(offsets.bytes(), [0, 0, 1, 2, 0, 0, 16, 16]);
    let mut times = TimeIndex::new(BASE, 100);
    assert!(
        times
            .maybe_append(0x0102_0304_0506, BASE + 258, false)
            .unwrap()
    );
    assert_eq!(times.bytes(), [0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 1, 2]);
}

#[test]
fn entries_that_do_not_fit_are_refused() {
    let mut offsets = OffsetIndex::new(BASE, 20);
    assert!(matches!(
        offsets.append(BASE - 1, 0),
        Err(IndexError::Range)
    ));
    assert!(matches!(
        offsets.append(BASE + (1 << 31), 0),
        Err(IndexError::Range)
    ));
    assert!(matches!(
        offsets.append(i64::MAX, 0),
        Err(IndexError::Range)
    ));
    assert!(matches!(
        offsets.append(BASE, 1 << 31),
        Err(IndexError::Range)
    ));
    offsets.append(BASE + 5, 10).unwrap();
    assert!(matches!(
        offsets.append(BASE + 5, 20),
        Err(IndexError::Order)
    ));
    assert!(matches!(
        offsets.append(BASE + 6, 10),
        Err(IndexError::Order)
    ));
    offsets.append(BASE + (1 << 31) - 1, (1 << 31) - 1).unwrap();
    assert!(offsets.is_full());
    assert!(matches!(
        offsets.append(BASE + (1 << 31) - 1, 1),
        Err(IndexError::Full)
    ));
    let mut times = TimeIndex::new(BASE, 36);
    assert!(matches!(
        times.maybe_append(1, BASE - 1, false),
        Err(IndexError::Range)
    ));
    assert!(times.maybe_append(10, BASE + 5, false).unwrap());
    assert!(!times.maybe_append(10, BASE + 6, false).unwrap());
    assert!(matches!(
        times.maybe_append(11, BASE + 4, false),
        Err(IndexError::Order)
    ));
    assert!(times.maybe_append(11, BASE + 5, false).unwrap());
    // The last place is for the entry that seals the segment.
    assert!(matches!(
        times.maybe_append(12, BASE + 6, false),
        Err(IndexError::Full)
    ));
    assert!(times.maybe_append(12, BASE + 6, true).unwrap());
}

#[test]
fn damage_is_named() {
    let entry =
        |relative: i32, position: i32| [relative.to_be_bytes(), position.to_be_bytes()].concat();
    let check = |bytes: &[u8]| OffsetEntries::new(BASE, bytes).check(1000);
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&entry(0, 0)), Ok(()));
    assert_eq!(check(&entry(1, 2)[..7]), Err(Damage::Size));
    assert_eq!(check(&entry(-1, 2)), Err(Damage::Range));
    assert_eq!(check(&entry(1, 1000)), Err(Damage::Range));
    assert_eq!(
        check(&[entry(1, 2), entry(1, 3)].concat()),
        Err(Damage::Order)
    );
    assert_eq!(
        check(&[entry(1, 2), entry(2, 2)].concat()),
        Err(Damage::Order)
    );
    // What a file system leaves that extended a file without its data.
    assert_eq!(check(&[0; 16]), Err(Damage::Order));
    let entry = |timestamp: i64, relative: i32| {
        [&timestamp.to_be_bytes()[..], &relative.to_be_bytes()[..]].concat()
    };
    let check = |bytes: &[u8]| TimeEntries::new(BASE, bytes).check(BASE + 9);
    assert_eq!(
        check(&[entry(5, 2), entry(6, 2), entry(7, 9)].concat()),
        Ok(())
    );
    assert_eq!(check(&entry(5, 2)[..11]), Err(Damage::Size));
    assert_eq!(check(&entry(5, 10)), Err(Damage::Range));
    assert_eq!(
        check(&[entry(5, 2), entry(5, 3)].concat()),
        Err(Damage::Order)
    );
    assert_eq!(
        check(&[entry(5, 2), entry(6, 1)].concat()),
        Err(Damage::Order)
    );
    assert_eq!(check(&[0; 24]), Err(Damage::Order));
}

fn index_file(vfs: &SimVfs, name: &str, entries: i64) -> std::path::PathBuf {
    let mut index = OffsetIndex::new(BASE, 1 << 24);
    for step in 0..entries {
        index
            .append(BASE + step * 3 + 2, step as u64 * 4096)
            .unwrap();
    }
    let path = Path::new("/data").join(name);
    write_file(vfs, &path, index.bytes()).unwrap();
    path
}

#[test]
fn sealed_indexes_are_opened_on_demand_and_closed_by_age() {
    let vfs = SimVfs::default();
    vfs.mkdir(Path::new("/data")).unwrap();
    let cache = IndexCache::new(Arc::new(vfs.clone()), 3, 1 << 20);
    let key = |log: u32| SegmentKey {
        log,
        base_offset: BASE,
    };
    // The last is large enough to be mapped.
    let paths: Vec<_> = (0..5i64)
        .map(|log| index_file(&vfs, &format!("{log}.index"), 10 + log * 3000))
        .collect();
    for log in 0..3 {
        assert!(cache.peek_offsets(key(log)).is_none());
        let index = cache
            .open_offsets(key(log), &paths[log as usize], u64::MAX)
            .unwrap();
        assert_eq!(index.entries().lookup(BASE + 8).position, 2 * 4096);
    }
    assert_eq!(cache.stats().indexes, 3);
    // 0 is used, so 1 is the oldest.
    assert!(cache.peek_offsets(key(0)).is_some());
    let held = cache.peek_offsets(key(2)).unwrap();
    cache.open_offsets(key(3), &paths[3], u64::MAX).unwrap();
    cache.open_offsets(key(4), &paths[4], u64::MAX).unwrap();
    let open: Vec<u32> = (0..5)
        .filter(|log| cache.peek_offsets(key(*log)).is_some())
        .collect();
    assert_eq!(open, [2, 3, 4]);
    let expected = (6010 + 9010 + 12010) * 8;
    assert_eq!(cache.stats().bytes, expected);
    // What is in use stays readable after it was closed.
    cache.forget(key(2));
    cache.forget_log(3);
    assert_eq!(held.entries().len(), 6010);
    assert_eq!(cache.stats().indexes, 1);
    assert!(cache.peek_times(key(4)).is_none());
    cache.forget_log(4);
    assert_eq!((cache.stats().indexes, cache.stats().bytes), (0, 0));
}

#[test]
fn the_byte_bound_holds_and_one_index_always_fits() {
    let vfs = SimVfs::default();
    vfs.mkdir(Path::new("/data")).unwrap();
    let cache = IndexCache::new(Arc::new(vfs.clone()), 100, 1000);
    let key = |log: u32| SegmentKey {
        log,
        base_offset: BASE,
    };
    for log in 0..4u32 {
        let path = index_file(
            &vfs,
            &format!("{log}.index"),
            if log == 3 { 500 } else { 50 },
        );
        cache.open_offsets(key(log), &path, u64::MAX).unwrap();
        let expected = [400, 800, 800, 4000][log as usize];
        assert_eq!(cache.stats().bytes, expected);
    }
    assert_eq!(cache.stats().indexes, 1);
}

#[test]
fn damaged_missing_and_unreadable_files_are_told_apart() {
    let vfs = SimVfs::default();
    vfs.mkdir(Path::new("/data")).unwrap();
    let cache = IndexCache::new(Arc::new(vfs.clone()), 10, 1 << 20);
    let key = SegmentKey {
        log: 1,
        base_offset: BASE,
    };
    let path = index_file(&vfs, "1.index", 100);
    let missing = cache.open_offsets(key, Path::new("/data/2.index"), 1 << 30);
    assert!(missing.is_err_and(|error| error.wants_rebuild()));
    // The segment is shorter than the index says.
    let short = cache.open_offsets(key, &path, 50 * 4096);
    assert!(short.is_err_and(|error| error.wants_rebuild()));
    assert!(vfs.corrupt(&path, 8 * 50, 0x80));
    let corrupt = cache.open_offsets(key, &path, 1 << 30);
    assert!(corrupt.is_err_and(|error| error.wants_rebuild()));
    assert!(vfs.corrupt(&path, 8 * 50, 0x80));
    vfs.inject(FaultRule::once(
        When::Only(Call::Read),
        0,
        Fault::Errno(libc::EIO),
    ));
    let unreadable = cache.open_offsets(key, &path, 1 << 30);
    assert!(unreadable.is_err_and(|error| !error.wants_rebuild()));
    assert_eq!(cache.stats().indexes, 0);
    assert!(cache.open_offsets(key, &path, 1 << 30).is_ok());
    let times = cache.open_times(key, &path, BASE + 1000);
    assert!(times.is_err_and(|error| error.wants_rebuild()));
}
