//! Opens logs: looks at their folders, recovers what a crash left, makes them ready to serve.

mod queue;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::api::{LogSpec, LogState, Reply, StoreError};
use crate::append::wall_ms;
use crate::checkpoint::{CheckpointEntry, Point, parse_leader_epochs, partition_metadata};
use crate::core::Core;
use crate::deleter::Job;
use crate::janitor::write_epochs;
use crate::log::{Active, Log, Status};
use crate::names::{
    DELETED, INDEX, LEADER_EPOCHS, LOG, PARTITION_METADATA, TEMPORARY, TIME_INDEX, check_log,
    parse_segment_file, segment_file,
};
use crate::recover::{Known, ListedSegment, Recovered, recover};
use crate::scan::{Found, Scanner};
use crate::seal::{SYNC_TOGETHER_LOGS, SyncMode, seal_files};
use crate::vfs::{OpenMode, read_file, write_file};

pub use queue::{OpenQueue, run};

/// Logs are recovered by so many threads.
const OPEN_THREADS: usize = 4;
const SMALL_TEXT_BYTES_MAX: u64 = 16 << 20;

/// What is known about a log from the checkpoint, the marks, or its former self.
struct Prior {
    entry: Option<CheckpointEntry>,
    durable_mark: i64,
    /// Files are as a clean stop left them.
    clean: bool,
    same_boot: bool,
}

/// Opens all logs, or none where one of them cannot be opened.
fn open_logs(core: &Core, specs: &[LogSpec]) -> Result<Reply, StoreError> {
    let mut named = HashSet::new();
    for spec in specs {
        check_log(&spec.topic, spec.partition)?;
        if !named.insert(spec.log) {
            let text = format!("log {} is named twice", spec.log);
            return Err(StoreError::new("INVALID", text));
        }
        if core
            .log(spec.log)
            .is_some_and(|log| log.lock().status == Status::Online)
        {
            let text = format!("log {} is open already", spec.log);
            return Err(StoreError::new("INVALID", text));
        }
    }
    let many = specs.len() >= SYNC_TOGETHER_LOGS;
    let mode = if many {
        SyncMode::Later
    } else {
        SyncMode::Each
    };
    let next = AtomicUsize::new(0);
    let unsynced = AtomicBool::new(false);
    let opened: Mutex<Vec<(usize, Arc<Log>)>> = Mutex::new(Vec::with_capacity(specs.len()));
    let failure: Mutex<Option<StoreError>> = Mutex::new(None);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(spec) = specs.get(index) else { return };
            match open_log(core, spec, mode) {
                Ok((log, touched)) => {
                    unsynced.fetch_or(touched, Ordering::Relaxed);
                    opened
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, log));
                }
                Err(error) => {
                    next.store(specs.len(), Ordering::Relaxed);
                    failure
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
            }
        }
    };
    if specs.len() < 8 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..OPEN_THREADS {
                scope.spawn(work);
            }
        });
    }
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    // What is answered is durable, whether it was so before the crash or not.
    if mode == SyncMode::Later
        && unsynced.into_inner()
        && let Err(error) = core.sync_file_system()
    {
        core.sync_failed("the data directory", &error);
        return Err(StoreError::io(core.directory.display(), &error));
    }
    let mut opened = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
    opened.sort_unstable_by_key(|(index, _)| *index);
    let mut logs = core.logs_mut();
    let mut unopened = core.unopened();
    for (_, log) in &opened {
        logs.insert(log.id, Arc::clone(log));
        unopened.remove(&(log.topic_id, log.partition));
    }
    let states: Vec<LogState> = opened.iter().map(|(_, log)| log.state()).collect();
    Ok(Reply::Logs(states))
}

