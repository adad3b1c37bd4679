//! Makes batches for tests: a plain encoder, written apart from the code that it tests.
#![allow(dead_code)]

use mantou_log_core::batch::crc32c;

/// A record to encode.
#[derive(Clone, Debug, PartialEq)]
pub struct MadeRecord {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl MadeRecord {
    pub fn of(timestamp: i64, value: &[u8]) -> MadeRecord {
        MadeRecord {
            timestamp,
            key: Some(b"key".to_vec()),
            value: Some(value.to_vec()),
            headers: vec![],
        }
    }
}

pub fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn field(out: &mut Vec<u8>, bytes: &Option<Vec<u8>>) {
    match bytes {
        None => varint(out, -1),
        Some(bytes) => {
            varint(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

pub fn payload(base_timestamp: i64, records: &[MadeRecord]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let mut body = vec![0];
        varint(&mut body, record.timestamp.wrapping_sub(base_timestamp));
        varint(&mut body, index as i64);
        field(&mut body, &record.key);
        field(&mut body, &record.value);
        varint(&mut body, record.headers.len() as i64);
        for (key, value) in &record.headers {
            field(&mut body, &Some(key.clone()));
            field(&mut body, value);
        }
        varint(&mut out, body.len() as i64);
        out.extend_from_slice(&body);
    }
    out
}

/// A batch around a payload that is ready (compressed as `attributes` say).
pub fn around(
    payload: &[u8],
    count: i32,
    base_timestamp: i64,
    max: i64,
    attributes: i16,
) -> Vec<u8> {
    let mut out = vec![0; 61];
    out[8..12].copy_from_slice(&(payload.len() as i32 + 49).to_be_bytes());
    out[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    out[16] = 2;
    out[21..23].copy_from_slice(&attributes.to_be_bytes());
    out[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    out[27..35].copy_from_slice(&base_timestamp.to_be_bytes());
    out[35..43].copy_from_slice(&max.to_be_bytes());
    out[43..57].fill(0xff);
    out[57..61].copy_from_slice(&count.to_be_bytes());
    out.extend_from_slice(payload);
    seal(&mut out);
    out
}

/// An uncompressed batch.
pub fn batch(records: &[MadeRecord]) -> Vec<u8> {
    let base = records.first().map_or(-1, |record| record.timestamp);
    let max = records
        .iter()
        .map(|record| record.timestamp)
        .max()
        .unwrap_or(-1);
    around(&payload(base, records), records.len() as i32, base, max, 0)
}

/// Puts the CRC right after the header or the payload was changed.
pub fn seal(batch: &mut [u8]) {
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// One frame of stored blocks: valid lz4 without a compressor.
pub fn lz4_stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    for block in bytes.chunks(64 << 10) {
        out.extend_from_slice(&(block.len() as u32 | 0x8000_0000).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&[0; 4]);
    out
}

/// `plain` compressed with codec 1 to 4 by the libraries' own encoders.
pub fn compress(codec: i16, plain: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            std::io::Write::write_all(&mut encoder, plain).unwrap();
            encoder.finish().unwrap()
        }
        2 => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
        3 => lz4_stored(plain),
        4 => zstd::encode_all(plain, 1).unwrap(),
        _ => plain.to_vec(),
    }
}
