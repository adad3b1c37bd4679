//! Finds positions in segments through their indexes, on disk threads. Rebuilds what is damaged.

use std::io;
use std::sync::Arc;

use crate::active_index::{ActiveIndex, BatchEntry, Lookup};
use crate::batch::NO_TIMESTAMP;
use crate::core::Core;
use crate::index::{IndexError, OffsetEntries, OffsetEntry, TimeEntries, TimeEntry};
use crate::log::{Log, Segment};
use crate::names::{INDEX, TIME_INDEX};
use crate::scan::{Found, Scanner};
use crate::vfs::{OpenMode, VfsFile, read_exact, write_file};

/// A segment as a reader saw it: its bytes and offsets at one moment.
#[derive(Clone)]
pub struct SegmentView {
    pub segment: Arc<Segment>,
    pub is_active: bool,
    /// Bytes of whole batches.
    pub bytes: u64,
    /// Offset behind the last batch (the base of the next segment).
    pub end_offset: i64,
}

impl SegmentView {
    /// The log's segments, oldest first.
    pub fn all(log: &Log) -> Vec<SegmentView> {
        let inner = log.lock();
        let written_end = log.written_end();
        (0..inner.segments.len())
            .map(|index| SegmentView {
                segment: Arc::clone(&inner.segments[index]),
                is_active: inner.is_active(index),
                bytes: inner.segments[index].bytes(),
                end_offset: inner.segment_end(index, written_end),
            })
            .collect()
    }
}

