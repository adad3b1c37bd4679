//! Reads that people and coordinators ask for: by timestamp, of headers, of whole batches.
//! All of it runs on disk threads and checks every batch that it opens.

use std::io;
use std::sync::Arc;

use crate::api::{
    HEADER_DOUBLES, LocateRequest, Located, RecordPosition, Reply, SegmentInfo, StoreError,
};
use crate::batch::{
    BatchHeader, TimestampedOffset, find_timestamp_in_batch, max_timestamp_in_batch,
};
use crate::core::Core;
use crate::locate::locate_on_disk;
use crate::log::Log;
use crate::scan::{Found, Scanner};
use crate::search::{SegmentView, largest_time, position_of, time_entry};
use crate::vfs::read_exact;

const INFLATED_BYTES_MAX: usize = 64 << 20; // Anybody may ask, as often as they like.

fn failed(log: &Log, error: &io::Error) -> StoreError {
    StoreError::io(log.name(), error)
}

fn corrupt(log: &Log, offset: i64) -> StoreError {
    let text = format!(
        "{}: the batch at offset {offset} fails its checksum",
        log.name()
    );
    StoreError::new("CORRUPT", text)
}

fn found(record: Option<TimestampedOffset>) -> Option<RecordPosition> {
    record.map(|record| RecordPosition {
        offset: record.offset,
        timestamp: record.timestamp,
    })
}

/// Calls `visit` with every batch of the segment from the one that contains `from`, in order,
/// until it says that it has enough. Passes over damage.
fn visit(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    from: i64,
    mut visit: impl FnMut(&mut Scanner, u64, &BatchHeader) -> io::Result<bool>,
) -> io::Result<()> {
    let file = core.segment_file(log, &view.segment)?;
    let mut scanner = Scanner::sparse(file, view.bytes);
    let mut position = position_of(core, log, view, from)?;
    let mut expected = view.segment.base_offset;
    loop {
        match scanner.batch_at(position, expected, false)? {
            Found::End => return Ok(()),
            Found::Batch(header) => {
                if header.last_offset() >= from && !visit(&mut scanner, position, &header)? {
                    return Ok(());
                }
                position += header.size_bytes() as u64;
                expected = header.next_offset();
            }
            Found::Bad => match scanner.find_behind(position, expected)? {
                Some((next, header)) => (position, expected) = (next, header.base_offset),
                None => return Ok(()),
            },
        }
    }
}

/// The first record with `timestamp` or later, below `limit`.
pub fn find_timestamp(
    core: &Core,
    log: &Log,
    timestamp: i64,
    limit: i64,
) -> Result<Reply, StoreError> {
    let start = log.lock().start_offset;
    for view in SegmentView::all(log) {
        if view.end_offset <= start {
            continue;
        }
        if view.segment.base_offset >= limit {
            break;
        }
        let record = find_in_segment(core, log, &view, timestamp, (start, limit))?;
        if record.is_some() {
            return Ok(Reply::Position(found(record)));
        }
    }
    Ok(Reply::Position(None))
}

fn find_in_segment(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    timestamp: i64,
    (start, limit): (i64, i64),
) -> Result<Option<TimestampedOffset>, StoreError> {
    let io_failed = |error: io::Error| failed(log, &error);
    let largest = largest_time(core, log, view).map_err(io_failed)?;
    if largest.is_none_or(|largest| largest.timestamp < timestamp) {
        return Ok(None);
    }
    // Up to the entry's offset every timestamp is at most the entry's, and the entry's is below.
    let below = timestamp.saturating_sub(1);
    let entry = time_entry(core, log, view, below).map_err(io_failed)?;
    let mut result = Ok(None);
    visit(
        core,
        log,
        view,
        entry.offset.max(start),
        |scanner, position, header| {
            if header.base_offset >= limit {
                return Ok(false);
            }
            if header.max_timestamp < timestamp {
                return Ok(true);
            }
            let batch = scanner
                .view(position, header)?
                .filter(|batch| batch.is_intact());
            let searched = match batch {
                Some(batch) => {
                    find_timestamp_in_batch(&batch, timestamp, start, limit, INFLATED_BYTES_MAX)
                        .map_err(|error| StoreError::new("CORRUPT", error.to_string()))
                }
                None => Err(corrupt(log, header.base_offset)),
            };
            result = searched;
            Ok(matches!(result, Ok(None)))
        },
    )
    .map_err(io_failed)?;
    result
}

/// Where the batch with the largest timestamp of a segment is looked for.
struct Candidate {
    timestamp: i64,
    /// An offset of the batch.
    offset: i64,
    view: SegmentView,
}