/// What is known of the log. A log that went offline in this run is its own best witness.
fn prior_of(core: &Core, spec: &LogSpec) -> Prior {
    if let Some(old) = core.log(spec.log) {
        core.flush.barrier();
        core.janitor.wait_idle();
        core.indexes.forget_log(old.id);
        let structure = old.structure.lock();
        let _structure = structure.unwrap_or_else(PoisonError::into_inner);
        let held = old.segment_files.lock();
        let _held = held.unwrap_or_else(PoisonError::into_inner);
        let (segments, durable_mark) = {
            let mut inner = old.lock();
            // Whoever still holds the former value keeps off the files.
            inner.status = Status::Removed;
            let durable_mark = inner.synced.map_or(-1, |point| point.offset);
            (inner.segments.clone(), durable_mark)
        };
        for segment in segments {
            core.zeroes.clear_way(segment.key, 0, u64::MAX);
            core.files.forget(segment.key);
        }
        let entry = Some(old.checkpoint_entry());
        return Prior {
            entry,
            durable_mark,
            clean: false,
            same_boot: true,
        };
    }
    let unopened = core.unopened();
    let known = unopened
        .get(&(spec.topic_id, spec.partition))
        .cloned()
        .unwrap_or_default();
    let recovered = known.entry.as_ref().and_then(|entry| entry.recovery);
    let durable_mark = known
        .durable_mark
        .unwrap_or(-1)
        .max(recovered.map_or(-1, |point| point.offset));
    Prior {
        clean: core.recovery.clean && known.entry.is_some(),
        entry: known.entry,
        durable_mark,
        same_boot: core.recovery.same_boot,
    }
}

/// Gives the log, and whether something of it has yet to be synced.
fn open_log(core: &Core, spec: &LogSpec, mode: SyncMode) -> Result<(Arc<Log>, bool), StoreError> {
    let log = Log::new(spec);
    let failed = |error: io::Error| StoreError::io(log.name(), &error);
    let prior = prior_of(core, spec);
    let folder = log.folder(&core.directory);
    let Some(listed) = list_segments(core, &log, &folder)? else {
        // Nothing on disk. That is how a log without data looks, unless it had some.
        let entry = prior.entry.as_ref();
        let start = entry.map_or(0, |entry| entry.start_offset);
        let end = prior.durable_mark.max(start);
        let mut inner = log.lock();
        inner.start_offset = start;
        if end > start {
            inner.add_corrupt(start, end);
        }
        drop(inner);
        log.set_written_end(end);
        log.set_durable_end(end);
        return Ok((Arc::new(log), false));
    };
    let owned = check_owner(core, &log, &folder)?;
    let point = prior.entry.as_ref().and_then(|entry| entry.recovery);
    let is_whole = prior.clean
        && match (point, listed.last()) {
            (Some(point), Some(last)) => {
                last.base_offset == point.segment_base && last.file_bytes == point.position
            }
            (None, None) => true,
            _ => false,
        };
    let known = Known {
        recovery: point,
        durable_mark: prior.durable_mark,
        // A folder that lost its owner's name is what a power failure left, whatever the checkpoint
        // says that a start after it has written.
        same_boot: prior.same_boot && owned,
        index_interval_bytes: spec.config.index_interval_bytes,
    };
    let recovered = if is_whole {
        as_checkpointed(core, &listed, point, prior.entry.as_ref())
    } else {
        recover(core, &log, &known, &listed).map_err(failed)?
    };
    let touched = recovered.scanned;
    finish(core, &log, &prior, recovered, mode).map_err(failed)?;
    if !owned || core.recovery.rewrite {
        // Not before: until then a start that is killed must not hide from the next one that
        // this log has yet to be recovered from a power failure.
        write_owner(core, &log, &folder)?;
    }
    Ok((Arc::new(log), touched))
}

/// After a clean stop nothing is looked at.
fn as_checkpointed(
    core: &Core,
    listed: &[ListedSegment],
    point: Option<Point>,
    entry: Option<&CheckpointEntry>,
) -> Recovered {
    let segments = listed
        .iter()
        .map(|segment| core.new_segment(segment.base_offset, segment.file_bytes))
        .collect();
    Recovered {
        segments,
        index: None,
        end_offset: point.map_or(0, |point| point.offset),
        cut_bytes: 0,
        corrupt: Vec::new(),
        epochs: Vec::new(),
        largest_timestamp: entry.map_or(-1, |entry| entry.largest_timestamp),
        dropped: Vec::new(),
        ends_damaged: false,
        scanned: false,
    }
}

