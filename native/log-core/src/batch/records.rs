//! Walks the records of a batch: their lengths and deltas, never their contents.

use super::header::{BatchHeader, BatchView, Codec};
use super::inflate::{InflateError, Inflater};

/// Why the records of a batch cannot be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// A record does not parse, or is cut off.
    Malformed,
    /// Bytes are left behind the last record.
    Trailing,
    /// The payload does not inflate, or the codec is unknown.
    Inflate(InflateError),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RecordError::Malformed => write!(f, "a record does not parse"),
            RecordError::Trailing => write!(f, "bytes follow the last record"),
            RecordError::Inflate(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RecordError {}

/// What a record says in front of its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset_delta: i32,
    /// Milliseconds against the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Bytes of the key, or -1 for null.
    pub key_bytes: i32,
    /// Bytes of the value, or -1 for null.
    pub value_bytes: i32,
    pub headers_count: i32,
}

/// Attributes, two deltas, two lengths and a count take a byte each.
const RECORD_BYTES_MIN: usize = 6;
/// A header is two lengths at least.
const RECORD_HEADER_BYTES_MIN: usize = 2;

/// Bytes that are walked over once. `position` counts from the first record.
pub(crate) trait Source {
    fn position(&self) -> usize;
    fn byte(&mut self) -> Result<u8, RecordError>;
    fn skip(&mut self, length: usize) -> Result<(), RecordError>;
    fn at_end(&mut self) -> Result<bool, RecordError>;

    /// An unsigned varint that does not fit 64 bits (or `bytes_max` bytes) is malformed.
    #[inline(always)]
    fn varint64(&mut self, bytes_max: u32) -> Result<u64, RecordError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for index in 1..bytes_max {
            let byte = self.byte()?;
            let shift = 7 * index;
            if shift == 63 && byte > 1 {
                return Err(RecordError::Malformed);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RecordError::Malformed)
    }

    #[inline(always)]
    fn zigzag32(&mut self) -> Result<i32, RecordError> {
        let value = self.varint64(5)?;
        // Readers disagree on bits beyond the 32nd, so none may be set.
        let value = u32::try_from(value).map_err(|_| RecordError::Malformed)?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    #[inline(always)]
    fn zigzag64(&mut self) -> Result<i64, RecordError> {
        let value = self.varint64(10)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Passes over a field of `length` bytes that must end at or before `end`.
    #[inline(always)]
    fn skip_within(&mut self, length: i32, end: usize) -> Result<(), RecordError> {
        if length <= 0 {
            return Ok(());
        }
        let left = end
            .checked_sub(self.position())
            .ok_or(RecordError::Malformed)?;
        if length as usize > left {
            return Err(RecordError::Malformed);
        }
        self.skip(length as usize)
    }

    #[inline(always)]
    fn record(&mut self) -> Result<Record, RecordError> {
        let length = self.zigzag32()?;
        if length < RECORD_BYTES_MIN as i32 {
            return Err(RecordError::Malformed);
        }
        let end = self
            .position()
            .checked_add(length as usize)
            .ok_or(RecordError::Malformed)?;
        self.byte()?;
        let timestamp_delta = self.zigzag64()?;
        let offset_delta = self.zigzag32()?;
        let key_bytes = self.zigzag32()?;
        self.skip_within(key_bytes, end)?;
        let value_bytes = self.zigzag32()?;
        self.skip_within(value_bytes, end)?;
        let headers_count = self.zigzag32()?;
        if headers_count != 0 {
            self.headers(headers_count, end)?;
        }
        if self.position() != end {
            return Err(RecordError::Malformed);
        }
        Ok(Record {
            offset_delta,
            timestamp_delta,
            key_bytes: key_bytes.max(-1),
            value_bytes: value_bytes.max(-1),
            headers_count,
        })
    }

    fn headers(&mut self, count: i32, end: usize) -> Result<(), RecordError> {
        let left = end
            .checked_sub(self.position())
            .ok_or(RecordError::Malformed)?;
        if count < 0 || count as usize > left / RECORD_HEADER_BYTES_MIN {
            return Err(RecordError::Malformed);
        }
        for _ in 0..count {
            let key_bytes = self.zigzag32()?;
            if key_bytes < 0 {
                return Err(RecordError::Malformed);
            }
            self.skip_within(key_bytes, end)?;
            let value_bytes = self.zigzag32()?;
            self.skip_within(value_bytes, end)?;
        }
        Ok(())
    }
}

/// Records that lie in memory as they are.
pub(crate) struct SliceSource<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> SliceSource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> SliceSource<'a> {
        SliceSource { bytes, at: 0 }
    }
}

