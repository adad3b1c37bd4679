//! Records of a batch with their keys, over bytes that are inflated already.

use crate::batch::{BatchView, Codec, InflateError, Inflater, RecordError};

/// One record where it lies.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// The whole record, its length included.
    pub bytes: &'a [u8],
    pub attributes: u8,
    /// Milliseconds against the batch's base timestamp.
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub has_value: bool,
    /// From the offset delta to the record's end.
    pub rest: &'a [u8],
}

/// The records of an inflated payload, in order.
pub struct RecordViews<'a> {
    bytes: &'a [u8],
    at: usize,
    left: i32,
}

impl<'a> RecordViews<'a> {
    pub fn new(payload: &'a [u8], count: i32) -> RecordViews<'a> {
        RecordViews {
            bytes: payload,
            at: 0,
            left: count.max(0),
        }
    }

    /// The next record; none behind the last one, which must end where the payload does.
    pub fn next(&mut self) -> Result<Option<RecordView<'a>>, RecordError> {
        if self.left == 0 {
            return if self.at == self.bytes.len() {
                Ok(None)
            } else {
                Err(RecordError::Trailing)
            };
        }
        self.left -= 1;
        let start = self.at;
        let length = self.varint(self.bytes.len())?;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length))
            .filter(|end| *end <= self.bytes.len())
            .ok_or(RecordError::Malformed)?;
        let attributes = self.byte(end)?;
        let timestamp_delta = self.varlong(end)?;
        let rest_at = self.at;
        let offset_delta = self.varint(end)?;
        let key = self.field(end)?;
        let has_value = self.field(end)?.is_some();
        self.at = end;
        Ok(Some(RecordView {
            bytes: &self.bytes[start..end],
            attributes,
            timestamp_delta,
            offset_delta,
            key,
            has_value,
            rest: &self.bytes[rest_at..end],
        }))
    }

    fn byte(&mut self, end: usize) -> Result<u8, RecordError> {
        if self.at >= end {
            return Err(RecordError::Malformed);
        }
        self.at += 1;
        Ok(self.bytes[self.at - 1])
    }

    fn field(&mut self, end: usize) -> Result<Option<&'a [u8]>, RecordError> {
        let length = self.varint(end)?;
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        let from = self.at;
        if length > end - from {
            return Err(RecordError::Malformed);
        }
        self.at += length;
        Ok(Some(&self.bytes[from..self.at]))
    }

    fn unsigned(&mut self, end: usize) -> Result<u64, RecordError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(end)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RecordError::Malformed)
    }

    fn varlong(&mut self, end: usize) -> Result<i64, RecordError> {
        let value = self.unsigned(end)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint(&mut self, end: usize) -> Result<i32, RecordError> {
        let value = u32::try_from(self.unsigned(end)?).map_err(|_| RecordError::Malformed)?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }
}

/// The records of a batch as they are without compression: where they lie, or in `buffer`.
pub fn inflate<'a>(
    batch: &BatchView<'a>,
    bytes_max: u64,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], InflateError> {
    let codec = match batch.header.codec() {
        None => return Err(InflateError::Corrupt),
        Some(Codec::None) => return Ok(batch.payload()),
        Some(codec) => codec,
    };
    buffer.clear();
    // A payload of nothing is how a batch without records looks.
    if batch.header.records_count == 0 && batch.payload().is_empty() {
        return Ok(buffer);
    }
    let mut inflater = Inflater::new(codec, batch.payload(), bytes_max as usize)?;
    let mut window = Vec::new();
    while inflater.fill(&mut window)? {
        buffer.extend_from_slice(&window);
    }
    Ok(buffer)
}

/// Appends a signed number as records hold it.
pub fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that `put_varlong` appends.
pub fn varlong_bytes(value: i64) -> usize {
    let rest = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (rest | 1).leading_zeros() as usize).div_ceil(7)
}
