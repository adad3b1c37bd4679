//! Writes what is left of a group of segments into a new one, beside them.

use std::io;
use std::sync::Arc;

use super::fault::CleanFault;
use super::filter::{Filter, Verdict};
use super::queue::Pace;
use super::walk::{Depth, Flow, walk};
use crate::active_index::{ActiveIndex, BatchEntry};
use crate::batch::BatchHeader;
use crate::core::Core;
use crate::log::{Log, Segment};
use crate::names::{CLEANED, INDEX, LOG, TIME_INDEX};
use crate::search::SegmentView;
use crate::vfs::{OpenMode, VfsFile, read_exact, write_all};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// A group's new segment. Its files are complete and synced, and named `.cleaned`.
pub struct NewSegment {
    pub segment: Arc<Segment>,
}

/// The new segment while it is written. Nothing is written as long as it equals the old one.
struct Target<'a> {
    core: &'a Core,
    log: &'a Log,
    segment: Arc<Segment>,
    source: Arc<dyn VfsFile>,
    file: Option<Arc<dyn VfsFile>>,
    index: ActiveIndex,
    interval: u32,
    position: u64,
    buffer: Vec<u8>,
}

impl Target<'_> {
    /// Makes the file, with everything that was the same so far.
    fn begin(&mut self, pace: &mut Pace<'_>) -> Result<(), CleanFault> {
        if self.file.is_some() {
            return Ok(());
        }
        let path = cleaned_path(self.core, self.log, self.segment.base_offset, LOG);
        let file = self
            .core
            .files
            .get(self.segment.key, &path, OpenMode::Create)?;
        file.truncate(0)?;
        let mut copied = 0;
        while copied < self.position {
            let length = (self.position - copied).min(BUFFER_BYTES as u64) as usize;
            self.buffer.resize(length, 0);
            read_exact(&*self.source, &mut self.buffer, copied)?;
            write_all(&*file, &self.buffer, copied)?;
            copied += length as u64;
            pace.wrote(length as u64)?;
        }
        self.buffer.clear();
        self.file = Some(file);
        Ok(())
    }

    fn put(
        &mut self,
        bytes: &[u8],
        header: &BatchHeader,
        pace: &mut Pace<'_>,
    ) -> Result<(), CleanFault> {
        let end = self.position + bytes.len() as u64;
        if end > i32::MAX as u64 {
            let what = "the cleaned segment would be larger than 2 GiB".to_owned();
            return Err(CleanFault::Corrupt(header.base_offset, what));
        }
        let entry = BatchEntry {
            last_offset: header.last_offset(),
            max_timestamp: header.indexed_timestamp(),
            position: self.position,
            bytes: bytes.len() as u64,
        };
        // An index that is full is merely less dense.
        let _ = self.index.append(entry, self.interval);
        if self.file.is_some() {
            self.buffer.extend_from_slice(bytes);
        }
        self.position = end;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush(pace)?;
        }
        Ok(())
    }

    fn flush(&mut self, pace: &mut Pace<'_>) -> Result<(), CleanFault> {
        if let Some(file) = &self.file
            && !self.buffer.is_empty()
        {
            let length = self.buffer.len() as u64;
            write_all(&**file, &self.buffer, self.position - length)?;
            self.buffer.clear();
            pace.wrote(length)?;
        }
        Ok(())
    }

    /// Syncs the new files. None: nothing has changed.
    fn finish(mut self, pace: &mut Pace<'_>) -> Result<Option<NewSegment>, CleanFault> {
        self.flush(pace)?;
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        file.fsync().map_err(CleanFault::SyncFailed)?;
        let _ = self.index.index_largest();
        let (offsets, _, times, _) = self.index.memory();
        for (extension, bytes) in [(INDEX, offsets), (TIME_INDEX, times)] {
            let path = cleaned_path(self.core, self.log, self.segment.base_offset, extension);
            let file = self.core.vfs.open(&path, OpenMode::Create)?;
            file.truncate(0)?;
            write_all(&*file, &bytes, 0)?;
            file.fsync().map_err(CleanFault::SyncFailed)?;
        }
        self.segment.set_bytes(self.position);
        // Every batch was checked when it was read.
        self.segment.add_verified(0, self.position);
        self.segment
            .set_largest_timestamp(self.index.largest_timestamp());
        Ok(Some(NewSegment {
            segment: self.segment,
        }))
    }
}

pub fn cleaned_path(
    core: &Core,
    log: &Log,
    base_offset: i64,
    extension: &str,
) -> std::path::PathBuf {
    log.segment_path(
        &core.directory,
        base_offset,
        &format!("{extension}.{CLEANED}"),
    )
}

/// Removes what an unfinished run has left of a new segment.
pub fn discard(core: &Core, log: &Log, segment: &Segment) {
    core.files.forget(segment.key);
    for extension in [LOG, INDEX, TIME_INDEX] {
        // Absent is as good as removed; what stays is removed when the log is opened again.
        let path = cleaned_path(core, log, segment.base_offset, extension);
        let _ = core.vfs.unlink(&path);
    }
}

/// Writes what is left of `group`. None: all of it stays as it is.
pub fn rewrite(
    core: &Core,
    log: &Log,
    group: &[SegmentView],
    filter: &mut Filter<'_>,
    pace: &mut Pace<'_>,
) -> Result<Option<NewSegment>, CleanFault> {
    let Some(first) = group.first() else {
        return Ok(None);
    };
    let base_offset = first.segment.base_offset;
    let target = Target {
        core,
        log,
        segment: core.new_segment(base_offset, 0),
        source: core.segment_file(log, &first.segment)?,
        file: None,
        index: ActiveIndex::new(base_offset),
        interval: log.lock().config.index_interval_bytes,
        position: 0,
        buffer: Vec::new(),
    };
    let segment = Arc::clone(&target.segment);
    let result = write_group(group, target, filter, pace);
    if result.is_err() {
        discard(core, log, &segment);
    }
    result
}

fn write_group(
    group: &[SegmentView],
    mut target: Target<'_>,
    filter: &mut Filter<'_>,
    pace: &mut Pace<'_>,
) -> Result<Option<NewSegment>, CleanFault> {
    if group.len() > 1 {
        target.begin(pace)?;
    }
    let last = group.iter().rposition(|view| view.bytes > 0);
    for (index, view) in group.iter().enumerate() {
        let (core, log) = (target.core, target.log);
        walk(
            core,
            log,
            view,
            (view.segment.base_offset, Depth::Whole),
            pace,
            |scanner, position, header, pace| {
                // With the last batch of each segment there are no gaps between segments: what
                // a crash leaves can be told from what it took.
                let ends = position + header.size_bytes() as u64 == view.bytes;
                let must_stay = ends && Some(index) == last;
                let batch = scanner.view(position, header)?;
                let batch = batch.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
                match filter.judge(&batch, must_stay)? {
                    Verdict::Same => target.put(batch.bytes(), header, pace)?,
                    Verdict::Dropped => target.begin(pace)?,
                    Verdict::Rewritten => {
                        target.begin(pace)?;
                        let rewritten = BatchHeader::parse(&filter.output)
                            .map_err(|error| io::Error::other(error.to_string()))?;
                        target.put(&filter.output, &rewritten, pace)?;
                    }
                }
                Ok(Flow::On)
            },
        )?;
    }
    target.finish(pace)
}
