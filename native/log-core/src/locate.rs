//! Offsets to file ranges on batch boundaries.
//!
//! The same walk runs twice at most: on the caller's thread, where it may only look at what is in
//! memory (and gives up with `Pending` where that is not enough), and then on a disk thread,
//! where it reads, checks checksums and finds its way around damage.

mod cold;
mod damage;

use std::io;
use std::sync::Arc;

use crate::active_index::{Lookup, last_before};
use crate::api::{AT_LEAST_ONE_BATCH, LocateRequest, Located, Pin};
use crate::batch::{BATCH_HEADER_BYTES, BatchHeader};
use crate::core::Core;
use crate::hints::KnownPosition;
use crate::index::OffsetEntry;
use crate::log::{Log, Segment, Status};
use crate::scan::{Found, Scanner};
use crate::search::{SegmentView, position_of};
use crate::vfs::VfsFile;
use cold::{read_on, warm};
use damage::{damaged_batch, first_damage, report_damage};

/// Headers that the caller's thread reads before it leaves the rest to a disk thread.
const FAST_HEADERS_MAX: usize = 512;

/// How often a segment may be replaced while a reader is on its way to it.
const REPLACED_MAX: usize = 16;

/// Where to look, as the log was at one moment.
struct Task {
    view: SegmentView,
    version: u32,
    offset: i64,
    /// First offset that must not be in the range: limit, end of segment, or damage.
    limit: i64,
    /// The bytes of the segment end where the limit does.
    limit_is_end: bool,
    start: Option<Start>,
    bytes_max: u64,
    at_least_one: bool,
}

/// Where a walk begins.
#[derive(Clone, Copy)]
struct Start {
    position: u64,
    /// What an index says is the last offset of the batch there.
    last_offset: Option<i64>,
}

impl Start {
    fn at(position: u64) -> Start {
        Start {
            position,
            last_offset: None,
        }
    }

    fn entry(entry: OffsetEntry) -> Start {
        Start {
            position: u64::from(entry.position),
            last_offset: (entry.position > 0).then_some(entry.offset),
        }
    }
}

enum Step {
    Done(Located),
    /// The offset lies behind the last batch of this segment.
    NextSegment(i64),
    /// Not in memory.
    Blocked,
}

/// Answers from memory, or with `Pending` where a disk may be needed.
pub fn locate_now(core: &Core, request: &LocateRequest) -> Located {
    let Some(log) = core.log(request.log) else {
        return Located::Unavailable;
    };
    let mut offset = request.offset;
    loop {
        let task = match prepare(core, &log, request, offset) {
            Ok(task) => task,
            Err(located) => return located,
        };
        match walk_in_memory(core, &log, &task) {
            Step::Done(located) => return located,
            Step::NextSegment(next) => offset = next,
            Step::Blocked => return Located::Pending,
        }
    }
}

/// Answers with the help of the disk.
pub fn locate_on_disk(core: &Core, request: &LocateRequest) -> Located {
    let Some(log) = core.log(request.log) else {
        return Located::Unavailable;
    };
    let mut offset = request.offset;
    let mut retries = REPLACED_MAX;
    loop {
        let task = match prepare(core, &log, request, offset) {
            Ok(task) => task,
            Err(located) => return located,
        };
        match walk_on_disk(core, &log, &task) {
            Ok(Step::Done(located)) => return located,
            Ok(Step::NextSegment(next)) => offset = next,
            Ok(Step::Blocked) => return Located::Unavailable,
            // Compaction has put another segment in its place, or is about to.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && task.view.segment.is_deleted()
                    && retries > 0 =>
            {
                retries -= 1;
                drop(log.hold_segment_files());
            }
            // Deleted between the look at the log and the look at the disk.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if offset < log.lock().start_offset {
                    Located::OutOfRange
                } else {
                    Located::Unavailable
                };
            }
            Err(error) => {
                let detail = format!("{}: read at {offset}: {error}", log.name());
                core.report_read_failed(&log, offset, detail);
                return Located::Unavailable;
            }
        }
    }
}

