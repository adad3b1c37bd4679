//! A record batch (magic 2) made once and sent many times; and going through those that come back.

use crate::wire::Cursor;

pub const HEADER_BYTES: usize = 61;
/// Where the checksum stands, and where what it covers begins.
pub const CRC_AT: usize = 17;
const COVERED_FROM: usize = 21;

/// A batch of about `batch_bytes`, with records whose values have `record_bytes`. Returns it and
/// the number of its records; `seed` makes the content.
pub fn encode(batch_bytes: usize, record_bytes: usize, seed: u64) -> (Vec<u8>, u32) {
    let mut records = Vec::new();
    let mut random = seed | 1;
    let mut count = 0;
    loop {
        let left = batch_bytes.saturating_sub(HEADER_BYTES + records.len());
        // The first record is there in any case; the last one fills the batch up.
        let value = if left >= 2 * record_bytes {
            record_bytes
        } else {
            left.saturating_sub(16)
        };
        if count > 0 && left < 24 {
            break;
        }
        encode_record(&mut records, count, value, &mut random);
        count += 1;
    }
    let mut batch = Vec::with_capacity(HEADER_BYTES + records.len());
    batch.extend(0i64.to_be_bytes());
    batch.extend(((HEADER_BYTES - 12 + records.len()) as i32).to_be_bytes());
    batch.extend((-1i32).to_be_bytes());
    batch.push(2);
    batch.extend([0; 4]);
    batch.extend(0i16.to_be_bytes());
    batch.extend((count as i32 - 1).to_be_bytes());
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as i64);
    batch.extend(now.to_be_bytes());
    batch.extend(now.to_be_bytes());
    batch.extend((-1i64).to_be_bytes());
    batch.extend((-1i16).to_be_bytes());
    batch.extend((-1i32).to_be_bytes());
    batch.extend((count as i32).to_be_bytes());
    batch.extend(&records);
    let crc = crc32c(&batch[COVERED_FROM..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    (batch, count)
}

fn encode_record(to: &mut Vec<u8>, index: u32, value_bytes: usize, random: &mut u64) {
    let mut body = vec![0];
    put_varint(&mut body, 0);
    put_varint(&mut body, index.into());
    put_varint(&mut body, -1);
    put_varint(&mut body, value_bytes as i64);
    for _ in 0..value_bytes {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        body.push(*random as u8);
    }
    put_varint(&mut body, 0);
    put_varint(to, body.len() as i64);
    to.extend(body);
}

fn put_varint(to: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        to.push(left as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}

/// What a byte makes of the register, by the byte that leaves it.
const STEPS: [u32; 256] = {
    let mut steps = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        steps[byte] = crc;
        byte += 1;
    }
    steps
};

/// The register after one more byte.
pub fn crc32c_step(crc: u32, byte: u8) -> u32 {
    (crc >> 8) ^ STEPS[usize::from(crc as u8 ^ byte)]
}

/// Byte by byte: it runs once per template.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| crc32c_step(crc, *byte))
}

/// Calls `each` with the base offset, the number of offsets and the bytes of every whole batch.
pub fn each_batch(records: &[u8], mut each: impl FnMut(i64, i64, &[u8])) {
    let mut rest = records;
    loop {
        let mut cursor = Cursor(rest);
        let (Ok(base), Ok(length)) = (cursor.i64(), cursor.i32()) else {
            return;
        };
        let Ok(body) = cursor.take(length.max(0) as usize) else {
            return;
        };
        let Ok(last_delta) = Cursor(body.get(11..).unwrap_or(&[])).i32() else {
            return;
        };
        each(base, i64::from(last_delta) + 1, &rest[..12 + body.len()]);
        rest = cursor.0;
    }
}

/// Offset behind the last whole batch of `records`, and how many batches are whole.
pub fn end_of(records: &[u8]) -> Option<(i64, u32)> {
    let mut end = None;
    let mut count = 0;
    each_batch(records, |base, offsets, _| {
        count += 1;
        end = Some((base + offsets, count));
    });
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnoli() {
        // The check value of the catalogue of CRC algorithms.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_batch_is_about_as_long_as_asked() {
        for (batch_bytes, record_bytes) in [(65_536, 1024), (16_384, 1024), (100, 10), (5000, 4000)]
        {
            let (batch, count) = encode(batch_bytes, record_bytes, 3);
            assert!(
                batch.len().abs_diff(batch_bytes) < 32,
                "{} of {batch_bytes}",
                batch.len()
            );
            let length = i32::from_be_bytes(batch[8..12].try_into().unwrap());
            assert_eq!(length as usize, batch.len() - 12);
            assert_eq!(batch[57..61], count.to_be_bytes());
            let crc = u32::from_be_bytes(batch[17..21].try_into().unwrap());
            assert_eq!(crc, crc32c(&batch[21..]));
        }
    }
}
