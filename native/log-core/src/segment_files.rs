//! Files around the segment that is written to: its folder, its index files.

use std::io;
use std::sync::Arc;

use crate::active_index::{ActiveIndex, Unwritten};
use crate::append::wall_ms;
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader};
use crate::checkpoint::{Point, parse_partition_metadata, partition_metadata};
use crate::core::Core;
use crate::flush::{Dirty, DirtyPart};
use crate::index::{TIME_ENTRY_BYTES, TimeEntries};
use crate::log::{Active, Log, Segment};
use crate::names::{INDEX, LOG, PARTITION_METADATA, TIME_INDEX};
use crate::vfs::{OpenMode, read_exact, read_file, write_all};
use crate::writer::Writer;

/// Makes the log's folder with the file that says whose it is. True: neither is synced yet.
pub(crate) fn make_folder(core: &Core, log: &Log) -> io::Result<bool> {
    let folder = log.folder(&core.directory);
    let path = folder.join(PARTITION_METADATA);
    match core.vfs.mkdir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Left alone where it is right: a small file may have been acknowledged beside it.
            let bytes = read_file(&*core.vfs, &path, 4096)?;
            let owner = bytes.as_deref().and_then(parse_partition_metadata);
            if owner == Some(log.topic_id) {
                return Ok(true);
            }
        }
        other => other?,
    }
    let file = core.vfs.open(&path, OpenMode::Create)?;
    let text = partition_metadata(&log.topic_id);
    file.truncate(0)?;
    write_all(&*file, text.as_bytes(), 0)?;
    Ok(true)
}

/// Loads what is needed to go on with a segment that was opened, not begun, in this run.
pub(crate) fn load_active(core: &Core, log: &Log, segment: &Segment) -> io::Result<Active> {
    let base = segment.base_offset;
    let bytes_of = |extension| -> io::Result<u64> {
        let path = log.segment_path(&core.directory, base, extension);
        Ok(core.vfs.metadata(&path)?.map_or(0, |meta| meta.len))
    };
    let offsets = bytes_of(INDEX)? as usize;
    let times = bytes_of(TIME_INDEX)? as usize;
    let mut largest = None;
    if times >= TIME_ENTRY_BYTES {
        let path = log.segment_path(&core.directory, base, TIME_INDEX);
        let mut entry = [0; TIME_ENTRY_BYTES];
        let at = (times / TIME_ENTRY_BYTES - 1) * TIME_ENTRY_BYTES;
        let file = core.vfs.open(&path, OpenMode::Read)?;
        read_exact(&*file, &mut entry, at as u64)?;
        largest = TimeEntries::new(base, &entry).last();
    }
    let mut active = Active::new(base, wall_ms());
    active.index = ActiveIndex::in_files(base, offsets, times, largest);
    if segment.bytes() >= BATCH_HEADER_BYTES as u64 {
        let mut header = [0; BATCH_HEADER_BYTES];
        read_exact(&*core.segment_file(log, segment)?, &mut header, 0)?;
        let header = BatchHeader::parse(&header);
        active.first_timestamp = header.ok().map(|header| header.max_timestamp);
    }
    let path = log.segment_path(&core.directory, base, LOG);
    if let Some(meta) = core.vfs.metadata(&path)? {
        active.created_ms = meta.modified_ms;
    }
    Ok(active)
}

/// Writes index entries that are only in memory into the active segment's index files. With
/// `keep` the newest ones also stay in memory.
pub(crate) fn spill(core: &Core, log: &Log, keep: bool) -> io::Result<()> {
    let Some(_held) = log.hold_segment_files() else {
        return Ok(());
    };
    let (base, unwritten) = {
        let inner = log.lock();
        let (Some(segment), Some(active)) = (inner.active_segment(), inner.active.as_ref()) else {
            return Ok(());
        };
        (segment.base_offset, active.index.unwritten())
    };
    let Unwritten {
        offsets,
        offsets_at,
        times,
        times_at,
    } = &unwritten;
    for (extension, bytes, at) in [(INDEX, offsets, offsets_at), (TIME_INDEX, times, times_at)] {
        let path = log.segment_path(&core.directory, base, extension);
        if *at == 0 || !bytes.is_empty() {
            let file = core.vfs.open(&path, OpenMode::Create)?;
            write_all(&*file, bytes, *at)?;
        }
    }
    let mut inner = log.lock();
    if inner
        .active_segment()
        .is_some_and(|segment| segment.base_offset == base)
        && let Some(active) = inner.active.as_mut()
    {
        active.index.written(&unwritten);
        active.index.forget(keep);
    }
    Ok(())
}

pub(crate) fn remove_index_files(core: &Core, log: &Log, base_offset: i64) {
    for extension in [INDEX, TIME_INDEX] {
        // Absent is as good as removed; a stale one is found out by its check.
        let _ = core
            .vfs
            .unlink(&log.segment_path(&core.directory, base_offset, extension));
    }
}

impl Writer<'_> {
    /// Hands over what was written while nobody had to flush it: its durable end passes over
    /// these bytes as soon as anything behind them is flushed.
    pub(crate) fn flush_page_cached(&mut self, log: &Arc<Log>) -> io::Result<()> {
        let (segments, end) = {
            let mut inner = log.lock();
            let Some(active) = inner.active_segment().filter(|_| inner.page_cached) else {
                inner.page_cached = false;
                return Ok(());
            };
            let end = Point {
                offset: log.written_end(),
                segment_base: active.base_offset,
                position: active.bytes(),
            };
            let unsynced = inner.segments.iter().filter(|segment| {
                let base = segment.base_offset;
                base == end.segment_base || inner.unsealed.contains(&base)
            });
            (unsynced.cloned().collect::<Vec<_>>(), end)
        };
        let mut parts = Vec::with_capacity(segments.len());
        for segment in segments {
            let file = self.core.segment_file(log, &segment)?;
            parts.push(DirtyPart {
                from: 0,
                to: segment.bytes(),
                segment,
                file,
                ahead: false,
            });
        }
        self.dirty.push(Dirty {
            log: Arc::clone(log),
            end,
            parts,
            rows: 0,
            bytes: 0,
            new_segment: true,
            new_folder: true,
        });
        log.lock().page_cached = false;
        Ok(())
    }
}
