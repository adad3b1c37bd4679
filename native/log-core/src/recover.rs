//! Finds out what a log holds after a crash: scans from the recovery point on, up to the first
//! batch that fails its checksum or does not continue the offsets, and judges what lies behind.
//!
//! | what | judgement |
//! |---|---|
//! | zeros to the end of the file | blocks written ahead: the data ends before them |
//! | bad bytes, nothing whole behind, at or above the durable mark | torn tail: cut |
//! | bad bytes, whole batches behind, the system was restarted, at or above the mark | a group of writes of which only some reached the disk, none acknowledged: cut |
//! | bad bytes, whole batches behind, otherwise | corruption: kept, reported, not served |
//! | the log ends below the durable mark | acknowledged bytes are gone: reported, not served |

use std::io;
use std::sync::Arc;

use crate::active_index::{ActiveIndex, BatchEntry};
use crate::checkpoint::{Point, Range};
use crate::core::Core;
use crate::index::{OFFSET_ENTRY_BYTES, OffsetEntries, TIME_ENTRY_BYTES, TimeEntries};
use crate::log::{Log, Segment};
use crate::names::{INDEX, TIME_INDEX};
use crate::scan::{Found, Scanner};
use crate::search::build_index;
use crate::segment_files::remove_index_files;
use crate::vfs::{VfsFile, read_exact, read_file, write_all};

const INDEX_BYTES_MAX: u64 = 1 << 30;

/// What is known about a log before its files are looked at.
#[derive(Clone, Debug)]
pub struct Known {
    pub recovery: Option<Point>,
    /// Everything below was durable.
    pub durable_mark: i64,
    /// Nothing that was written has been lost on its way to the disk.
    pub same_boot: bool,
    pub index_interval_bytes: u32,
}

/// What was found.
pub struct Recovered {
    pub segments: Vec<Arc<Segment>>,
    /// Index of the last segment; None: what its files hold is whole.
    pub index: Option<ActiveIndex>,
    pub end_offset: i64,
    pub cut_bytes: u64,
    pub corrupt: Vec<Range>,
    /// (epoch, first offset) of scanned batches, ascending.
    pub epochs: Vec<(i32, i64)>,
    pub largest_timestamp: i64,
    /// Segments that are not part of the log: what follows a cut.
    pub dropped: Vec<i64>,
    /// The last segment ends in bytes that are no batches: appends need a new one.
    pub ends_damaged: bool,
    /// Anything was read or changed: files must be synced.
    pub scanned: bool,
}

/// A segment's file as it was listed.
#[derive(Clone, Copy, Debug)]
pub struct ListedSegment {
    pub base_offset: i64,
    pub file_bytes: u64,
}

struct Recovery<'a> {
    core: &'a Core,
    log: &'a Log,
    known: &'a Known,
    listed: &'a [ListedSegment],
    result: Recovered,
    expected: i64,
}

/// Where one segment's scan went.
enum Outcome {
    /// On with the next segment.
    Whole,
    /// The log ends here.
    Ends,
}

pub fn recover(
    core: &Core,
    log: &Log,
    known: &Known,
    listed: &[ListedSegment],
) -> io::Result<Recovered> {
    let point = known.recovery.filter(|point| {
        listed.iter().any(|segment| {
            segment.base_offset == point.segment_base && segment.file_bytes >= point.position
        })
    });
    let mut recovery = Recovery {
        core,
        log,
        known,
        listed,
        expected: 0,
        result: Recovered {
            segments: Vec::with_capacity(listed.len()),
            index: None,
            end_offset: 0,
            cut_bytes: 0,
            corrupt: Vec::new(),
            epochs: Vec::new(),
            largest_timestamp: -1,
            dropped: Vec::new(),
            ends_damaged: false,
            // The deletion of what was here may be known to nobody but the page cache.
            scanned: listed.is_empty(),
        },
    };
    for (number, segment) in listed.iter().enumerate() {
        let trusted = point.is_some_and(|point| segment.base_offset < point.segment_base);
        if trusted {
            let found = core.new_segment(segment.base_offset, segment.file_bytes);
            recovery.result.segments.push(found);
            continue;
        }
        let from = point.filter(|point| point.segment_base == segment.base_offset);
        if !recovery.continues(number, from) {
            recovery.drop_from(number);
            break;
        }
        if let Outcome::Ends = recovery.scan(number, from)? {
            recovery.drop_from(number + 1);
            break;
        }
    }
    Ok(recovery.finish())
}

