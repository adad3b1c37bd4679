//! What the broker writes into a batch when it gives it a place in a log.

use super::checksum::crc32c;
use super::header::{
    ATTRIBUTES_AT, BASE_OFFSET_AT, BatchView, CRC_AT, HeaderError, LEADER_EPOCH_AT,
    MAX_TIMESTAMP_AT, attribute, read_i16,
};

/// Why a batch cannot be patched: the bytes are not exactly one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchError {
    Header(HeaderError),
    /// Bytes behind the batch.
    Trailing,
}

impl std::fmt::Display for PatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PatchError::Header(error) => error.fmt(f),
            PatchError::Trailing => write!(f, "bytes follow the batch"),
        }
    }
}

impl std::error::Error for PatchError {}

fn check(batch: &[u8]) -> Result<(), PatchError> {
    let view = BatchView::parse(batch).map_err(PatchError::Header)?;
    if view.bytes().len() != batch.len() {
        return Err(PatchError::Trailing);
    }
    Ok(())
}

fn write_crc(batch: &mut [u8]) {
    let crc = crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
}

/// Writes base offset and leader epoch, which the CRC does not cover. With `log_append_time_ms`
/// also sets the timestamp type LogAppendTime and `maxTimestamp`, and redoes the CRC.
/// `batch` must be exactly one batch; its CRC is taken on trust, since it was inspected.
#[inline]
pub fn patch_for_append(
    batch: &mut [u8],
    base_offset: i64,
    leader_epoch: i32,
    log_append_time_ms: Option<i64>,
) -> Result<(), PatchError> {
    check(batch)?;
    batch[BASE_OFFSET_AT..BASE_OFFSET_AT + 8].copy_from_slice(&base_offset.to_be_bytes());
    batch[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.to_be_bytes());
    if let Some(now) = log_append_time_ms {
        let attributes = read_i16(batch, ATTRIBUTES_AT) | attribute::LOG_APPEND_TIME;
        batch[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
        batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now.to_be_bytes());
        write_crc(batch);
    }
    Ok(())
}

/// Sets `maxTimestamp` (milliseconds since 1970) and redoes the CRC.
pub fn set_max_timestamp(batch: &mut [u8], max_timestamp: i64) -> Result<(), PatchError> {
    check(batch)?;
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&max_timestamp.to_be_bytes());
    write_crc(batch);
    Ok(())
}