fn prepare(core: &Core, log: &Log, request: &LocateRequest, offset: i64) -> Result<Task, Located> {
    let inner = log.lock();
    if inner.status == Status::Removed {
        return Err(Located::Unavailable);
    }
    let written_end = log.written_end();
    if offset < inner.start_offset || offset > written_end {
        return Err(Located::OutOfRange);
    }
    let mut limit = request.limit.min(written_end);
    if offset >= limit {
        return Err(Located::Empty);
    }
    if inner.is_corrupt(offset) {
        return Err(Located::Corrupt);
    }
    let Some((index, segment)) = inner.segment_of(offset) else {
        return Err(Located::Empty);
    };
    let view = SegmentView {
        segment: Arc::clone(segment),
        is_active: inner.is_active(index),
        bytes: segment.bytes(),
        end_offset: inner.segment_end(index, written_end),
    };
    let limit_is_end = limit >= view.end_offset;
    limit = limit.min(view.end_offset);
    let damage = inner
        .corrupt
        .iter()
        .map(|range| range.0)
        .filter(|from| *from > offset)
        .min();
    let is_damaged = damage.is_some_and(|from| from < limit);
    limit = damage.map_or(limit, |from| from.min(limit));
    let start = if offset == segment.base_offset {
        Some(Start::at(0))
    } else {
        core.hints
            .get(log.id, inner.version, offset)
            .filter(|hint| hint.segment_base == segment.base_offset && hint.position < view.bytes)
            .map(|hint| Start::at(hint.position))
            .or_else(|| match inner.active.as_ref().filter(|_| view.is_active) {
                Some(active) => match active.index.lookup(offset) {
                    Lookup::At(entry) => Some(Start::entry(entry)),
                    Lookup::InFile => None,
                },
                None => None,
            })
    };
    Ok(Task {
        version: inner.version,
        offset,
        limit,
        limit_is_end: limit_is_end && !is_damaged,
        start,
        bytes_max: u64::from(request.bytes_max),
        at_least_one: request.flags & AT_LEAST_ONE_BATCH != 0,
        view,
    })
}

/// How headers are read: None where the bytes are not in memory.
type ReadHeader<'a> = dyn FnMut(u64) -> io::Result<Option<Found>> + 'a;

/// A range that was found: [from, to), and the first offset behind it.
struct Range {
    from: u64,
    to: u64,
    next_offset: Option<i64>,
}

enum Walked {
    Range(Range),
    /// Nothing may be given: the limit or the bytes are used up before the first batch ends.
    Empty,
    NextSegment,
    Blocked,
    /// Bytes that are no batch, at this position, where this offset was expected.
    Bad(u64, i64),
    /// An index does not say what the segment says.
    Misled,
}

/// Walks from `start` to the batch that contains the offset, and on to the end of the range.
/// `jump` gives a position up to which batches are known to belong to it.
fn walk(
    task: &Task,
    start: Start,
    read: &mut ReadHeader<'_>,
    jump: &dyn Fn(u64) -> Option<OffsetEntry>,
) -> io::Result<Walked> {
    let (mut position, mut expected) = (start.position, i64::MIN);
    if let Some(last_offset) = start.last_offset {
        match read(position)? {
            None => return Ok(Walked::Blocked),
            Some(Found::Batch(header)) if header.last_offset() == last_offset => {}
            Some(_) => return Ok(Walked::Misled),
        }
    }
    let first = loop {
        match read(position)? {
            None => return Ok(Walked::Blocked),
            Some(Found::End) => return Ok(Walked::NextSegment),
            Some(Found::Bad) => return Ok(Walked::Bad(position, expected)),
            Some(Found::Batch(header)) => {
                if header.base_offset < expected {
                    return Ok(Walked::Bad(position, expected));
                }
                if header.last_offset() >= task.offset {
                    break header;
                }
                position += header.size_bytes() as u64;
                expected = header.next_offset();
            }
        }
    };
    let size = first.size_bytes() as u64;
    if first.next_offset() > task.limit || (size > task.bytes_max && !task.at_least_one) {
        return Ok(Walked::Empty);
    }
    let from = position;
    let bytes_end = from + task.bytes_max.max(size);
    if task.limit_is_end && task.view.bytes <= bytes_end {
        let next_offset = Some(task.view.end_offset);
        return Ok(Walked::Range(Range {
            from,
            to: task.view.bytes,
            next_offset,
        }));
    }
    let mut to = from + size;
    let mut next_offset = first.next_offset();
    if let Some(entry) = jump(bytes_end)
        && u64::from(entry.position) > to
    {
        let position = u64::from(entry.position);
        match read(position)? {
            None => return Ok(Walked::Blocked),
            Some(Found::Batch(header)) if header.last_offset() == entry.offset => {
                (to, next_offset) = (position, header.base_offset);
            }
            // The index lies, or there is damage: walk.
            Some(_) => {}
        }
    }
    loop {
        match read(to)? {
            None => return Ok(Walked::Blocked),
            Some(Found::Batch(header)) if header.base_offset >= next_offset => {
                let end = to + header.size_bytes() as u64;
                if header.next_offset() > task.limit || end > bytes_end {
                    let next_offset = Some(header.base_offset);
                    return Ok(Walked::Range(Range {
                        from,
                        to,
                        next_offset,
                    }));
                }
                (to, next_offset) = (end, header.next_offset());
            }
            // Damage behind it ends the range; whoever asks for its offset hears of it.
            Some(_) => {
                let next_offset = Some(next_offset);
                return Ok(Walked::Range(Range {
                    from,
                    to,
                    next_offset,
                }));
            }
        }
    }
}