fn into_io(error: IndexError) -> io::Error {
    match error {
        IndexError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

/// The position from which a walk reaches the batch that contains `offset`.
pub fn position_of(core: &Core, log: &Log, view: &SegmentView, offset: i64) -> io::Result<u64> {
    let base = view.segment.base_offset;
    if offset <= base {
        return Ok(0);
    }
    if view.is_active {
        let found = log
            .lock()
            .active
            .as_ref()
            .map(|active| active.index.lookup(offset));
        let entry = match found {
            Some(Lookup::At(entry)) => entry,
            _ => {
                let bytes = active_index_file(core, log, base, INDEX)?;
                let entries = OffsetEntries::new(base, &bytes);
                // The file of the segment that is written to was never checked as a whole.
                if entries.check(u64::MAX).is_err() {
                    return Ok(0);
                }
                entries.lookup(offset)
            }
        };
        let is_right = is_batch(core, log, view, &entry)?;
        return Ok(if is_right {
            u64::from(entry.position)
        } else {
            0
        });
    }
    let entry = sealed_entry(core, log, view, offset)?;
    if is_batch(core, log, view, &entry)? {
        return Ok(u64::from(entry.position));
    }
    // Damaged in a way that kept its order.
    rebuild(core, log, view)?;
    let entry = sealed_entry(core, log, view, offset)?;
    let is_right = is_batch(core, log, view, &entry)?;
    Ok(if is_right {
        u64::from(entry.position)
    } else {
        0
    })
}

fn sealed_entry(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    offset: i64,
) -> io::Result<OffsetEntry> {
    let base = view.segment.base_offset;
    let path = log.segment_path(&core.directory, base, INDEX);
    let key = log.segment_key(base);
    let opened = match core.indexes.open_offsets(key, &path, view.bytes) {
        Err(error) if error.wants_rebuild() => {
            rebuild(core, log, view)?;
            core.indexes.open_offsets(key, &path, view.bytes)
        }
        other => other,
    };
    Ok(opened.map_err(into_io)?.entries().lookup(offset))
}

/// Whether the batch that an entry speaks of is where it says. Position 0 always is one.
fn is_batch(core: &Core, log: &Log, view: &SegmentView, entry: &OffsetEntry) -> io::Result<bool> {
    if entry.position == 0 {
        return Ok(true);
    }
    let file = core.segment_file(log, &view.segment)?;
    let mut scanner = Scanner::sparse(file, view.bytes);
    let found = scanner.batch_at(u64::from(entry.position), view.segment.base_offset, false)?;
    Ok(matches!(found, Found::Batch(header) if header.last_offset() == entry.offset))
}

/// The time entry for `timestamp`, checked against the batch that it speaks of; (-1, base) where
/// there is none. An index that lies is made anew.
pub fn time_entry(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    timestamp: i64,
) -> io::Result<TimeEntry> {
    let nothing = TimeEntry {
        timestamp: NO_TIMESTAMP,
        offset: view.segment.base_offset,
    };
    for attempt in 0..2 {
        let entry = with_times(core, log, view, |times| times.lookup(timestamp))?;
        if entry == nothing || has_timestamp(core, log, view, &entry)? {
            return Ok(entry);
        }
        if attempt == 0 && !view.is_active {
            rebuild(core, log, view)?;
        }
    }
    Ok(nothing)
}

/// Whether the batch that ends at the entry's offset has its timestamp.
fn has_timestamp(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    entry: &TimeEntry,
) -> io::Result<bool> {
    let file = core.segment_file(log, &view.segment)?;
    let mut scanner = Scanner::sparse(file, view.bytes);
    let mut position = position_of(core, log, view, entry.offset)?;
    let base = view.segment.base_offset;
    while let Found::Batch(header) = scanner.batch_at(position, base, false)? {
        if header.last_offset() >= entry.offset {
            return Ok(
                header.last_offset() == entry.offset && header.max_timestamp == entry.timestamp
            );
        }
        position += header.size_bytes() as u64;
    }
    Ok(false)
}

/// Calls `action` with the segment's time index.
fn with_times<T>(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    action: impl FnOnce(&TimeEntries<'_>) -> T,
) -> io::Result<T> {
    let base = view.segment.base_offset;
    if view.is_active {
        let memory = log
            .lock()
            .active
            .as_ref()
            .map(|active| active.index.memory());
        let mut bytes = active_index_file(core, log, base, TIME_INDEX)?;
        if let Some((_, _, times, from)) = memory {
            bytes.truncate(from as usize);
            bytes.extend_from_slice(&times);
        }
        return Ok(action(&TimeEntries::new(base, &bytes)));
    }
    let path = log.segment_path(&core.directory, base, TIME_INDEX);
    let key = log.segment_key(base);
    let last_offset = view.end_offset - 1;
    let opened = match core.indexes.open_times(key, &path, last_offset) {
        Err(error) if error.wants_rebuild() => {
            rebuild(core, log, view)?;
            core.indexes.open_times(key, &path, last_offset)
        }
        other => other,
    };
    Ok(action(&opened.map_err(into_io)?.entries()))
}

/// The largest timestamp of a segment and the last offset of the batch that has it.
pub fn largest_time(core: &Core, log: &Log, view: &SegmentView) -> io::Result<Option<TimeEntry>> {
    if view.is_active
        && let Some(active) = log.lock().active.as_ref()
    {
        return Ok(active.index.largest());
    }
    if view.bytes == 0 {
        return Ok(None);
    }
    let last = with_times(core, log, view, |times| times.last())?;
    let is_right = match &last {
        Some(entry) => has_timestamp(core, log, view, entry)?,
        // No record with a timestamp; or no index.
        None => false,
    };
    if is_right {
        return Ok(last);
    }
    let file = core.segment_file(log, &view.segment)?;
    let interval = log.lock().config.index_interval_bytes;
    let index = build_index(file, view.segment.base_offset, view.bytes, interval)?;
    Ok(index.largest())
}

/// All bytes of one of the active segment's index files; none where there is no file.
fn active_index_file(core: &Core, log: &Log, base: i64, extension: &str) -> io::Result<Vec<u8>> {
    let Some(_held) = log.hold_segment_files() else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let path = log.segment_path(&core.directory, base, extension);
    let file = match core.vfs.open(&path, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let length = file.len()?;
    if length > i32::MAX as u64 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an index of more than 2 GiB",
        ));
    }
    let mut bytes = vec![0; length as usize];
    read_exact(&*file, &mut bytes, 0)?;
    Ok(bytes)
}

/// Walks the headers of a segment and makes its indexes anew, passing over damage.
pub fn build_index(
    file: Arc<dyn VfsFile>,
    base_offset: i64,
    bytes: u64,
    interval_bytes: u32,
) -> io::Result<ActiveIndex> {
    let mut index = ActiveIndex::new(base_offset);
    let mut scanner = Scanner::sparse(file, bytes);
    let (mut position, mut expected) = (0, base_offset);
    loop {
        match scanner.batch_at(position, expected, false)? {
            Found::End => return Ok(index),
            Found::Batch(header) => {
                let entry = BatchEntry {
                    last_offset: header.last_offset(),
                    max_timestamp: header.indexed_timestamp(),
                    position,
                    bytes: header.size_bytes() as u64,
                };
                if index.append(entry, interval_bytes).is_err() {
                    return Ok(index);
                }
                position += header.size_bytes() as u64;
                expected = header.next_offset();
            }
            Found::Bad => match scanner.find_behind(position, expected)? {
                Some((next, header)) => (position, expected) = (next, header.base_offset),
                None => return Ok(index),
            },
        }
    }
}

/// Writes the index files of a sealed segment anew from its batches.
fn rebuild(core: &Core, log: &Log, view: &SegmentView) -> io::Result<()> {
    let base = view.segment.base_offset;
    let file = core.segment_file(log, &view.segment)?;
    let interval = log.lock().config.index_interval_bytes;
    let mut index = build_index(file, base, view.bytes, interval)?;
    let _ = index.index_largest();
    let (offsets, _, times, _) = index.memory();
    let held = log.hold_segment_files();
    if held.is_none() || view.segment.is_deleted() {
        return Err(io::ErrorKind::NotFound.into());
    }
    core.indexes.forget(log.segment_key(base));
    for (extension, bytes) in [(INDEX, offsets), (TIME_INDEX, times)] {
        let path = log.segment_path(&core.directory, base, extension);
        core.space
            .with_reserve("an index", || write_file(&*core.vfs, &path, &bytes))?;
    }
    Ok(())
}
