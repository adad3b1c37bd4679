//! Slow work that must not hold up appends: sealing rolled segments, checkpoints.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{Durability, Reply, StoreError};
use crate::checkpoint::{Checkpoint, CheckpointEntry, Point, leader_epochs};
use crate::core::Core;
use crate::deleter::Job;
use crate::log::{Log, Segment, Status};
use crate::names::{CHECKPOINT, LEADER_EPOCHS, SYNC_FAILED};
use crate::seal::{SyncMode, seal};
use crate::segment_files::spill;
use crate::tasks::{Taken, TaskQueue};
use crate::vfs::{OpenMode, replace_file, write_file};

/// How often free space and the need for a checkpoint are looked at.
const TICK: Duration = Duration::from_millis(500);
/// A checkpoint is written after so long or so many bytes, asked for or not: it bounds what a
/// crash leaves to be scanned.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
const CHECKPOINT_BYTES: u64 = 2 << 30;

pub enum Chore {
    /// Cuts a rolled segment to its length and syncs it with its indexes.
    Seal {
        log: Arc<Log>,
        segment: Arc<Segment>,
    },
    /// Flushes and writes recovery points for every log.
    Checkpoint { request: u64 },
    /// Writes start offsets and the set of logs as they are, then answers.
    Persist {
        request: u64,
        reply: Result<Reply, StoreError>,
        /// Deletes a folder that may go once the checkpoint no longer names its log: before that, a
        /// crash would make a log without its data of it.
        job: Option<(Job, u64)>,
    },
}

pub struct JanitorQueue {
    tasks: TaskQueue<Chore>,
    /// Held while the checkpoint file is written.
    writing: Mutex<()>,
}

impl Default for JanitorQueue {
    fn default() -> JanitorQueue {
        // Seals are as many as segments, the rest as many as requests, which the store bounds.
        JanitorQueue {
            tasks: TaskQueue::new(usize::MAX),
            writing: Mutex::new(()),
        }
    }
}

impl JanitorQueue {
    pub fn push(&self, chore: Chore) {
        // Refused only once the store is closed: then `close` does what is left to do.
        let _ = self.tasks.push(chore);
    }

    pub fn close(&self) {
        self.tasks.close();
    }

    pub fn wait_idle(&self) {
        self.tasks.wait_idle();
    }
}

/// The janitor thread.
pub fn run(core: &Core) {
    let mut checkpointed = (
        Instant::now(),
        core.totals.appended_bytes.load(Ordering::Relaxed),
    );
    loop {
        let chore = match core.janitor.tasks.take(Some(TICK)) {
            Taken::Closed => return,
            Taken::Timeout => {
                core.space.look_again();
                let appended = core.totals.appended_bytes.load(Ordering::Relaxed);
                let news = appended - checkpointed.1;
                let old = checkpointed.0.elapsed() >= CHECKPOINT_EVERY;
                if news >= CHECKPOINT_BYTES || news > 0 && old {
                    // If it fails the old one is still there: more to scan, nothing lost.
                    let _ = checkpoint_all(core);
                    checkpointed = (Instant::now(), appended);
                }
                core.janitor.tasks.finished();
                continue;
            }
            Taken::Task(chore) => chore,
        };
        match chore {
            Chore::Seal { log, segment } => seal(core, &log, &segment),
            Chore::Checkpoint { request } => {
                core.complete(request, checkpoint_all(core).map(|()| Reply::Done));
            }
            persist => {
                // All that wait for the same file share it.
                let is_persist = |chore: &Chore| matches!(chore, Chore::Persist { .. });
                let more = core.janitor.tasks.take_more(is_persist);
                let written = write_checkpoint(core, false);
                for chore in std::iter::once(persist).chain(more) {
                    persisted(core, chore, &written);
                }
            }
        }
        core.sink.burst_end();
        core.janitor.tasks.finished();
    }
}

fn persisted(core: &Core, chore: Chore, written: &Result<(), StoreError>) {
    let Chore::Persist {
        request,
        reply,
        job,
    } = chore
    else {
        return;
    };
    if written.is_ok()
        && let Some((job, delay_ms)) = job
    {
        core.deletes.push(job, delay_ms);
    }
    core.complete(request, written.clone().and(reply));
}

/// Brings indexes, epochs and recovery points of every log up to date and writes the checkpoint.
pub(crate) fn checkpoint_all(core: &Core) -> Result<(), StoreError> {
    core.check_open()?;
    let logs: Vec<Arc<Log>> = core.logs().values().cloned().collect();
    for log in logs {
        if let Err(error) = checkpoint_log(core, &log) {
            return Err(StoreError::io(log.name(), &error));
        }
    }
    write_checkpoint(core, false)
}