/// The segments in the log's folder, ascending; None where there is no folder. What was left of
/// deletions and of unfinished writes goes.
fn list_segments(
    core: &Core,
    log: &Log,
    folder: &Path,
) -> Result<Option<Vec<ListedSegment>>, StoreError> {
    let failed = |error: io::Error| StoreError::io(folder.display(), &error);
    let mut entries = match core.vfs.read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    if crate::cleaner::settle(core, folder, &entries).map_err(failed)? {
        entries = core.vfs.read_dir(folder).map_err(failed)?;
    }
    let mut listed = Vec::new();
    let mut indexes = Vec::new();
    for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
        let path = folder.join(&entry.name);
        if entry.name.ends_with(TEMPORARY) {
            core.vfs.unlink(&path).map_err(failed)?;
        } else if let Some((base_offset, extension)) = parse_segment_file(&entry.name) {
            match extension {
                LOG => {
                    let meta = core.vfs.metadata(&path).map_err(failed)?;
                    let file_bytes = meta.map_or(0, |meta| meta.len);
                    listed.push(ListedSegment {
                        base_offset,
                        file_bytes,
                    });
                }
                INDEX | TIME_INDEX => indexes.push((base_offset, path)),
                other if other.ends_with(DELETED) => {
                    core.deletes.push(
                        Job::Files {
                            paths: vec![path],
                            segment: None,
                        },
                        0,
                    );
                }
                _ => {}
            }
        }
    }
    listed.sort_unstable_by_key(|segment| segment.base_offset);
    for (base, path) in indexes {
        if listed
            .binary_search_by_key(&base, |segment| segment.base_offset)
            .is_err()
        {
            core.vfs.unlink(&path).map_err(failed)?;
        }
    }
    let _ = log;
    Ok(Some(listed))
}

/// Refuses a folder that another topic of the same name left behind. False where it does not say
/// whose it is: cut off by a crash before anything in the folder was durable.
fn check_owner(core: &Core, log: &Log, folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join(PARTITION_METADATA);
    let failed = |error: io::Error| StoreError::io(path.display(), &error);
    let bytes = read_file(&*core.vfs, &path, SMALL_TEXT_BYTES_MAX).map_err(failed)?;
    match bytes
        .as_deref()
        .and_then(crate::checkpoint::parse_partition_metadata)
    {
        Some(owner) if owner == log.topic_id => Ok(true),
        Some(_) => {
            let text = format!(
                "{} belongs to another topic of that name; open it under its own id and remove it",
                folder.display()
            );
            Err(StoreError::new("TOPIC_ID", text))
        }
        None => Ok(false),
    }
}

/// Says whose the folder is, where it does not say so or perhaps only in the page cache.
fn write_owner(core: &Core, log: &Log, folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(PARTITION_METADATA);
    let text = partition_metadata(&log.topic_id);
    core.space
        .with_reserve(PARTITION_METADATA, || {
            write_file(&*core.vfs, &path, text.as_bytes())
        })
        .map_err(|error| StoreError::io(path.display(), &error))
}

