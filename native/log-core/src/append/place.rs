//! What a row gets before it is written: its offset, and a segment that it fits into.

use std::sync::Arc;

use super::Fault;
use crate::api::{LogConfig, append_flag};
use crate::batch::{BatchHeader, patch_for_append};
use crate::log::{Log, Segment};
use crate::writer::Row;

/// A row that has its place: its header, and where its batch begins in the segment.
pub(super) struct Placed {
    pub header: BatchHeader,
    pub position: u64,
}

/// Where the next batch of a log goes.
pub(super) struct Place {
    pub segment: Arc<Segment>,
    pub position: u64,
    /// Largest timestamp of the segment's first batch.
    pub first_timestamp: Option<i64>,
    pub created_ms: i64,
    pub index_full: bool,
}

/// Blocks are written ahead past the page cache. Where a write ends inside of a page of theirs, the
/// kernel would read that page from the disk first, to keep what is in it: zeros.
const PAGE_BYTES: usize = 4096;

static PAGE_OF_ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// What to write behind `to`, so that a page is written whole: empty but in the range [from, to)
/// of blocks that were written `ahead`.
pub(super) fn padding(ahead: (u64, u64), to: u64) -> &'static [u8] {
    let end = to.next_multiple_of(PAGE_BYTES as u64);
    let fits = ahead.0 <= to && end <= ahead.1;
    &PAGE_OF_ZEROS[..if fits { (end - to) as usize } else { 0 }]
}

/// Gives a row its offset and epoch, and checks that it continues the log.
pub(super) fn patch(log: &Log, row: &mut Row, next_offset: i64) -> Result<BatchHeader, Fault> {
    let row = &mut row.row;
    if row.base_offset < next_offset {
        let (base, name) = (row.base_offset, log.name());
        return Err(Fault::invalid(format!(
            "{name}: offset {base} is below its end {next_offset}"
        )));
    }
    let now = (row.flags & append_flag::LOG_APPEND_TIME != 0).then_some(row.now_ms);
    let bytes = row.payload.bytes_mut();
    patch_for_append(bytes, row.base_offset, row.leader_epoch, now)
        .map_err(|error| Fault::invalid(format!("{}: {error}", log.name())))?;
    let header = BatchHeader::parse(bytes)
        .map_err(|error| Fault::invalid(format!("{}: {error}", log.name())))?;
    if header.last_offset_delta < 0 || header.next_offset() == i64::MAX {
        return Err(Fault::invalid(format!(
            "{}: a batch without room for its offsets",
            log.name()
        )));
    }
    Ok(header)
}

/// Whether a batch still goes into the segment (Kafka's rules).
pub(super) fn fits(
    place: &Place,
    config: &LogConfig,
    header: &BatchHeader,
    rows_before: usize,
    now_ms: i64,
) -> bool {
    let end = place.position + header.size_bytes() as u64;
    let span = header.last_offset() - place.segment.base_offset;
    // Index entries hold 31 bits of either.
    if span > i64::from(i32::MAX) || end > i32::MAX as u64 {
        return place.position == 0 && span <= i64::from(i32::MAX);
    }
    if place.position == 0 {
        return true;
    }
    let waited = match place.first_timestamp {
        Some(first) if first >= 0 && header.max_timestamp >= 0 => header.max_timestamp - first,
        _ => now_ms.saturating_sub(place.created_ms),
    };
    // Jitter that eats the whole time up would give every batch a segment of its own.
    let lasts_ms = config.segment_ms.saturating_sub(config.segment_jitter_ms);
    let old = waited > lasts_ms.max(1);
    // The index is looked at once for a run: rows of the run add at most an entry each.
    let index_full = place.index_full && rows_before == 0;
    end <= config.segment_bytes && !old && !index_full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_were_written_ahead_are_filled() {
        let ahead = (4096, 3 * 4096);
        let lengths = [
            (100, 0),
            (4095, 0),
            (4096, 0),
            (4097, 4095),
            (12287, 1),
            (12288, 0),
            (12289, 0),
        ];
        for (to, expected) in lengths {
            assert_eq!(padding(ahead, to).len(), expected, "behind {to}");
            assert_eq!(padding((0, 0), to).len(), 0);
        }
    }
}
