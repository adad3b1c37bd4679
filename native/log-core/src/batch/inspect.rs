//! Judges what a client wants appended, as Kafka's broker would.

use super::frame::judge_frame;
use super::header::{BatchHeader, BatchView, Codec, HeaderError, attribute};
use super::inflate::InflateError;
use super::patch::set_max_timestamp;
use super::records::{AnySource, RecordError, Source};

/// The verdict on a batch; the numbers are those of `InspectCode` in `packages/io/src/layout.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum InspectCode {
    Ok = 0,
    /// Shorter than a batch header, or its length field disagrees with what is there.
    Truncated = 1,
    Magic = 2,
    /// More bytes than one batch.
    Trailing = 3,
    Crc = 4,
    /// Base offset, records count, last offset delta or sequence contradict each other.
    Count = 5,
    /// Unknown codec, or a payload that readers of Kafka would not inflate.
    Compression = 6,
    /// A record does not parse, or the payload is not used up exactly.
    Records = 7,
    KeyMissing = 8,
    InflatedSize = 9,
    /// A bit is set that clients may not set.
    Attributes = 10,
    /// The LogAppendTime bit is set, which is the broker's to set.
    TimestampType = 11,
}

/// Bits of `InspectFlag` in `packages/io/src/layout.ts`.
pub mod inspect_flag {
    /// Walk every record, inflating the batch where it is compressed.
    pub const VALIDATE_RECORDS: u32 = 1;
    /// Every record needs a key. Implies `VALIDATE_RECORDS`.
    pub const KEYS_REQUIRED: u32 = 2;
}

/// `record_index` where no record is at fault.
pub const NO_RECORD: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectOutcome {
    pub code: InspectCode,
    /// Index of the record at fault, or [`NO_RECORD`].
    pub record_index: u32,
    /// Largest timestamp of the records where they were walked, otherwise what the header says.
    /// Meaningful when `code` is `Ok`.
    pub max_timestamp: i64,
}

impl InspectOutcome {
    fn refuse(code: InspectCode) -> InspectOutcome {
        InspectOutcome::refuse_record(code, NO_RECORD)
    }

    fn refuse_record(code: InspectCode, record_index: u32) -> InspectOutcome {
        InspectOutcome {
            code,
            record_index,
            max_timestamp: super::NO_TIMESTAMP,
        }
    }
}

/// Judges `bytes`, which should be exactly one batch fresh from a client. Uncompressed records are
/// always walked; compressed ones are judged by their framing, and inflated (to at most
/// `inflated_bytes_max` bytes) and walked only where `flags` ask for it.
pub fn inspect(bytes: &[u8], flags: u32, inflated_bytes_max: usize) -> InspectOutcome {
    match judge(bytes, flags, inflated_bytes_max) {
        Ok(max_timestamp) => InspectOutcome {
            code: InspectCode::Ok,
            record_index: NO_RECORD,
            max_timestamp,
        },
        Err(outcome) => outcome,
    }
}

/// [`inspect`], and where the records were walked and `maxTimestamp` is not theirs, puts it right
/// as Kafka's broker does: retention and time index rely on it.
pub fn inspect_and_mend(bytes: &mut [u8], flags: u32, inflated_bytes_max: usize) -> InspectOutcome {
    let outcome = inspect(bytes, flags, inflated_bytes_max);
    if outcome.code == InspectCode::Ok
        && let Ok(header) = BatchHeader::parse(bytes)
        && header.max_timestamp != outcome.max_timestamp
        && set_max_timestamp(bytes, outcome.max_timestamp).is_err()
    {
        return InspectOutcome::refuse(InspectCode::Truncated);
    }
    outcome
}

fn judge(bytes: &[u8], flags: u32, inflated_bytes_max: usize) -> Result<i64, InspectOutcome> {
    let refuse = InspectOutcome::refuse;
    let batch = BatchView::parse(bytes).map_err(|error| {
        refuse(match error {
            HeaderError::Truncated | HeaderError::Length => InspectCode::Truncated,
            HeaderError::Magic(_) => InspectCode::Magic,
        })
    })?;
    if batch.bytes().len() != bytes.len() {
        return Err(refuse(InspectCode::Trailing));
    }
    if !batch.is_intact() {
        return Err(refuse(InspectCode::Crc));
    }
    let header = &batch.header;
    judge_header(header).map_err(refuse)?;
    let Some(codec) = header.codec() else {
        return Err(refuse(InspectCode::Compression));
    };
    judge_frame(codec, batch.payload()).map_err(|_| refuse(InspectCode::Compression))?;
    let keys_required = flags & inspect_flag::KEYS_REQUIRED != 0;
    let validate = keys_required || flags & inspect_flag::VALIDATE_RECORDS != 0;
    if codec != Codec::None && !validate {
        return Ok(header.max_timestamp);
    }
    let source =
        AnySource::of(&batch, inflated_bytes_max).map_err(|error| refuse(code_of(error)))?;
    match source {
        AnySource::Slice(mut source) => walk(&mut source, header, keys_required),
        AnySource::Stream(mut source) => walk(source.as_mut(), header, keys_required),
    }
}

fn judge_header(header: &BatchHeader) -> Result<(), InspectCode> {
    if header.attributes & (attribute::CONTROL | attribute::DELETE_HORIZON) != 0 {
        return Err(InspectCode::Attributes);
    }
    // A transaction belongs to a producer.
    if header.is_transactional() && !header.has_producer() {
        return Err(InspectCode::Attributes);
    }
    if header.is_log_append_time() {
        return Err(InspectCode::TimestampType);
    }
    if header.base_offset != 0
        || header.records_count <= 0
        || header.last_offset_delta != header.records_count - 1
    {
        return Err(InspectCode::Count);
    }
    if header.has_producer() && header.base_sequence < 0 {
        return Err(InspectCode::Count);
    }
    Ok(())
}

fn code_of(error: RecordError) -> InspectCode {
    match error {
        RecordError::Malformed | RecordError::Trailing => InspectCode::Records,
        RecordError::Inflate(InflateError::TooLarge) => InspectCode::InflatedSize,
        RecordError::Inflate(_) => InspectCode::Compression,
    }
}

/// Walks every record; gives their largest timestamp.
#[inline(always)]
fn walk(
    source: &mut impl Source,
    header: &BatchHeader,
    keys_required: bool,
) -> Result<i64, InspectOutcome> {
    let mut delta_max = i64::MIN;
    for index in 0..header.records_count {
        let refuse = |code| InspectOutcome::refuse_record(code, index as u32);
        let record = source.record().map_err(|error| refuse(code_of(error)))?;
        // We never rebuild a batch, so its records must already have the offsets they will get.
        if record.offset_delta != index {
            return Err(refuse(InspectCode::Records));
        }
        if keys_required && record.key_bytes < 0 {
            return Err(refuse(InspectCode::KeyMissing));
        }
        delta_max = delta_max.max(record.timestamp_delta);
    }
    match source.at_end() {
        Ok(true) => Ok(header.base_timestamp.wrapping_add(delta_max)),
        Ok(false) => Err(InspectOutcome::refuse(InspectCode::Records)),
        Err(error) => Err(InspectOutcome::refuse(code_of(error))),
    }
}