fn checkpoint_log(core: &Core, log: &Log) -> io::Result<()> {
    let (limit, durability, version) = {
        let inner = log.lock();
        if inner.status == Status::Removed || inner.segments.is_empty() {
            return Ok(());
        }
        let durability = inner.config.durability;
        (inner.recovery_limit(), durability, inner.version)
    };
    let limit = match durability {
        Durability::Fsync => limit,
        Durability::PageCache => sync_written(core, log)?,
    };
    let (changed, epochs) = {
        let mut inner = log.lock();
        let changed = inner.active.as_mut().is_some_and(|active| {
            let _ = active.index.index_largest();
            active.index.take_changed()
        });
        let epochs = std::mem::take(&mut inner.epochs_changed).then(|| inner.epochs.clone());
        (changed, epochs)
    };
    // What has not changed since the last checkpoint need not be kept in memory.
    let written = spill_unless_full(core, log, changed).and_then(|()| {
        let Some(epochs) = epochs else { return Ok(()) };
        let held = log.hold_segment_files();
        held.map_or(Ok(()), |_held| {
            write_epochs(core, log, &epochs, SyncMode::Each)
        })
    });
    if let Err(error) = written {
        // The next checkpoint must not move past batches whose epochs no file has.
        log.lock().epochs_changed = true;
        return Err(error);
    }
    // Not while it is cut. A cut that came in between has lowered both: never raise them again,
    // also where other records have the same offsets by now.
    let structure = log.structure.lock();
    let _structure = structure.unwrap_or_else(PoisonError::into_inner);
    let mut inner = log.lock();
    let is_synced =
        inner.synced.map_or(-1, |point| point.offset) >= limit.map_or(-1, |point| point.offset);
    if inner.version == version && is_synced {
        inner.recovery = limit;
    }
    Ok(())
}

fn spill_unless_full(core: &Core, log: &Log, keep: bool) -> io::Result<()> {
    core.space
        .with_reserve("an index", || spill(core, log, keep))
}

pub(crate) fn write_epochs(
    core: &Core,
    log: &Log,
    epochs: &[(i32, i64)],
    mode: SyncMode,
) -> io::Result<()> {
    let folder = log.folder(&core.directory);
    let path = folder.join(LEADER_EPOCHS);
    let text = leader_epochs(epochs);
    let each = mode == SyncMode::Each;
    core.space.with_reserve("leader epochs", || {
        replace_file(&*core.vfs, &path, text.as_bytes(), each)
    })?;
    if each {
        core.synced(&log.name(), core.vfs.fsync_dir(&folder))
    } else {
        Ok(())
    }
}

/// A log that answers before it is synced is synced here.
fn sync_written(core: &Core, log: &Log) -> io::Result<Option<Point>> {
    let (segment, point, version) = {
        let inner = log.lock();
        let Some(segment) = inner.active_segment().cloned() else {
            return Ok(None);
        };
        let point = Point {
            offset: log.written_end(),
            segment_base: segment.base_offset,
            position: segment.bytes(),
        };
        if inner.synced == Some(point) {
            return Ok(inner.recovery_limit());
        }
        (segment, point, inner.version)
    };
    // Not the description whose errors the flusher waits for.
    let path = log.log_path(&core.directory, segment.base_offset);
    let file = match core.vfs.open(&path, OpenMode::ReadWrite) {
        // Deleted or removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let synced = file
        .fdatasync()
        .and_then(|()| core.vfs.fsync_dir(&log.folder(&core.directory)))
        .and_then(|()| core.vfs.fsync_dir(&core.directory));
    if let Err(error) = synced {
        if error.kind() == io::ErrorKind::NotFound {
            return Ok(None);
        }
        core.sync_failed(&log.name(), &error);
        return Err(error);
    }
    // Not while it is cut.
    let structure = log.structure.lock();
    let _structure = structure.unwrap_or_else(PoisonError::into_inner);
    let mut inner = log.lock();
    let is_active = inner
        .active_segment()
        .is_some_and(|active| active.key == segment.key);
    if is_active && inner.version == version && log.written_end() >= point.offset {
        inner.synced = Some(point);
    }
    Ok(inner.recovery_limit())
}

/// Writes the checkpoint file from what is known now.
pub(crate) fn write_checkpoint(core: &Core, clean: bool) -> Result<(), StoreError> {
    let _writing = core
        .janitor
        .writing
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut entries: Vec<CheckpointEntry> = core
        .logs()
        .values()
        .map(|log| log.checkpoint_entry())
        .collect();
    let open: BTreeSet<_> = entries
        .iter()
        .map(|entry| (entry.topic_id, entry.partition))
        .collect();
    let unopened = core.unopened();
    let others = unopened
        .iter()
        .filter(|(identity, _)| !open.contains(identity));
    entries.extend(others.filter_map(|(_, unopened)| unopened.entry.clone()));
    let pending_recovery = !unopened.is_empty();
    drop(unopened);
    entries.retain(|entry| entry.recovery.is_some() || entry.start_offset > 0);
    entries.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    // Logs that have yet to be recovered are judged by what their crash left behind.
    let boot = if pending_recovery {
        core.recovery.boot.clone()
    } else {
        core.vfs.boot_id()
    };
    let checkpoint = Checkpoint {
        clean: clean && (core.recovery.clean || !pending_recovery),
        boot,
        file_system: core.file_system.clone(),
        strategy: core.strategy.name().to_owned(),
        logs: entries,
    };
    let path = core.directory.join(CHECKPOINT);
    write_checkpoint_file(core, &path, &checkpoint)?;
    if core.recovery.rewrite && !pending_recovery && !core.is_sync_failing() {
        // Every log was written anew when it was opened: there is no doubt left.
        let _ = core.vfs.unlink(&core.directory.join(SYNC_FAILED));
        if core.is_sync_failing() {
            // A new one, which may have been unlinked just now.
            core.leave_sync_marker();
        }
    }
    Ok(())
}

fn write_checkpoint_file(
    core: &Core,
    path: &Path,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    let text = checkpoint.to_text();
    core.space
        .with_reserve("the checkpoint", || {
            write_file(&*core.vfs, path, text.as_bytes())
        })
        .map_err(|error| StoreError::io(path.display(), &error))
}