impl Recovery<'_> {
    /// Whether a segment may follow what was found before it.
    fn continues(&self, number: usize, from: Option<Point>) -> bool {
        let base = self.listed[number].base_offset;
        if number == 0 || from.is_some() || self.result.segments.is_empty() {
            return true;
        }
        // A hole between segments is meant where nothing can have got lost. After a restart of
        // the system, above the mark, it is a write that did not make it.
        base == self.expected
            || base > self.expected
                && (self.known.same_boot || self.known.durable_mark > self.expected)
    }

    fn drop_from(&mut self, number: usize) {
        for segment in &self.listed[number.min(self.listed.len())..] {
            self.result.dropped.push(segment.base_offset);
            self.result.cut_bytes += segment.file_bytes;
            self.result.scanned = true;
        }
    }

    fn scan(&mut self, number: usize, from: Option<Point>) -> io::Result<Outcome> {
        let ListedSegment {
            base_offset,
            file_bytes,
        } = self.listed[number];
        let start = from.map_or(0, |point| point.position);
        self.expected = from.map_or(base_offset, |point| point.offset);
        let segment = self.core.new_segment(base_offset, file_bytes);
        self.result.segments.push(Arc::clone(&segment));
        let is_last = number + 1 == self.listed.len();
        self.result.index = None;
        self.result.ends_damaged = false;
        if start == file_bytes && is_last && self.known.same_boot && start > 0 {
            // Nothing was written since, and nothing of its indexes can have got lost.
            return Ok(Outcome::Whole);
        }
        // Even where nothing is found: the file itself, or the deletion of others beside it, may
        // be known to nobody but the page cache.
        self.result.scanned = true;
        let file = self.core.segment_file(self.log, &segment)?;
        let mut scanner = Scanner::new(Arc::clone(&file), file_bytes);
        let mut index = self.index_below(&segment, start, self.expected)?;
        let mut position = start;
        let mut run_start = start;
        let outcome = loop {
            match scanner.batch_at(position, self.expected, true)? {
                Found::Batch(header) => {
                    let bytes = header.size_bytes() as u64;
                    let entry = BatchEntry {
                        last_offset: header.last_offset(),
                        max_timestamp: header.indexed_timestamp(),
                        position,
                        bytes,
                    };
                    // An index that is full is merely less dense.
                    let _ = index.append(entry, self.known.index_interval_bytes);
                    let epochs = &mut self.result.epochs;
                    if header.leader_epoch > epochs.last().map_or(-1, |last| last.0) {
                        epochs.push((header.leader_epoch, header.base_offset));
                    }
                    position += bytes;
                    self.expected = header.next_offset();
                }
                Found::End => {
                    segment.add_verified(run_start, position);
                    segment.set_bytes(position);
                    break Outcome::Whole;
                }
                Found::Bad => {
                    segment.add_verified(run_start, position);
                    match self.judge(number, &mut scanner, position)? {
                        Judgement::DataEnds => {
                            segment.set_bytes(position);
                            break Outcome::Whole;
                        }
                        Judgement::Cut(bytes) => {
                            self.result.cut_bytes += bytes;
                            segment.set_bytes(position);
                            break Outcome::Ends;
                        }
                        Judgement::CorruptTo(next, offset) => {
                            self.result.corrupt.push((self.expected, offset));
                            (position, run_start, self.expected) = (next, next, offset);
                        }
                        Judgement::CorruptTail => {
                            let behind = self.listed.get(number + 1);
                            let mark = self.known.durable_mark;
                            let to = behind.map_or(mark, |next| next.base_offset);
                            if to > self.expected {
                                self.result.corrupt.push((self.expected, to));
                                self.expected = to;
                            }
                            self.result.ends_damaged = true;
                            break Outcome::Whole;
                        }
                    }
                }
            }
        };
        if self.core.recovery.rewrite {
            self.core.hear_old_error(&*file);
            rewrite(&*file, start, segment.bytes())?;
        }
        segment.set_largest_timestamp(index.largest_timestamp());
        self.result.largest_timestamp =
            self.result.largest_timestamp.max(index.largest_timestamp());
        self.keep_index(&segment, index, is_last || matches!(outcome, Outcome::Ends))?;
        Ok(outcome)
    }

    /// What to make of bytes at `position` that are not the batch that should be there.
    fn judge(&self, number: usize, scanner: &mut Scanner, position: u64) -> io::Result<Judgement> {
        let data_end = scanner.data_end(position)?;
        if data_end == position {
            return Ok(Judgement::DataEnds);
        }
        let was_durable = self.known.durable_mark > self.expected;
        let announced = scanner.announced_end(position, self.expected)?;
        let next = if !was_durable && announced.is_some_and(|end| end > data_end) {
            // Cut off while it was written: what looks like a batch in there is a record's content.
            None
        } else {
            scanner.find_behind(position, self.expected)?
        };
        let behind = next.is_some() || self.listed[number + 1..].iter().any(|s| s.file_bytes > 0);
        let is_lost = if behind {
            was_durable || self.known.same_boot
        } else {
            was_durable
        };
        if is_lost {
            return Ok(match next {
                Some((next, header)) => Judgement::CorruptTo(next, header.base_offset),
                None => Judgement::CorruptTail,
            });
        }
        Ok(Judgement::Cut(data_end - position))
    }

    /// The index of the part of a segment that need not be scanned.
    fn index_below(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        offset: i64,
    ) -> io::Result<ActiveIndex> {
        let base = segment.base_offset;
        if position == 0 {
            return Ok(ActiveIndex::new(base));
        }
        let read = |extension| -> io::Result<Vec<u8>> {
            let path = self.log.segment_path(&self.core.directory, base, extension);
            Ok(read_file(&*self.core.vfs, &path, INDEX_BYTES_MAX)?.unwrap_or_default())
        };
        let (mut offsets, mut times) = (read(INDEX)?, read(TIME_INDEX)?);
        let entries = OffsetEntries::new(base, &offsets);
        let kept = (0..entries.len()).take_while(|index| {
            let entry = entries.get(*index);
            u64::from(entry.position) < position && entry.offset < offset
        });
        let kept = kept.count() * OFFSET_ENTRY_BYTES;
        let entries = TimeEntries::new(base, &times);
        let kept_times = (0..entries.len()).take_while(|index| entries.get(*index).offset < offset);
        let kept_times = kept_times.count() * TIME_ENTRY_BYTES;
        offsets.truncate(kept);
        times.truncate(kept_times);
        match ActiveIndex::from_bytes(base, offsets, times) {
            Ok(index) => Ok(index),
            Err(_) => {
                let file = self.core.segment_file(self.log, segment)?;
                build_index(file, base, position, self.known.index_interval_bytes)
            }
        }
    }

    /// The last segment's index stays in memory; the others' go to their files.
    fn keep_index(
        &mut self,
        segment: &Arc<Segment>,
        mut index: ActiveIndex,
        is_last: bool,
    ) -> io::Result<()> {
        if is_last && !self.result.ends_damaged {
            self.result.index = Some(index);
            return Ok(());
        }
        let _ = index.index_largest();
        if self.core.recovery.rewrite {
            // New files know of no failed write-back.
            remove_index_files(self.core, self.log, segment.base_offset);
        }
        let (offsets, _, times, _) = index.memory();
        for (extension, bytes) in [(INDEX, offsets), (TIME_INDEX, times)] {
            let path = self
                .log
                .segment_path(&self.core.directory, segment.base_offset, extension);
            crate::vfs::write_file(&*self.core.vfs, &path, &bytes)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Recovered {
        let mark = self.known.durable_mark;
        if self.expected < mark {
            // Acknowledged bytes are gone without a trace: their offsets are never given again.
            self.result.corrupt.push((self.expected, mark));
            self.expected = mark;
            self.result.ends_damaged = true;
        }
        self.result.end_offset = self.expected;
        self.result
    }
}

/// Writes a range over itself. After a failed fsync, Linux calls pages clean that never reached
/// the disk; written again, the next fsync takes them there.
fn rewrite(file: &dyn VfsFile, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = vec![0; ((to - from) as usize).min(1 << 20)];
    let mut position = from;
    while position < to {
        let length = ((to - position) as usize).min(buffer.len());
        read_exact(file, &mut buffer[..length], position)?;
        write_all(file, &buffer[..length], position)?;
        position += length as u64;
    }
    Ok(())
}

enum Judgement {
    /// Only zeros follow.
    DataEnds,
    /// Drop so many bytes that are not zeros.
    Cut(u64),
    /// The next whole batch: its position and base offset.
    CorruptTo(u64, i64),
    /// Nothing whole follows in this file.
    CorruptTail,
}