/// The first record with the largest timestamp below `limit`.
pub fn find_max_timestamp(core: &Core, log: &Log, limit: i64) -> Result<Reply, StoreError> {
    let start = log.lock().start_offset;
    let limit = limit.min(log.written_end());
    let io_failed = |error: io::Error| failed(log, &error);
    let mut best: Option<Candidate> = None;
    for view in SegmentView::all(log) {
        let base = view.segment.base_offset;
        if view.end_offset <= start || base >= limit {
            continue;
        }
        let whole = start <= base && view.end_offset <= limit;
        let largest = if whole {
            let entry = largest_time(core, log, &view).map_err(io_failed)?;
            entry.map(|entry| (entry.timestamp, entry.offset))
        } else {
            largest_by_headers(core, log, &view, start, limit).map_err(io_failed)?
        };
        if let Some((timestamp, offset)) = largest
            && best.as_ref().is_none_or(|best| timestamp > best.timestamp)
        {
            best = Some(Candidate {
                timestamp,
                offset,
                view,
            });
        }
    }
    let Some(best) = best else {
        return Ok(Reply::Position(None));
    };
    let mut result = Ok(None);
    visit(
        core,
        log,
        &best.view,
        best.offset,
        |scanner, position, header| {
            let batch = scanner
                .view(position, header)?
                .filter(|batch| batch.is_intact());
            result = match batch {
                Some(batch) => max_timestamp_in_batch(&batch, start, limit, INFLATED_BYTES_MAX)
                    .map_err(|error| StoreError::new("CORRUPT", error.to_string())),
                None => Err(corrupt(log, header.base_offset)),
            };
            Ok(false)
        },
    )
    .map_err(io_failed)?;
    Ok(Reply::Position(found(result?)))
}

/// By walking: only part of the segment counts.
fn largest_by_headers(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    start: i64,
    limit: i64,
) -> io::Result<Option<(i64, i64)>> {
    let mut largest: Option<(i64, i64)> = None;
    visit(core, log, view, start, |_, _, header| {
        if header.base_offset >= limit {
            return Ok(false);
        }
        let timestamp = header.indexed_timestamp();
        if header.records_count > 0 && largest.is_none_or(|largest| timestamp > largest.0) {
            largest = Some((timestamp, header.last_offset()));
        }
        Ok(true)
    })?;
    Ok(largest)
}

/// Header rows of the batches from the one that contains `from`.
pub fn read_headers(core: &Core, log: &Log, from: i64, rows_max: u32) -> Result<Reply, StoreError> {
    let mut rows = Vec::new();
    let rows_max = rows_max.min(1 << 20) as usize * HEADER_DOUBLES;
    for view in SegmentView::all(log) {
        if view.end_offset <= from || rows.len() >= rows_max {
            continue;
        }
        visit(core, log, &view, from, |_, _, header| {
            rows.extend_from_slice(&[
                header.base_offset as f64,
                f64::from(header.last_offset_delta),
                header.max_timestamp as f64,
                header.producer_id as f64,
                f64::from(header.producer_epoch),
                f64::from(header.base_sequence),
                f64::from(header.attributes),
                f64::from(header.leader_epoch),
            ]);
            Ok(rows.len() < rows_max)
        })
        .map_err(|error| failed(log, &error))?;
    }
    Ok(Reply::Headers(rows))
}

/// Whole batches from the one that contains `from`, copied; at least one if there is any.
pub fn read(core: &Core, log: &Arc<Log>, from: i64, bytes_max: u32) -> Result<Reply, StoreError> {
    let request = LocateRequest {
        log: log.id,
        flags: crate::api::AT_LEAST_ONE_BATCH,
        offset: from,
        limit: i64::MAX,
        bytes_max,
        tag: 0,
    };
    let pin = match locate_on_disk(core, &request) {
        Located::Ready(pin) => pin,
        Located::Empty | Located::Pending => return Ok(Reply::Bytes(Vec::new())),
        Located::OutOfRange => {
            let (start, end) = (log.lock().start_offset, log.written_end());
            let text = format!("{}: {from} is not in {start} to {end}", log.name());
            return Err(StoreError::new("OUT_OF_RANGE", text));
        }
        Located::Corrupt => return Err(corrupt(log, from)),
        Located::Unavailable => {
            return Err(StoreError::new(
                "OFFLINE",
                format!("{} cannot be read", log.name()),
            ));
        }
    };
    let mut bytes = vec![0; pin.length as usize];
    read_exact(&*pin.file, &mut bytes, pin.position).map_err(|error| failed(log, &error))?;
    Ok(Reply::Bytes(bytes))
}

pub fn segments(core: &Core, log: &Log) -> Result<Reply, StoreError> {
    let mut infos = Vec::new();
    for view in SegmentView::all(log) {
        let largest = match view.segment.largest_timestamp() {
            Some(largest) => largest,
            None => {
                let entry = largest_time(core, log, &view).map_err(|e| failed(log, &e))?;
                let largest = entry.map_or(-1, |entry| entry.timestamp);
                view.segment.set_largest_timestamp(largest);
                largest
            }
        };
        infos.push(SegmentInfo {
            base_offset: view.segment.base_offset,
            bytes: view.bytes,
            largest_timestamp: largest,
        });
    }
    Ok(Reply::Segments(infos))
}
