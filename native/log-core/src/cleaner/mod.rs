//! Compaction: of each key the newest record stays.
//!
//! A run looks at one log, on a thread of its own. It finds the aborted transactions
//! (`transactions`), learns the newest offset of every key above what is clean (`offset_map`), and
//! writes all segments below anew (`filter`, `rewrite`), each group in one step (`swap`). What to
//! clean, and when, the caller decides.
//!
//! Nothing of a log is locked while its files are read or written; only while a new segment takes
//! its place do truncation, retention and removal of that one log wait, for two directory syncs.
//! Appends and reads never do.

mod batch_writer;
mod deflate;
mod fault;
mod filter;
mod hash;
mod offset_map;
mod queue;
mod record_view;
mod rewrite;
mod spec;
mod swap;
mod transactions;
mod walk;

use std::io;
use std::time::Instant;

pub use queue::{CleanQueue, CleanTask};
pub use spec::{CleanOutcome, CleanSpec, CleanerStats, LiveProducer};
pub(crate) use swap::settle;

use crate::api::Reply;
use crate::core::Core;
use crate::janitor::write_checkpoint;
use crate::log::{Log, Status};
use crate::search::SegmentView;
use fault::CleanFault;
use filter::Filter;
use hash::KeyHasher;
use offset_map::{ENTRY_BYTES, OffsetMap};
use queue::Pace;
use record_view::{RecordViews, inflate};
use transactions::{Aborted, decided};
use walk::{Depth, Flow, walk};

/// The cleaning thread.
pub fn run(core: &Core) {
    lower_priority();
    while let Some(task) = core.cleaner.take() {
        let began = Instant::now();
        let result = clean(core, &task.log, &task.spec);
        let took = began.elapsed();
        core.cleaner.count(&result, took);
        if let Err(CleanFault::SyncFailed(error)) = &result {
            core.sync_failed(&task.log.name(), error);
        }
        let answer = match result {
            Ok(mut outcome) => {
                outcome.duration_ms = took.as_millis() as u64;
                Ok(Reply::Cleaned(outcome))
            }
            Err(fault) => Err(fault.into_error(&task.log)),
        };
        core.complete(task.request, answer);
        core.sink.burst_end();
        core.cleaner.finished();
    }
}

/// Whoever waits for an answer comes first, at the processor and at the disk.
fn lower_priority() {
    const NICE: libc::c_int = 10;
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const BEST_EFFORT_LOWEST: libc::c_int = 2 << 13 | 7;
    // SAFETY: both calls concern only the calling thread (0) and touch no memory. Where they are
    // not allowed, the thread runs as every other.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::syscall(
            libc::SYS_ioprio_set,
            IOPRIO_WHO_PROCESS,
            0,
            BEST_EFFORT_LOWEST,
        );
    }
}

/// What of a log may be cleaned now: its segments, and how many of them, up to which offset.
struct Cleanable {
    views: Vec<SegmentView>,
    first_dirty: i64,
    end: i64,
}

fn cleanable(log: &Log, spec: &CleanSpec) -> Result<Cleanable, CleanFault> {
    let views = SegmentView::all(log);
    let inner = log.lock();
    if inner.status != Status::Online {
        return Err(CleanFault::Changed);
    }
    // A recovery point in the middle of a file that is replaced would mean nothing.
    let recovered = inner.recovery.map_or(-1, |point| point.segment_base);
    let blocked = views.iter().find(|view| {
        let base = view.segment.base_offset;
        view.is_active || base >= recovered || inner.unsealed.contains(&base)
    });
    let sealed_end = blocked.map_or(0, |view| view.segment.base_offset);
    let end = spec.limit.min(sealed_end);
    let start = inner.start_offset;
    let mut corrupt = inner.corrupt.iter();
    if let Some(range) = corrupt.find(|range| range.0 < end && range.1 > start) {
        let what = "acknowledged bytes of it fail their checksum".to_owned();
        return Err(CleanFault::Corrupt(range.0, what));
    }
    Ok(Cleanable {
        first_dirty: spec.first_dirty.max(start),
        end,
        views,
    })
}