impl Source for SliceSource<'_> {
    #[inline(always)]
    fn position(&self) -> usize {
        self.at
    }

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, RecordError> {
        match self.bytes.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Err(RecordError::Malformed),
        }
    }

    #[inline(always)]
    fn skip(&mut self, length: usize) -> Result<(), RecordError> {
        if length > self.bytes.len() - self.at {
            return Err(RecordError::Malformed);
        }
        self.at += length;
        Ok(())
    }

    #[inline(always)]
    fn at_end(&mut self) -> Result<bool, RecordError> {
        Ok(self.at == self.bytes.len())
    }
}

/// Records that come out of a compressed payload, a window at a time.
pub(crate) struct StreamSource<'a> {
    inflater: Inflater<'a>,
    window: Vec<u8>,
    at: usize,
    /// Position of the window's first byte.
    base: usize,
}

impl<'a> StreamSource<'a> {
    pub(crate) fn new(inflater: Inflater<'a>) -> StreamSource<'a> {
        StreamSource {
            inflater,
            window: Vec::new(),
            at: 0,
            base: 0,
        }
    }

    #[cold]
    fn refill(&mut self) -> Result<bool, RecordError> {
        self.base += self.window.len();
        self.at = 0;
        // An error leaves no stale window behind that could be read a second time.
        self.inflater.fill(&mut self.window).map_err(|error| {
            self.window.clear();
            RecordError::Inflate(error)
        })
    }
}

impl Source for StreamSource<'_> {
    #[inline(always)]
    fn position(&self) -> usize {
        self.base + self.at
    }

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, RecordError> {
        if self.at == self.window.len() && !self.refill()? {
            return Err(RecordError::Malformed);
        }
        let byte = self.window[self.at];
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, mut length: usize) -> Result<(), RecordError> {
        loop {
            let here = self.window.len() - self.at;
            if length <= here {
                self.at += length;
                return Ok(());
            }
            length -= here;
            if !self.refill()? {
                return Err(RecordError::Malformed);
            }
        }
    }

    fn at_end(&mut self) -> Result<bool, RecordError> {
        Ok(self.at == self.window.len() && !self.refill()?)
    }
}

/// Where the records of a batch come from.
pub(crate) enum AnySource<'a> {
    Slice(SliceSource<'a>),
    Stream(Box<StreamSource<'a>>),
}

impl<'a> AnySource<'a> {
    pub(crate) fn of(
        batch: &BatchView<'a>,
        inflated_bytes_max: usize,
    ) -> Result<AnySource<'a>, RecordError> {
        match batch.header.codec() {
            None => Err(RecordError::Inflate(InflateError::Corrupt)),
            Some(Codec::None) => Ok(AnySource::Slice(SliceSource::new(batch.payload()))),
            Some(codec) => {
                let inflater = Inflater::new(codec, batch.payload(), inflated_bytes_max)
                    .map_err(RecordError::Inflate)?;
                Ok(AnySource::Stream(Box::new(StreamSource::new(inflater))))
            }
        }
    }
}

/// The records of one batch in order, inflated as they are walked. Ends after `recordsCount`
/// records or after the first error.
pub struct Records<'a> {
    source: AnySource<'a>,
    left: i32,
}

impl<'a> Records<'a> {
    /// A compressed batch that inflates beyond `inflated_bytes_max` bytes gives an error there.
    pub fn new(
        batch: &BatchView<'a>,
        inflated_bytes_max: usize,
    ) -> Result<Records<'a>, RecordError> {
        let source = AnySource::of(batch, inflated_bytes_max)?;
        Ok(Records {
            source,
            left: batch.header.records_count,
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        let record = match &mut self.source {
            AnySource::Slice(source) => source.record(),
            AnySource::Stream(source) => source.record(),
        };
        self.left = if record.is_ok() { self.left - 1 } else { 0 };
        Some(record)
    }
}

impl Record {
    /// The record's timestamp in milliseconds: the batch's own under LogAppendTime.
    #[inline]
    pub fn timestamp(&self, header: &BatchHeader) -> i64 {
        if header.is_log_append_time() {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(self.timestamp_delta)
        }
    }
}
