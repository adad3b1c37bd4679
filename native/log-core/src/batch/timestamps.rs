//! Finds records by timestamp inside of one batch.

use super::header::BatchView;
use super::records::{RecordError, Records};

/// A record's offset and its timestamp in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedOffset {
    pub offset: i64,
    pub timestamp: i64,
}

/// The first record of `batch` with `timestamp` or later whose offset is at least `from` and below
/// `limit`. At most `inflated_bytes_max` bytes are inflated.
pub fn find_timestamp_in_batch(
    batch: &BatchView<'_>,
    timestamp: i64,
    from: i64,
    limit: i64,
    inflated_bytes_max: usize,
) -> Result<Option<TimestampedOffset>, RecordError> {
    // The header's maximum bounds every record, so most batches are passed over unopened.
    if batch.header.max_timestamp < timestamp || batch.header.base_offset >= limit {
        return Ok(None);
    }
    for found in offsets(batch, from, limit, inflated_bytes_max)? {
        let found = found?;
        if found.timestamp >= timestamp {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The record of `batch` with the largest timestamp (the first of them, on ties) whose offset is
/// at least `from` and below `limit`. At most `inflated_bytes_max` bytes are inflated.
pub fn max_timestamp_in_batch(
    batch: &BatchView<'_>,
    from: i64,
    limit: i64,
    inflated_bytes_max: usize,
) -> Result<Option<TimestampedOffset>, RecordError> {
    let mut largest: Option<TimestampedOffset> = None;
    for found in offsets(batch, from, limit, inflated_bytes_max)? {
        let found = found?;
        if largest.is_none_or(|largest| found.timestamp > largest.timestamp) {
            largest = Some(found);
        }
        if batch.header.is_log_append_time() {
            break;
        }
    }
    Ok(largest)
}

type Found = Result<TimestampedOffset, RecordError>;

fn offsets<'a>(
    batch: &BatchView<'a>,
    from: i64,
    limit: i64,
    inflated_bytes_max: usize,
) -> Result<impl Iterator<Item = Found> + use<'a>, RecordError> {
    let header = batch.header;
    let records = Records::new(batch, inflated_bytes_max)?;
    let found = records.map(move |record| {
        record.map(|record| TimestampedOffset {
            offset: header
                .base_offset
                .saturating_add(i64::from(record.offset_delta)),
            timestamp: record.timestamp(&header),
        })
    });
    Ok(found
        .skip_while(move |found| found.as_ref().is_ok_and(|found| found.offset < from))
        .take_while(move |found| found.as_ref().map_or(true, |found| found.offset < limit)))
}
