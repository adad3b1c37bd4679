//! Sealing: a segment that is written to no more gets its length and is made durable whole.

use std::io;

use crate::core::Core;
use crate::log::{Log, Segment};
use crate::names::{INDEX, TIME_INDEX};
use crate::vfs::OpenMode;

/// Cuts zeros behind the data off and syncs data and indexes: from here on nothing of the
/// segment has to be scanned.
pub(crate) fn seal(core: &Core, log: &Log, segment: &Segment) {
    if core.fault().is_some() {
        return;
    }
    // Not while the file is renamed: its name may then be another's.
    let held = log.hold_segment_files();
    if held.is_none() || segment.is_deleted() || !is_rolled(log, segment) {
        return;
    }
    match seal_files(core, log, segment, SyncMode::Each) {
        Ok(()) => log
            .lock()
            .unsealed
            .retain(|base| *base != segment.base_offset),
        // Deleted meanwhile, alone or with its log.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            log.lock()
                .unsealed
                .retain(|base| *base != segment.base_offset);
        }
        Err(error) => core.sync_failed(&log.name(), &error),
    }
}

/// False where a cut has made it the segment that is written to again: its length is the writer's.
fn is_rolled(log: &Log, segment: &Segment) -> bool {
    let inner = log.lock();
    let is_active = inner
        .active_segment()
        .is_some_and(|active| active.key == segment.key);
    !is_active && inner.unsealed.contains(&segment.base_offset)
}

/// When what was written is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncMode {
    /// File by file, at once.
    Each,
    /// All together, by `Core::sync_file_system`: for starts and stops with many changed logs.
    Later,
}

/// From so many logs on, one sync of the file system beats one for each file.
pub(crate) const SYNC_TOGETHER_LOGS: usize = 64;

/// Cuts a segment's file to its length and syncs it with its indexes and its folder.
pub(crate) fn seal_files(
    core: &Core,
    log: &Log,
    segment: &Segment,
    mode: SyncMode,
) -> io::Result<()> {
    // A description of its own: the flusher has to hear of a failed write-back too, and the kernel
    // tells each description once.
    let path = log.log_path(&core.directory, segment.base_offset);
    let file = core.vfs.open(&path, OpenMode::ReadWrite)?;
    if file.len()? > segment.bytes() {
        file.truncate(segment.bytes())?;
    }
    if mode == SyncMode::Later {
        return Ok(());
    }
    core.synced(&log.name(), file.fsync())?;
    for extension in [INDEX, TIME_INDEX] {
        let path = log.segment_path(&core.directory, segment.base_offset, extension);
        match core.vfs.open(&path, OpenMode::ReadWrite) {
            Ok(file) => core.synced(&log.name(), file.fsync())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let synced = core.vfs.fsync_dir(&log.folder(&core.directory));
    core.synced(&log.name(), synced)
}