fn pin(segment: &Arc<Segment>, file: Arc<dyn VfsFile>, range: &Range) -> Located {
    let segment = Arc::clone(segment);
    Located::Ready(Pin {
        file,
        segment,
        position: range.from,
        length: (range.to - range.from) as u32,
    })
}

fn remember(core: &Core, log: &Log, task: &Task, range: &Range) {
    if let Some(offset) = range.next_offset
        && range.to < task.view.bytes
    {
        let segment_base = task.view.segment.base_offset;
        let known = KnownPosition {
            segment_base,
            position: range.to,
        };
        core.hints.put(log.id, task.version, offset, known);
    }
    if let Some(offset) = range.next_offset
        && range.to == task.view.bytes
        && task.view.is_active
    {
        // A reader at the tail comes back when there is more, right here.
        let segment_base = task.view.segment.base_offset;
        let known = KnownPosition {
            segment_base,
            position: range.to,
        };
        core.hints.put(log.id, task.version, offset, known);
    }
}

fn walk_in_memory(core: &Core, log: &Log, task: &Task) -> Step {
    let view = &task.view;
    let segment = &view.segment;
    let sealed = if view.is_active {
        None
    } else {
        core.indexes
            .peek_offsets(log.segment_key(segment.base_offset))
    };
    let start = task.start.or_else(|| {
        sealed
            .as_ref()
            .map(|index| Start::entry(index.entries().lookup(task.offset)))
    });
    let (Some(start), Some(file)) = (start, core.files.peek(segment.key)) else {
        return Step::Blocked;
    };
    let mut headers = 0;
    let mut read = |position: u64| -> io::Result<Option<Found>> {
        headers += 1;
        if headers > FAST_HEADERS_MAX {
            return Ok(None);
        }
        Ok(header_in_memory(&*file, position, view.bytes))
    };
    let jump = |position: u64| match &sealed {
        Some(index) => last_before(&index.entries(), position, task.limit),
        None => {
            let inner = log.lock();
            let active = inner.active.as_ref().filter(|_| view.is_active)?;
            active.index.last_before(position, task.limit)
        }
    };
    match walk(task, start, &mut read, &jump) {
        Ok(Walked::Range(range)) => {
            let checked = segment.is_verified(range.from, range.to);
            if !checked || !file.is_resident(range.from, range.to - range.from) {
                return Step::Blocked;
            }
            remember(core, log, task, &range);
            Step::Done(pin(segment, Arc::clone(&file), &range))
        }
        Ok(Walked::Empty) => Step::Done(Located::Empty),
        Ok(Walked::NextSegment) if !view.is_active => Step::NextSegment(view.end_offset),
        _ => Step::Blocked,
    }
}