fn finish(
    core: &Core,
    log: &Log,
    prior: &Prior,
    recovered: Recovered,
    mode: SyncMode,
) -> io::Result<()> {
    let folder = &log.folder(&core.directory);
    for base in recovered.dropped.iter().rev() {
        unlink_segment(core, folder, *base)?;
    }
    let mut segments = recovered.segments;
    let mut index = recovered.index;
    if recovered.scanned {
        // Old index files may reach further than what is left; they are written anew.
        if index.is_some()
            && let Some(last) = segments.last()
        {
            crate::segment_files::remove_index_files(core, log, last.base_offset);
        }
        for segment in &segments {
            // Trusted segments have no checked bytes yet and need no sync either.
            if segment.largest_timestamp().is_some() {
                seal_files(core, log, segment, mode)?;
            }
        }
        if mode == SyncMode::Each {
            core.synced(&log.name(), core.vfs.fsync_dir(folder))?;
        }
    }
    let mut end = recovered.end_offset;
    let entry = prior.entry.as_ref();
    let start = entry.map_or(0, |entry| entry.start_offset);
    let is_trimmed = start > end;
    // What lies below a start that was acknowledged may have got lost, but its offsets are gone.
    end = end.max(start);
    if recovered.ends_damaged || is_trimmed || segments.is_empty() && end > 0 {
        let segment = core.new_segment(end, 0);
        let path = log.log_path(&core.directory, end);
        let file = core.files.get(segment.key, &path, OpenMode::Create)?;
        core.hear_old_error(&*file);
        file.truncate(0)?;
        let synced = file.fsync().and_then(|()| core.vfs.fsync_dir(folder));
        core.synced(&log.name(), synced)?;
        segments.retain(|old| old.base_offset != end);
        if is_trimmed {
            for old in segments.drain(..) {
                unlink_segment(core, folder, old.base_offset)?;
            }
        }
        segments.push(segment);
        index = None;
    }
    let epochs = load_epochs(core, log, folder, &segments, &recovered.epochs)?;
    let first = segments.first().map_or(end, |segment| segment.base_offset);
    let start = start.max(first);
    let point = segments.last().map(|segment| Point {
        offset: end,
        segment_base: segment.base_offset,
        position: segment.bytes(),
    });
    let mut inner = log.lock();
    for range in entry
        .map_or(&[][..], |entry| &entry.corrupt)
        .iter()
        .chain(&recovered.corrupt)
    {
        inner.add_corrupt(range.0, range.1.min(end));
    }
    if let Some(index) = index
        && let Some(segment) = segments.last()
    {
        let mut active = Active::new(segment.base_offset, wall_ms());
        active.first_timestamp = first_timestamp(core, log, segment)?;
        active.index = index;
        inner.active = Some(Box::new(active));
    }
    let largest = entry.map_or(-1, |entry| entry.largest_timestamp);
    inner.largest_timestamp = largest.max(recovered.largest_timestamp);
    inner.start_offset = start;
    inner.segments = segments;
    inner.synced = point;
    // The checkpoint may go on from the end once the indexes are in their files.
    inner.recovery = if recovered.scanned {
        entry.and_then(|entry| entry.recovery)
    } else {
        point
    };
    inner.cut_bytes = recovered.cut_bytes;
    inner.epochs = epochs;
    inner.cut_epochs(start, end);
    inner.epochs_changed |= !recovered.epochs.is_empty();
    let changed = inner.epochs_changed.then(|| inner.epochs.clone());
    inner.epochs_changed = false;
    drop(inner);
    if let Some(epochs) = changed {
        write_epochs(core, log, &epochs, mode)?;
    }
    log.set_written_end(end);
    log.set_durable_end(end);
    Ok(())
}

fn unlink_segment(core: &Core, folder: &Path, base_offset: i64) -> io::Result<()> {
    for extension in [LOG, INDEX, TIME_INDEX] {
        match core
            .vfs
            .unlink(&folder.join(segment_file(base_offset, extension)))
        {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn first_timestamp(
    core: &Core,
    log: &Log,
    segment: &crate::log::Segment,
) -> io::Result<Option<i64>> {
    let file = core.segment_file(log, segment)?;
    let mut scanner = Scanner::sparse(file, segment.bytes());
    Ok(match scanner.batch_at(0, segment.base_offset, false)? {
        Found::Batch(header) => Some(header.max_timestamp),
        _ => None,
    })
}

/// The leader epochs of a log: its file's, and those that were scanned behind it. Where the file
/// cannot be read, the headers of all batches say what it held.
fn load_epochs(
    core: &Core,
    log: &Log,
    folder: &Path,
    segments: &[Arc<crate::log::Segment>],
    scanned: &[(i32, i64)],
) -> io::Result<Vec<(i32, i64)>> {
    let path = folder.join(LEADER_EPOCHS);
    let bytes = read_file(&*core.vfs, &path, SMALL_TEXT_BYTES_MAX)?;
    let mut epochs = match bytes.as_deref().map(parse_leader_epochs) {
        None => Vec::new(),
        Some(Some(epochs)) => epochs,
        Some(None) => walk_epochs(core, log, segments)?,
    };
    for (epoch, start) in scanned {
        if epochs
            .last()
            .is_none_or(|last| last.0 < *epoch && last.1 < *start)
        {
            epochs.push((*epoch, *start));
        }
    }
    Ok(epochs)
}

fn walk_epochs(
    core: &Core,
    log: &Log,
    segments: &[Arc<crate::log::Segment>],
) -> io::Result<Vec<(i32, i64)>> {
    let mut epochs: Vec<(i32, i64)> = Vec::new();
    for segment in segments {
        let file = core.segment_file(log, segment)?;
        let mut scanner = Scanner::sparse(file, segment.bytes());
        let (mut position, mut expected) = (0, segment.base_offset);
        while let Found::Batch(header) = scanner.batch_at(position, expected, false)? {
            if header.leader_epoch > epochs.last().map_or(-1, |last| last.0) {
                epochs.push((header.leader_epoch, header.base_offset));
            }
            position += header.size_bytes() as u64;
            expected = header.next_offset();
        }
    }
    Ok(epochs)
}
