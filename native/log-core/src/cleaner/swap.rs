//! Puts a cleaned segment in the place of the ones that it was made from, and finishes what a
//! crash has interrupted.
//!
//! | on disk | what it means |
//! |---|---|
//! | `.cleaned` | unfinished: removed at the next start |
//! | `.log.swap` | whole and synced: it replaces every segment that begins within its offsets |
//! | `.timeindex.swap` without `.log.swap` | the segment has its name already, but some of those that it replaced may still be there |
//!
//! So a crash between any two of these steps leaves either the old segments or the new one.

use std::io;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::CleanFault;
use super::rewrite::{NewSegment, cleaned_path, discard};
use crate::api::StoreCode;
use crate::core::Core;
use crate::deleter::Job;
use crate::log::{Log, Segment, Status};
use crate::names::{
    CLEANED, DELETED, INDEX, LOG, SWAP, TIME_INDEX, parse_segment_file, segment_file,
};
use crate::scan::{Found, Scanner};
use crate::search::SegmentView;
use crate::vfs::{DirEntry, OpenMode};

/// Keeps the names of replaced files apart: a base offset is replaced again and again.
static REPLACED: AtomicU64 = AtomicU64::new(0);

fn swap_path(core: &Core, log: &Log, base_offset: i64, extension: &str) -> std::path::PathBuf {
    log.segment_path(&core.directory, base_offset, &format!("{extension}.{SWAP}"))
}

/// Where the segments of `old` are in the log, if they all are there as they were.
fn place_of(log: &Log, old: &[SegmentView]) -> Option<usize> {
    let inner = log.lock();
    if inner.status != Status::Online {
        return None;
    }
    let key = old.first()?.segment.key;
    let at = inner
        .segments
        .iter()
        .position(|segment| segment.key == key)?;
    let now = inner.segments.get(at..at + old.len())?;
    let same = now.iter().zip(old).all(|(segment, view)| {
        segment.key == view.segment.key && segment.bytes() == view.bytes && !segment.is_deleted()
    });
    (same && at + old.len() < inner.segments.len()).then_some(at)
}

/// Replaces `old` by `new`. Readers that have a file open go on with it.
pub fn swap(
    core: &Core,
    log: &Log,
    old: &[SegmentView],
    new: &NewSegment,
) -> Result<(), CleanFault> {
    // Held to the end: nothing is cut, deleted or opened again in between.
    let structure = log.structure.lock();
    let _structure = structure.unwrap_or_else(PoisonError::into_inner);
    let Some(at) = place_of(log, old) else {
        discard(core, log, &new.segment);
        return Err(CleanFault::Changed);
    };
    if let Err(error) = commit(core, log, &new.segment) {
        discard(core, log, &new.segment);
        return Err(error);
    }
    let replaced = replace(core, log, at, old, new).and_then(|paths| {
        let synced = core.vfs.fsync_dir(&log.folder(&core.directory));
        core.synced(&log.name(), synced)?;
        settle_time_index(core, log, &new.segment)?;
        Ok(paths)
    });
    match replaced {
        Ok(paths) => {
            let low = core.space.is_low();
            let delay = log.lock().config.file_delete_delay_ms;
            for (paths, view) in paths.into_iter().zip(old) {
                let segment = Some(std::sync::Arc::clone(&view.segment));
                let job = Job::Files { paths, segment };
                core.deletes.push(job, if low { 0 } else { delay });
            }
            Ok(())
        }
        Err(error) => {
            // What the log has on disk is found out when it is opened again.
            let detail = format!("{}: replacing cleaned segments: {error}", log.name());
            core.fail_log(log, StoreCode::WriteFailed, detail);
            Err(CleanFault::Io(error))
        }
    }
}

/// From here on the new segment counts, also after a crash. The log's own file comes last: with it
/// the swap begins.
fn commit(core: &Core, log: &Log, segment: &Segment) -> Result<(), CleanFault> {
    let base = segment.base_offset;
    for extension in [INDEX, TIME_INDEX, LOG] {
        let from = cleaned_path(core, log, base, extension);
        if let Err(error) = core
            .vfs
            .rename(&from, &swap_path(core, log, base, extension))
        {
            for extension in [INDEX, TIME_INDEX] {
                let _ = core.vfs.unlink(&swap_path(core, log, base, extension));
            }
            return Err(CleanFault::Io(error));
        }
    }
    core.vfs
        .fsync_dir(&log.folder(&core.directory))
        .map_err(CleanFault::SyncFailed)
}