fn header_in_memory(file: &dyn VfsFile, position: u64, end: u64) -> Option<Found> {
    if position >= end {
        return Some(Found::End);
    }
    let mut bytes = [0; BATCH_HEADER_BYTES];
    match file.pread_nowait(&mut bytes, position) {
        Ok(BATCH_HEADER_BYTES) => {}
        _ => return None,
    }
    match BatchHeader::parse(&bytes) {
        Ok(header)
            if header.last_offset_delta >= 0 && position + header.size_bytes() as u64 <= end =>
        {
            Some(Found::Batch(header))
        }
        _ => Some(Found::Bad),
    }
}

fn walk_on_disk(core: &Core, log: &Log, task: &Task) -> io::Result<Step> {
    let view = &task.view;
    let segment = &view.segment;
    let file = core.segment_file(log, segment)?;
    let mut start = match task.start {
        Some(start) => start,
        None => Start::at(position_of(core, log, view, task.offset)?),
    };
    let mut scanner = Scanner::sparse(Arc::clone(&file), view.bytes);
    loop {
        let mut read = |position: u64| {
            scanner
                .batch_at(position, segment.base_offset, false)
                .map(Some)
        };
        let jump = |position: u64| {
            let index = core
                .indexes
                .peek_offsets(log.segment_key(segment.base_offset))?;
            last_before(&index.entries(), position, task.limit)
        };
        match walk(task, start, &mut read, &jump)? {
            Walked::Range(range) => return give_checked(core, log, task, file, range),
            Walked::Empty => return Ok(Step::Done(Located::Empty)),
            Walked::NextSegment if view.is_active => return Ok(Step::Done(Located::Empty)),
            Walked::NextSegment => return Ok(Step::NextSegment(view.end_offset)),
            Walked::Blocked => return Ok(Step::Blocked),
            Walked::Misled => start = Start::at(position_of(core, log, view, task.offset)?),
            Walked::Bad(position, expected) => {
                // An index may have led astray, and the log may have been cut meanwhile.
                if log.lock().version != task.version {
                    return Ok(Step::Done(Located::Unavailable));
                }
                if start.position > 0 && expected == i64::MIN {
                    start = Start::at(0);
                    continue;
                }
                let from = expected.max(segment.base_offset);
                let (position, from) =
                    first_damage(core, log, view, start.position, (position, from))?;
                let to = report_damage(core, log, view, position, from)?;
                match to {
                    Some((next, offset)) if offset <= task.offset => start = Start::at(next),
                    _ => return Ok(Step::Done(Located::Corrupt)),
                }
            }
        }
    }
}

/// Checks what was not checked before, and brings the range into memory.
fn give_checked(
    core: &Core,
    log: &Log,
    task: &Task,
    file: Arc<dyn VfsFile>,
    mut range: Range,
) -> io::Result<Step> {
    let segment = &task.view.segment;
    if segment.is_verified(range.from, range.to) {
        warm(&*file, range.from, range.to)?;
    } else {
        let mut scanner = Scanner::new(Arc::clone(&file), range.to);
        let mut position = range.from;
        let mut expected = segment.base_offset;
        while position < range.to {
            match scanner.batch_at(position, expected, true)? {
                Found::Batch(header) => {
                    expected = header.next_offset();
                    position += header.size_bytes() as u64;
                }
                Found::End | Found::Bad => {
                    if log.lock().version != task.version {
                        return Ok(Step::Done(Located::Unavailable));
                    }
                    let first = if position == range.from {
                        task.offset
                    } else {
                        expected
                    };
                    damaged_batch(core, log, &task.view, position, first)?;
                    if position == range.from {
                        return Ok(Step::Done(Located::Corrupt));
                    }
                    range.to = position;
                    range.next_offset = Some(expected);
                }
            }
        }
        if log.lock().version == task.version {
            segment.add_verified(range.from, range.to);
        }
    }
    remember(core, log, task, &range);
    read_on(
        &*file,
        range.to,
        task.bytes_max.min(task.view.bytes - range.to),
    );
    Ok(Step::Done(pin(segment, file, &range)))
}
