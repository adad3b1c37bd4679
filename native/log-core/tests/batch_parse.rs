//! Inspection against damaged, hostile and random bytes.

mod batch_maker;

use batch_maker::{MadeRecord, around, batch, compress, payload, seal, varint};
use mantou_log_core::batch::{
    BatchHeader, BatchView, Codec, InspectCode, Records, find_timestamp_in_batch, inspect,
    inspect_and_mend, inspect_flag, judge_frame, max_timestamp_in_batch, patch_for_append,
};
use proptest::prelude::*;

const CAP: usize = 1 << 20;
const ALL_FLAGS: [u32; 4] = [0, 1, 2, 3];

fn small() -> Vec<u8> {
    batch(&[
        MadeRecord::of(1000, b"one"),
        MadeRecord::of(1005, b"two"),
        MadeRecord::of(1002, b""),
    ])
}

fn code(bytes: &[u8]) -> InspectCode {
    inspect(bytes, inspect_flag::VALIDATE_RECORDS, CAP).code
}

#[test]
fn a_sound_batch_passes() {
    assert_eq!(code(&small()), InspectCode::Ok);
    assert_eq!(inspect(&small(), 0, 0).max_timestamp, 1005);
}

#[test]
fn a_cut_is_seen_at_every_byte() {
    let bytes = small();
    for length in 0..bytes.len() {
        let outcome = inspect(&bytes[..length], 0, CAP);
        assert_eq!(outcome.code, InspectCode::Truncated, "cut to {length}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert_eq!(code(&longer), InspectCode::Trailing);
    let twice = [&bytes[..], &bytes[..]].concat();
    assert_eq!(code(&twice), InspectCode::Trailing);
}

#[test]
fn every_flipped_bit_is_seen() {
    let bytes = small();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let found = code(&bytes);
            match at {
                // Nobody may rely on these: the broker writes the epoch.
                12..16 => assert_eq!(found, InspectCode::Ok, "byte {at} bit {bit}"),
                _ => assert_ne!(found, InspectCode::Ok, "byte {at} bit {bit}"),
            }
        }
    }
}

#[test]
fn each_field_that_lies_has_its_code() {
    let cases: &[(&str, usize, &[u8], InspectCode)] = &[
        (
            "base offset",
            0,
            &[0, 0, 0, 0, 0, 0, 0, 1],
            InspectCode::Count,
        ),
        ("length 0", 8, &[0, 0, 0, 0], InspectCode::Truncated),
        ("length 48", 8, &[0, 0, 0, 48], InspectCode::Truncated),
        (
            "length -1",
            8,
            &[0xff, 0xff, 0xff, 0xff],
            InspectCode::Truncated,
        ),
        (
            "length max",
            8,
            &[0x7f, 0xff, 0xff, 0xff],
            InspectCode::Truncated,
        ),
        ("length short", 8, &[0, 0, 0, 60], InspectCode::Trailing),
        ("magic 0", 16, &[0], InspectCode::Magic),
        ("magic 1", 16, &[1], InspectCode::Magic),
        ("magic 3", 16, &[3], InspectCode::Magic),
        ("control", 21, &[0, 0x20], InspectCode::Attributes),
        (
            "control and transactional",
            21,
            &[0, 0x30],
            InspectCode::Attributes,
        ),
        (
            "transactional without a producer",
            21,
            &[0, 0x10],
            InspectCode::Attributes,
        ),
        ("delete horizon", 21, &[0, 0x40], InspectCode::Attributes),
        (
            "log append time",
            21,
            &[0, 0x08],
            InspectCode::TimestampType,
        ),
        ("codec 5", 21, &[0, 5], InspectCode::Compression),
        ("codec 7", 21, &[0, 7], InspectCode::Compression),
        (
            "codec gzip over plain records",
            21,
            &[0, 1],
            InspectCode::Compression,
        ),
        ("last offset delta", 23, &[0, 0, 0, 3], InspectCode::Count),
        (
            "last offset delta -1",
            23,
            &[0xff, 0xff, 0xff, 0xff],
            InspectCode::Count,
        ),
        ("count 0", 57, &[0, 0, 0, 0], InspectCode::Count),
        (
            "count -1",
            57,
            &[0xff, 0xff, 0xff, 0xff],
            InspectCode::Count,
        ),
        ("count min", 57, &[0x80, 0, 0, 0], InspectCode::Count),
        (
            "a producer without a sequence",
            43,
            &[0, 0, 0, 0, 0, 0, 0, 9],
            InspectCode::Count,
        ),
    ];
    for (name, at, bytes, expected) in cases {
        let mut made = small();
        made[*at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut made);
        assert_eq!(code(&made), *expected, "{name}");
    }
    let mut made = small();
    made[17] ^= 1;
    assert_eq!(code(&made), InspectCode::Crc);
    // An idempotent producer's batch, and a transaction's.
    for attributes in [0, 0x10] {
        let mut made = small();
        made[22] = attributes;
        made[43..51].copy_from_slice(&9i64.to_be_bytes());
        made[51..53].copy_from_slice(&0i16.to_be_bytes());
        made[53..57].copy_from_slice(&0i32.to_be_bytes());
        seal(&mut made);
        assert_eq!(code(&made), InspectCode::Ok);
    }
}

