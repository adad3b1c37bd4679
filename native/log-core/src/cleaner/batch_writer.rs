//! Writes what is left of a batch: base offset, last offset and sequences stay as they are.

use super::record_view::{RecordView, put_varlong, varlong_bytes};
use crate::batch::{
    BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, BatchView, NO_TIMESTAMP, attribute, crc32c,
};

/// Begins the new batch in `out` with the old one's header, for so many records and their largest
/// timestamp. The codec stays; a horizon takes the base timestamp's place.
pub fn put_header(
    out: &mut Vec<u8>,
    batch: &BatchView<'_>,
    (count, max_timestamp): (i32, i64),
    horizon: Option<i64>,
) {
    out.clear();
    out.extend_from_slice(&batch.bytes()[..BATCH_HEADER_BYTES]);
    out[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
    out[57..61].copy_from_slice(&count.to_be_bytes());
    if let Some(horizon) = horizon {
        let attributes = batch.header.attributes | attribute::DELETE_HORIZON;
        out[21..23].copy_from_slice(&attributes.to_be_bytes());
        out[27..35].copy_from_slice(&horizon.to_be_bytes());
    }
}

/// Only a header: `max_timestamp` still says when the producer wrote last.
pub fn put_empty(out: &mut Vec<u8>, batch: &BatchView<'_>) {
    put_header(out, batch, (0, batch.header.max_timestamp), None);
    let gone = attribute::CODEC_MASK | attribute::DELETE_HORIZON;
    let attributes = batch.header.attributes & !gone;
    out[21..23].copy_from_slice(&attributes.to_be_bytes());
    out[27..35].copy_from_slice(&NO_TIMESTAMP.to_be_bytes());
    seal(out);
}

/// Appends a record whose timestamp counted from `old_base` and now counts from `new_base`.
pub fn put_record(out: &mut Vec<u8>, record: &RecordView<'_>, old_base: i64, new_base: i64) {
    let timestamp = old_base.wrapping_add(record.timestamp_delta);
    let delta = timestamp.wrapping_sub(new_base);
    let length = 1 + varlong_bytes(delta) + record.rest.len();
    put_varlong(out, length as i64);
    out.push(record.attributes);
    put_varlong(out, delta);
    out.extend_from_slice(record.rest);
}

/// Puts length and checksum right.
pub fn seal(batch: &mut [u8]) {
    let length = (batch.len() - BATCH_OVERHEAD_BYTES) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}
