//! Batches that other implementations made: judged, inflated and walked.

use mantou_log_core::batch::{
    BatchView, InspectCode, NO_RECORD, Record, Records, find_timestamp_in_batch, inspect,
    inspect_flag, max_timestamp_in_batch,
};

const INFLATED_BYTES_MAX: usize = 1 << 20;
const BASE_TIMESTAMP: i64 = 1_700_000_000_000;

struct Golden {
    name: &'static str,
    by_framing: u32,
    validated: u32,
    records: &'static str,
    bytes: Vec<u8>,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(digits).collect()
}

fn goldens() -> Vec<Golden> {
    let lines = include_str!("batch_golden.txt").lines();
    let golden = |line: &'static str| {
        let fields: Vec<&str> = line.split(' ').collect();
        Golden {
            name: fields[0],
            by_framing: fields[1].parse().unwrap(),
            validated: fields[2].parse().unwrap(),
            records: fields[3],
            bytes: unhex(fields[4]),
        }
    };
    lines
        .filter(|line| !line.starts_with('#'))
        .map(golden)
        .collect()
}

/// (timestamp, key bytes, value bytes, headers) of the records that the batches were made of.
fn expected(records: &str) -> Vec<(i64, i32, i32, i32)> {
    match records {
        "few" => vec![
            (BASE_TIMESTAMP, 5, 7, 0),
            (BASE_TIMESTAMP + 7, -1, 7, 2),
            (BASE_TIMESTAMP + 3, 5, -1, 0),
            (BASE_TIMESTAMP + 7, 0, 0, 0),
        ],
        "many" => (0..400)
            .map(|index| {
                let digits = index.to_string().len() as i32;
                (BASE_TIMESTAMP + index / 3, 5, 6 + digits + 1 + 160, 0)
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_golden_batch_gets_its_verdict() {
    let goldens = goldens();
    assert!(goldens.len() > 40, "only {} batches", goldens.len());
    for golden in &goldens {
        let framing = inspect(&golden.bytes, 0, INFLATED_BYTES_MAX);
        assert_eq!(
            framing.code as u32, golden.by_framing,
            "{} by its framing",
            golden.name
        );
        let flags = inspect_flag::VALIDATE_RECORDS;
        let validated = inspect(&golden.bytes, flags, INFLATED_BYTES_MAX);
        assert_eq!(
            validated.code as u32, golden.validated,
            "{} validated",
            golden.name
        );
        if validated.code == InspectCode::Ok {
            let expected = expected(golden.records);
            let largest = expected.iter().map(|record| record.0).max().unwrap();
            assert_eq!(validated.max_timestamp, largest, "{}", golden.name);
            assert_eq!(validated.record_index, NO_RECORD, "{}", golden.name);
        }
    }
}

#[test]
fn every_golden_batch_gives_its_records() {
    for golden in goldens().iter().filter(|golden| golden.validated == 0) {
        let view = BatchView::parse(&golden.bytes).unwrap();
        let records: Vec<Record> = Records::new(&view, INFLATED_BYTES_MAX)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{}: {error}", golden.name));
        let expected = expected(golden.records);
        assert_eq!(records.len(), expected.len(), "{}", golden.name);
        for (index, (record, expected)) in records.iter().zip(expected).enumerate() {
            assert_eq!(record.offset_delta, index as i32, "{}", golden.name);
            let found = (
                record.timestamp(&view.header),
                record.key_bytes,
                record.value_bytes,
                record.headers_count,
            );
            assert_eq!(found, expected, "{} record {index}", golden.name);
        }
    }
}

#[test]
fn a_missing_key_is_told_by_its_record() {
    for golden in goldens().iter().filter(|golden| golden.validated == 0) {
        let outcome = inspect(
            &golden.bytes,
            inspect_flag::KEYS_REQUIRED,
            INFLATED_BYTES_MAX,
        );
        match golden.records {
            "few" => {
                assert_eq!(outcome.code, InspectCode::KeyMissing, "{}", golden.name);
                assert_eq!(outcome.record_index, 1, "{}", golden.name);
            }
            _ => assert_eq!(outcome.code, InspectCode::Ok, "{}", golden.name),
        }
    }
}

#[test]
fn inflating_stops_at_the_cap() {
    let flags = inspect_flag::VALIDATE_RECORDS;
    for golden in goldens().iter().filter(|golden| golden.validated == 0) {
        let view = BatchView::parse(&golden.bytes).unwrap();
        let compressed = view.header.attributes & 7 != 0;
        for cap in [0, 1, 40] {
            let outcome = inspect(&golden.bytes, flags, cap);
            let expected = if compressed {
                InspectCode::InflatedSize
            } else {
                InspectCode::Ok
            };
            assert_eq!(outcome.code, expected, "{} with {cap}", golden.name);
        }
    }
}

#[test]
fn the_cap_is_exact() {
    let flags = inspect_flag::VALIDATE_RECORDS;
    let goldens = goldens();
    let plain = goldens
        .iter()
        .find(|golden| golden.name == "few-none")
        .unwrap();
    let inflated = plain.bytes.len() - 61;
    for golden in goldens
        .iter()
        .filter(|golden| golden.validated == 0 && golden.records == "few")
    {
        let outcome = inspect(&golden.bytes, flags, inflated);
        assert_eq!(outcome.code, InspectCode::Ok, "{}", golden.name);
        if golden.name != "few-none" {
            let outcome = inspect(&golden.bytes, flags, inflated - 1);
            assert_eq!(outcome.code, InspectCode::InflatedSize, "{}", golden.name);
        }
    }
}

#[test]
fn records_are_found_by_timestamp() {
    for golden in goldens().iter().filter(|golden| golden.validated == 0) {
        let mut bytes = golden.bytes.clone();
        bytes[..8].copy_from_slice(&1000i64.to_be_bytes());
        let view = BatchView::parse(&bytes).unwrap();
        let expected = expected(golden.records);
        let end = 1000 + expected.len() as i64;
        for from in [0, 1000, 1002, end - 1, end] {
            for limit in [1000, 1001, 1003, end, i64::MAX] {
                let offsets = expected
                    .iter()
                    .enumerate()
                    .map(|(index, record)| (1000 + index as i64, record.0));
                let within: Vec<(i64, i64)> = offsets
                    .filter(|(offset, _)| *offset >= from && *offset < limit)
                    .collect();
                for target in [
                    i64::MIN,
                    BASE_TIMESTAMP,
                    BASE_TIMESTAMP + 4,
                    BASE_TIMESTAMP + 999,
                ] {
                    let found =
                        find_timestamp_in_batch(&view, target, from, limit, INFLATED_BYTES_MAX)
                            .unwrap()
                            .map(|found| (found.offset, found.timestamp));
                    let wanted = within.iter().find(|(_, time)| *time >= target).copied();
                    assert_eq!(found, wanted, "{} {target} {from} {limit}", golden.name);
                }
                let found = max_timestamp_in_batch(&view, from, limit, INFLATED_BYTES_MAX)
                    .unwrap()
                    .map(|found| (found.offset, found.timestamp));
                let largest = within.iter().map(|(_, time)| *time).max();
                let wanted = within
                    .iter()
                    .find(|(_, time)| Some(*time) == largest)
                    .copied();
                assert_eq!(found, wanted, "{} {from} {limit}", golden.name);
            }
        }
    }
}