/// Takes the names from the old files and gives them to the new ones.
fn replace(
    core: &Core,
    log: &Log,
    at: usize,
    old: &[SegmentView],
    new: &NewSegment,
) -> io::Result<Vec<Vec<std::path::PathBuf>>> {
    let folder = log.folder(&core.directory);
    let held = log.segment_files.lock();
    let _held = held.unwrap_or_else(PoisonError::into_inner);
    let mut paths = Vec::with_capacity(old.len());
    for view in old {
        let base = view.segment.base_offset;
        // First, so that nobody opens the new file for the old segment.
        view.segment.set_deleted();
        core.zeroes.clear_way(view.segment.key, 0, u64::MAX);
        core.indexes.forget(log.segment_key(base));
        let number = REPLACED.fetch_add(1, Ordering::Relaxed);
        let mut renamed = Vec::new();
        for extension in [LOG, INDEX, TIME_INDEX] {
            let name = segment_file(base, extension);
            let deleted = folder.join(format!("{name}.{number}.{DELETED}"));
            match core.vfs.rename(&folder.join(name), &deleted) {
                Ok(()) => renamed.push(deleted),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        core.files.forget(view.segment.key);
        paths.push(renamed);
    }
    let base = new.segment.base_offset;
    for extension in [INDEX, LOG] {
        let from = swap_path(core, log, base, extension);
        let to = log.segment_path(&core.directory, base, extension);
        core.vfs.rename(&from, &to)?;
    }
    let mut inner = log.lock();
    let segment = std::sync::Arc::clone(&new.segment);
    inner.segments.splice(at..at + old.len(), [segment]);
    inner.version = inner.version.wrapping_add(1);
    Ok(paths)
}

/// Only when the new names are durable may the last trace of the swap go.
fn settle_time_index(core: &Core, log: &Log, segment: &Segment) -> io::Result<()> {
    let held = log.segment_files.lock();
    let _held = held.unwrap_or_else(PoisonError::into_inner);
    let base = segment.base_offset;
    let from = swap_path(core, log, base, TIME_INDEX);
    let to = log.segment_path(&core.directory, base, TIME_INDEX);
    core.indexes.forget(log.segment_key(base));
    core.vfs.rename(&from, &to)
}

/// Finishes or undoes what a crash has left in a log's folder. True: the folder has changed.
pub(crate) fn settle(core: &Core, folder: &Path, entries: &[DirEntry]) -> io::Result<bool> {
    let mut changed = false;
    let mut swapped = Vec::new();
    let mut named = Vec::new();
    for entry in entries {
        let Some((base, extension)) = parse_segment_file(&entry.name) else {
            continue;
        };
        let Some((kind, suffix)) = extension.rsplit_once('.') else {
            continue;
        };
        match (kind, suffix) {
            (_, CLEANED) => {
                core.vfs.unlink(&folder.join(&entry.name))?;
                changed = true;
            }
            (LOG, SWAP) => swapped.push(base),
            (_, SWAP) => named.push((base, kind.to_owned())),
            _ => {}
        }
    }
    for base in &swapped {
        finish_swap(core, folder, *base, entries)?;
    }
    for (base, kind) in &named {
        if !swapped.contains(base) {
            finish_names(core, folder, *base, kind, entries)?;
        }
    }
    Ok(changed || !swapped.is_empty() || !named.is_empty())
}

/// The new segment is whole: it takes the place of all that begin within its offsets.
fn finish_swap(core: &Core, folder: &Path, base: i64, entries: &[DirEntry]) -> io::Result<()> {
    let swap = |extension: &str| folder.join(format!("{}.{SWAP}", segment_file(base, extension)));
    let end = end_of(core, &swap(LOG), base)?;
    remove_between(core, folder, (base + 1, end), entries)?;
    for extension in [INDEX, LOG] {
        rename_if_there(
            core,
            &swap(extension),
            &folder.join(segment_file(base, extension)),
        )?;
    }
    core.vfs.fsync_dir(folder)?;
    rename_if_there(
        core,
        &swap(TIME_INDEX),
        &folder.join(segment_file(base, TIME_INDEX)),
    )?;
    core.vfs.fsync_dir(folder)
}

/// The new segment has its name, or was never committed: in both cases the segment of that name
/// replaces what begins within its offsets. Its indexes may be another's, so they are made anew.
fn finish_names(
    core: &Core,
    folder: &Path,
    base: i64,
    kind: &str,
    entries: &[DirEntry],
) -> io::Result<()> {
    let path = folder.join(segment_file(base, LOG));
    if core.vfs.metadata(&path)?.is_some() {
        let end = end_of(core, &path, base)?;
        remove_between(core, folder, (base + 1, end), entries)?;
        core.vfs.fsync_dir(folder)?;
    }
    let mut names = vec![format!("{}.{SWAP}", segment_file(base, kind))];
    names.extend([INDEX, TIME_INDEX].map(|extension| segment_file(base, extension)));
    for name in names {
        unlink_if_there(core, &folder.join(name))?;
    }
    core.vfs.fsync_dir(folder)
}

/// The offset behind the last batch of a segment's file.
fn end_of(core: &Core, path: &Path, base: i64) -> io::Result<i64> {
    let file = core.vfs.open(path, OpenMode::Read)?;
    let mut scanner = Scanner::sparse(std::sync::Arc::clone(&file), file.len()?);
    let (mut position, mut expected) = (0, base);
    while let Found::Batch(header) = scanner.batch_at(position, expected, false)? {
        position += header.size_bytes() as u64;
        expected = header.next_offset();
    }
    Ok(expected)
}

fn remove_between(
    core: &Core,
    folder: &Path,
    (from, to): (i64, i64),
    entries: &[DirEntry],
) -> io::Result<()> {
    for entry in entries {
        let is_replaced = parse_segment_file(&entry.name).is_some_and(|(base, extension)| {
            from <= base && base < to && [LOG, INDEX, TIME_INDEX].contains(&extension)
        });
        if is_replaced {
            unlink_if_there(core, &folder.join(&entry.name))?;
        }
    }
    Ok(())
}

fn unlink_if_there(core: &Core, path: &Path) -> io::Result<()> {
    match core.vfs.unlink(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn rename_if_there(core: &Core, from: &Path, to: &Path) -> io::Result<()> {
    match core.vfs.rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