#[test]
fn more_records_than_there_are_is_told() {
    for count in [2, 4, i32::MAX] {
        let mut made = small();
        made[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        made[57..61].copy_from_slice(&count.to_be_bytes());
        seal(&mut made);
        assert_eq!(code(&made), InspectCode::Records, "{count}");
    }
}

/// One record around `body`, with the length `length` (or the true one).
fn with_body(body: &[u8], length: Option<i64>) -> Vec<u8> {
    let mut payload = Vec::new();
    varint(&mut payload, length.unwrap_or(body.len() as i64));
    payload.extend_from_slice(body);
    around(&payload, 1, 0, 0, 0)
}

#[test]
fn records_that_lie_are_told() {
    let good = [0, 0, 0, 2, b'k', 2, b'v', 0];
    assert_eq!(code(&with_body(&good, None)), InspectCode::Ok);
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("length too small", with_body(&good, Some(7))),
        ("length too large", with_body(&good, Some(9))),
        ("length 0", with_body(&good, Some(0))),
        ("length -1", with_body(&good, Some(-1))),
        ("length max", with_body(&good, Some(i64::from(i32::MAX)))),
        ("length beyond 32 bits", with_body(&good, Some(1 << 33))),
        ("empty", around(&[], 1, 0, 0, 0)),
    ];
    let bodies: [(&str, &[u8]); 10] = [
        ("offset delta 1", &[0, 0, 2, 2, b'k', 2, b'v', 0]),
        ("offset delta -1", &[0, 0, 1, 2, b'k', 2, b'v', 0]),
        ("key beyond the record", &[0, 0, 0, 40, b'k', 2, b'v', 0]),
        ("value beyond the record", &[0, 0, 0, 2, b'k', 40, b'v', 0]),
        ("headers -1", &[0, 0, 0, 2, b'k', 2, b'v', 1]),
        ("headers without bytes", &[0, 0, 0, 2, b'k', 2, b'v', 2]),
        (
            "headers many",
            &[0, 0, 0, 2, b'k', 2, b'v', 0xfe, 0xff, 0xff, 0xff, 0x0f],
        ),
        ("header key null", &[0, 0, 0, 2, b'k', 2, b'v', 2, 1, 1]),
        (
            "varint too long",
            &[0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0],
        ),
        (
            "bytes left in the record",
            &[0, 0, 0, 2, b'k', 2, b'v', 0, 0],
        ),
    ];
    cases.extend(bodies.map(|(name, body)| (name, with_body(body, None))));
    for (name, made) in cases {
        let outcome = inspect(&made, 0, CAP);
        assert_eq!(outcome.code, InspectCode::Records, "{name}");
        assert_eq!(outcome.record_index, 0, "{name}");
    }
    let mut trailing = Vec::new();
    varint(&mut trailing, good.len() as i64);
    trailing.extend_from_slice(&good);
    trailing.push(0);
    assert_eq!(code(&around(&trailing, 1, 0, 0, 0)), InspectCode::Records);
    let header_value_null = [0, 0, 0, 2, b'k', 2, b'v', 2, 2, b'h', 1];
    assert_eq!(code(&with_body(&header_value_null, None)), InspectCode::Ok);
}