fn clean(core: &Core, log: &Log, spec: &CleanSpec) -> Result<CleanOutcome, CleanFault> {
    let Cleanable {
        views,
        first_dirty,
        end,
    } = cleanable(log, spec)?;
    if end <= first_dirty {
        return Ok(CleanOutcome {
            clean_end: first_dirty,
            ..CleanOutcome::default()
        });
    }
    let mut pace = Pace::new(&core.cleaner, spec.bytes_per_second);
    let (aborted, decided_end) = decided(core, log, &views, (first_dirty, end), &mut pace)?;
    let hasher = KeyHasher::new(secret()?);
    let keys_max = (decided_end - first_dirty).max(0) as u64;
    let mut map = OffsetMap::new(hasher, spec.map_bytes, keys_max);
    core.cleaner.note_map(map.slots() as u64 * ENTRY_BYTES);
    let range = (first_dirty, decided_end);
    let clean_end = learn_keys(
        core, log, &views, range, &aborted, spec, &mut map, &mut pace,
    )?;
    let mut outcome = CleanOutcome {
        clean_end,
        keys: map.len() as u64,
        is_map_full: clean_end < decided_end,
        ..CleanOutcome::default()
    };
    if clean_end <= first_dirty {
        return Ok(outcome);
    }
    let mut filter = Filter::new(spec, &map, &aborted, clean_end);
    let count = views.partition_point(|view| view.segment.base_offset < clean_end);
    let mut is_checkpointed = false;
    for group in groups(log, &views[..count]) {
        outcome.bytes_before += group.iter().map(|view| view.bytes).sum::<u64>();
        match rewrite::rewrite(core, log, group, &mut filter, &mut pace)? {
            None => outcome.bytes_after += group.iter().map(|view| view.bytes).sum::<u64>(),
            Some(new) => {
                if !is_checkpointed {
                    // An older checkpoint on disk may name a place inside of what is replaced.
                    if let Err(error) = write_checkpoint(core, false) {
                        rewrite::discard(core, log, &new.segment);
                        return Err(CleanFault::Io(io::Error::other(error.message)));
                    }
                    is_checkpointed = true;
                }
                outcome.bytes_after += new.segment.bytes();
                swap::swap(core, log, group, &new)?;
            }
        }
    }
    outcome.records_kept = filter.records_kept;
    outcome.records_removed = filter.records_removed;
    outcome.read_bytes = pace.read_bytes;
    outcome.written_bytes = pace.written_bytes;
    Ok(outcome)
}

/// Puts the keys of [from, to) into the map; gives the offset up to which they had room.
#[allow(clippy::too_many_arguments)]
fn learn_keys(
    core: &Core,
    log: &Log,
    views: &[SegmentView],
    (from, to): (i64, i64),
    aborted: &Aborted,
    spec: &CleanSpec,
    map: &mut OffsetMap,
    pace: &mut Pace<'_>,
) -> Result<i64, CleanFault> {
    let mut end = to;
    let mut buffer = Vec::new();
    for view in views {
        if view.end_offset <= from || view.segment.base_offset >= end {
            continue;
        }
        let flow = walk(
            core,
            log,
            view,
            (from, Depth::Whole),
            pace,
            |scanner, position, header, _| {
                if header.base_offset >= end {
                    return Ok(Flow::Enough);
                }
                if header.is_control() || header.records_count <= 0 || aborted.covers(header) {
                    return Ok(Flow::On);
                }
                let base = header.base_offset;
                let batch = scanner.view(position, header)?;
                let batch = batch.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
                let payload = inflate(&batch, spec.inflated_bytes_max, &mut buffer)
                    .map_err(|error| CleanFault::inflate(base, error))?;
                let mut records = RecordViews::new(payload, header.records_count);
                while let Some(record) = records
                    .next()
                    .map_err(|error| CleanFault::records(base, error))?
                {
                    let offset = base + i64::from(record.offset_delta);
                    let Some(key) = record.key else { continue };
                    if offset < from || offset >= end {
                        continue;
                    }
                    if !map.put(key, offset) {
                        end = offset;
                        return Ok(Flow::Enough);
                    }
                }
                Ok(Flow::On)
            },
        )?;
        if flow == Flow::Enough {
            break;
        }
    }
    Ok(end)
}

/// Neighbours that fit one segment together, as far as their old sizes tell.
fn groups<'a>(log: &Log, views: &'a [SegmentView]) -> Vec<&'a [SegmentView]> {
    let bytes_max = log.lock().config.segment_bytes.min(i32::MAX as u64);
    let mut groups = Vec::new();
    let mut from = 0;
    let mut bytes = 0;
    for (index, view) in views.iter().enumerate() {
        let base = views[from].segment.base_offset;
        let spans = view.end_offset - 1 - base > i64::from(i32::MAX);
        if index > from && (bytes + view.bytes > bytes_max || spans) {
            groups.push(&views[from..index]);
            (from, bytes) = (index, 0);
        }
        bytes += view.bytes;
    }
    if from < views.len() {
        groups.push(&views[from..]);
    }
    groups
}

fn secret() -> io::Result<[u8; 16]> {
    let mut secret = [0; 16];
    // SAFETY: `secret` is writable for its length.
    let got = unsafe { libc::getrandom(secret.as_mut_ptr().cast(), secret.len(), 0) };
    if got != secret.len() as isize {
        return Err(io::Error::last_os_error());
    }
    Ok(secret)
}
