//! What is fuzzed: each target takes any bytes and must neither panic, hang nor allocate by what
//! they claim. The same functions run under libFuzzer, under the plain mutator and in `cargo test`.

mod mutator;
mod recovery;

pub use mutator::{Mutator, seeds};
pub use recovery::recovery;

use mantou_log_core::batch::{
    BatchHeader, BatchView, InspectCode, Records, crc32c, find_timestamp_in_batch, inspect,
    inspect_and_mend, inspect_flag, max_timestamp_in_batch, patch_for_append,
};
use mantou_log_core::index::{OffsetEntries, OffsetIndex, TimeEntries, TimeIndex};

const INFLATED_BYTES_MAX: usize = 256 << 10;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 3] = [("batch", batch), ("index", index), ("recovery", recovery)];

/// The batch readers. The first byte says whether length, magic and CRC are put right, so that
/// mutations reach what lies behind them.
pub fn batch(data: &[u8]) {
    let Some((mode, bytes)) = data.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if mode & 1 != 0 && bytes.len() > 61 {
        let length = bytes.len() as i32 - 12;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        if mode & 2 != 0 {
            bytes[..8].fill(0);
            bytes[21] = 0;
            bytes[22] &= 0x07;
        }
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    judge(&mut bytes);
}

fn judge(bytes: &mut [u8]) {
    let _ = BatchHeader::parse(bytes);
    let framing = inspect(bytes, 0, INFLATED_BYTES_MAX);
    let validated = inspect(bytes, inspect_flag::VALIDATE_RECORDS, INFLATED_BYTES_MAX);
    let keyed = inspect(bytes, inspect_flag::KEYS_REQUIRED, INFLATED_BYTES_MAX);
    // More checks never let more through.
    if validated.code == InspectCode::Ok {
        assert_eq!(framing.code, InspectCode::Ok);
    }
    if keyed.code == InspectCode::Ok {
        assert_eq!(validated.code, InspectCode::Ok);
    }
    if let Ok(view) = BatchView::parse(bytes) {
        let _ = find_timestamp_in_batch(&view, 0, 0, i64::MAX, INFLATED_BYTES_MAX);
        let _ = max_timestamp_in_batch(&view, 0, i64::MAX, INFLATED_BYTES_MAX);
        if let Ok(records) = Records::new(&view, INFLATED_BYTES_MAX) {
            let good = records.take_while(|record| record.is_ok()).count();
            if validated.code == InspectCode::Ok {
                assert_eq!(good, view.header.records_count as usize);
            }
        }
    }
    if inspect_and_mend(bytes, 0, INFLATED_BYTES_MAX).code == InspectCode::Ok {
        patch_for_append(bytes, 1 << 40, 7, None).expect("an inspected batch");
        assert!(BatchView::parse(bytes).is_ok_and(|view| view.is_intact()));
    }
}

/// The index readers: whatever passes the check must answer as a list would.
pub fn index(data: &[u8]) {
    let Some((base, bytes)) = data.split_at_checked(8) else {
        return;
    };
    let base = i64::from_be_bytes(base.try_into().expect("eight bytes"));
    let base = base & (i64::MAX >> 2);
    let offsets = OffsetEntries::new(base, bytes);
    let probes = [i64::MIN, 0, base, base + 1, base + 1000, i64::MAX];
    let sound = offsets.check(1 << 31).is_ok();
    for probe in probes {
        let found = offsets.lookup(probe);
        let _ = offsets.first_at_position(probe as u32);
        if sound {
            let entries = (0..offsets.len()).map(|at| offsets.get(at));
            let wanted = entries.filter(|entry| entry.offset <= probe).last();
            assert_eq!(
                wanted.map_or((base, 0), |e| (e.offset, e.position)),
                (found.offset, found.position)
            );
        }
    }
    let times = TimeEntries::new(base, bytes);
    let sound = times.check(base + 1_000_000).is_ok();
    for probe in probes {
        let found = times.lookup(probe);
        if sound {
            let entries = (0..times.len()).map(|at| times.get(at));
            let wanted = entries.filter(|entry| entry.timestamp <= probe).last();
            assert_eq!(
                wanted.map_or((-1, base), |e| (e.timestamp, e.offset)),
                (found.timestamp, found.offset)
            );
        }
    }
    if let Ok(mut index) = OffsetIndex::from_bytes(base, bytes.to_vec(), 1 << 20, 1 << 31) {
        index.truncate_to(base + 5);
        let _ = index.append(base + 7, 9);
    }
    if let Ok(mut index) = TimeIndex::from_bytes(base, bytes.to_vec(), 1 << 20, i64::MAX) {
        index.truncate_to(base + 5);
        let _ = index.maybe_append(i64::MAX, base + 9, true);
    }
}