#[test]
fn a_wrong_largest_timestamp_is_mended() {
    let records = [MadeRecord::of(1000, b"one"), MadeRecord::of(1005, b"two")];
    let mut made = around(&payload(1000, &records), 2, 1000, 99, 0);
    let outcome = inspect_and_mend(&mut made, 0, 0);
    assert_eq!(
        (outcome.code, outcome.max_timestamp),
        (InspectCode::Ok, 1005)
    );
    let view = BatchView::parse(&made).unwrap();
    assert_eq!(view.header.max_timestamp, 1005);
    assert!(view.is_intact());
    let sound = small();
    let mut mended = sound.clone();
    inspect_and_mend(&mut mended, 0, 0);
    assert_eq!(sound, mended);
}

#[test]
fn appending_patches_what_the_broker_owns() {
    let mut made = small();
    patch_for_append(&mut made, 77, 5, None).unwrap();
    let view = BatchView::parse(&made).unwrap();
    assert!(view.is_intact());
    assert_eq!((view.header.base_offset, view.header.leader_epoch), (77, 5));
    assert_eq!(
        (view.header.last_offset(), view.header.next_offset()),
        (79, 80)
    );
    patch_for_append(&mut made, 80, 6, Some(5_000)).unwrap();
    let view = BatchView::parse(&made).unwrap();
    assert!(view.is_intact() && view.header.is_log_append_time());
    assert_eq!(view.header.max_timestamp, 5_000);
    for record in Records::new(&view, 0).unwrap() {
        assert_eq!(record.unwrap().timestamp(&view.header), 5_000);
    }
    let largest = max_timestamp_in_batch(&view, 0, i64::MAX, 0)
        .unwrap()
        .unwrap();
    assert_eq!((largest.offset, largest.timestamp), (80, 5_000));
    let found = find_timestamp_in_batch(&view, 5_000, 81, i64::MAX, 0)
        .unwrap()
        .unwrap();
    assert_eq!(found.offset, 81);
    assert_eq!(
        find_timestamp_in_batch(&view, 5_001, 0, i64::MAX, 0),
        Ok(None)
    );
    let mut twice = [&made[..], &made[..]].concat();
    assert!(patch_for_append(&mut twice, 0, 0, None).is_err());
    assert!(patch_for_append(&mut made[..60], 0, 0, None).is_err());
}

/// Everything that reads untrusted bytes, for its absence of panics.
fn read_all(bytes: &[u8]) {
    for flags in ALL_FLAGS {
        let _ = inspect(bytes, flags, CAP);
    }
    let _ = BatchHeader::parse(bytes);
    if let Ok(view) = BatchView::parse(bytes) {
        let _ = (view.header.last_offset(), view.header.next_offset());
        if let Ok(records) = Records::new(&view, CAP) {
            records.for_each(|record| {
                let _ = record.map(|record| record.timestamp(&view.header));
            });
        }
        let _ = find_timestamp_in_batch(&view, 0, 0, i64::MAX, CAP);
        let _ = max_timestamp_in_batch(&view, 0, i64::MAX, CAP);
    }
    let _ = patch_for_append(&mut bytes.to_vec(), 1, 1, Some(1));
}

