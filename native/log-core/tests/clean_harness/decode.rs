//! Reads batches back, with a parser of its own.

use mantou_log_core::batch::{BatchView, Codec, Inflater};

use super::{NO_PRODUCER, Record};

/// One batch as it was read back.
#[derive(Clone, Debug)]
pub struct ReadBatch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub producer_id: i64,
    pub base_sequence: i32,
    pub attributes: i16,
    pub base_timestamp: i64,
    pub records: Vec<Record>,
    /// Some(true): a commit marker.
    pub marker: Option<bool>,
}

fn varint(bytes: &[u8], at: &mut usize) -> i64 {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
    }
}

fn field(bytes: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let length = varint(bytes, at);
    let length = usize::try_from(length).ok()?;
    *at += length;
    Some(bytes[*at - length..*at].to_vec())
}

fn inflated(view: &BatchView<'_>) -> Vec<u8> {
    match view.header.codec().expect("a codec") {
        Codec::None => view.payload().to_vec(),
        codec => {
            let mut inflater = Inflater::new(codec, view.payload(), 64 << 20).expect("a stream");
            let (mut all, mut window) = (Vec::new(), Vec::new());
            while inflater.fill(&mut window).expect("whole") {
                all.extend_from_slice(&window);
            }
            all
        }
    }
}

/// Reads batches back, with a parser of its own.
pub fn decode(bytes: &[u8]) -> Vec<ReadBatch> {
    let mut batches: Vec<ReadBatch> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let view = BatchView::parse(rest).expect("a whole batch");
        assert!(view.is_intact(), "checksum of {}", view.header.base_offset);
        rest = &rest[view.bytes().len()..];
        let header = view.header;
        let plain = inflated(&view);
        let mut at = 0;
        let mut records = Vec::new();
        let mut marker = None;
        for _ in 0..header.records_count {
            let length = varint(&plain, &mut at) as usize;
            let end = at + length;
            at += 1;
            let timestamp = header.base_timestamp + varint(&plain, &mut at);
            let offset = header.base_offset + varint(&plain, &mut at);
            let key = field(&plain, &mut at);
            let value = field(&plain, &mut at);
            assert!(offset <= header.last_offset(), "an offset behind its batch");
            assert!(at <= end);
            at = end;
            if header.is_control() {
                marker = Some(key.expect("a control key")[3] == 1);
            } else {
                let is_transactional = header.is_transactional();
                records.push(Record {
                    offset,
                    key,
                    value,
                    timestamp,
                    producer_id: if is_transactional {
                        header.producer_id
                    } else {
                        NO_PRODUCER
                    },
                });
            }
        }
        assert_eq!(at, plain.len(), "bytes behind the records");
        batches.push(ReadBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            producer_id: header.producer_id,
            base_sequence: header.base_sequence,
            attributes: header.attributes,
            base_timestamp: header.base_timestamp,
            records,
            marker,
        });
    }
    let mut next = i64::MIN;
    for batch in &batches {
        assert!(
            batch.base_offset >= next,
            "goes back to {}",
            batch.base_offset
        );
        next = batch.last_offset + 1;
    }
    batches
}