fn made_record() -> impl Strategy<Value = MadeRecord> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    let parts = (
        any::<i64>(),
        prop::option::of(bytes()),
        prop::option::of(bytes()),
        headers,
    );
    parts.prop_map(|(timestamp, key, value, headers)| MadeRecord {
        timestamp,
        key,
        value,
        headers,
    })
}

fn made_records() -> impl Strategy<Value = Vec<MadeRecord>> {
    prop::collection::vec(made_record(), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_was_encoded_passes_and_is_read_back(records in made_records(), codec in 0i16..5) {
        let base = records[0].timestamp;
        let plain = payload(base, &records);
        let count = records.len() as i32;
        let made = around(&compress(codec, &plain), count, base, 0, codec);
        let outcome = inspect(&made, inspect_flag::VALIDATE_RECORDS, plain.len());
        prop_assert_eq!(outcome.code, InspectCode::Ok);
        let delta = records.iter().map(|record| record.timestamp.wrapping_sub(base)).max().unwrap();
        prop_assert_eq!(outcome.max_timestamp, base.wrapping_add(delta));
        let missing = records.iter().position(|record| record.key.is_none());
        let outcome = inspect(&made, inspect_flag::KEYS_REQUIRED, plain.len());
        prop_assert_eq!(outcome.code == InspectCode::KeyMissing, missing.is_some());
        prop_assert_eq!(outcome.record_index, missing.map_or(u32::MAX, |index| index as u32));
        let view = BatchView::parse(&made).unwrap();
        let read: Vec<_> = Records::new(&view, plain.len()).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), records.len());
        for (read, record) in read.iter().zip(&records) {
            let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(-1, |b| b.len() as i32);
            prop_assert_eq!(read.timestamp(&view.header), record.timestamp);
            prop_assert_eq!(read.key_bytes, length(&record.key));
            prop_assert_eq!(read.value_bytes, length(&record.value));
            prop_assert_eq!(read.headers_count as usize, record.headers.len());
        }
    }

    #[test]
    fn damage_behind_a_right_crc_never_panics(
        records in made_records(),
        codec in 0i16..6,
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let base = records[0].timestamp;
        let plain = payload(base, &records);
        let mut payload = compress(codec, &plain);
        for (at, byte) in hits {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        read_all(&around(&payload, records.len() as i32, base, 0, codec));
    }

    #[test]
    fn damaged_headers_never_panic(
        hits in prop::collection::vec((0usize..61, any::<u8>()), 1..8),
    ) {
        let mut made = small();
        for (at, byte) in hits {
            made[at] = byte;
        }
        read_all(&made);
        seal(&mut made);
        read_all(&made);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), magic: bool) {
        let mut bytes = bytes;
        if magic && bytes.len() > 61 {
            bytes[16] = 2;
            let length = bytes.len() as i32 - 12;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            seal(&mut bytes);
        }
        read_all(&bytes);
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let _ = judge_frame(codec, &bytes);
        }
    }

    #[test]
    fn whatever_inflates_and_walks_passed_its_framing(
        records in made_records(),
        codec in 1i16..5,
        hit in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        // The judgement of the framing must not refuse what a reader would take.
        let base = records[0].timestamp;
        let mut payload = compress(codec, &payload(base, &records));
        let at = hit.0.index(payload.len());
        payload[at] = hit.1;
        let made = around(&payload, records.len() as i32, base, 0, codec);
        let view = BatchView::parse(&made).unwrap();
        let readable = Records::new(&view, CAP).is_ok_and(|mut all| all.all(|r| r.is_ok()));
        if readable && judge_frame(view.header.codec().unwrap(), view.payload()).is_err() {
            // Only what lies outside of the data may differ: reserved bits and trailing parts.
            prop_assert!(at < 20 || at + 12 > payload.len(), "codec {} byte {}", codec, at);
        }
    }
}
