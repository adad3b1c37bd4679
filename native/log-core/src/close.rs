//! A clean stop: everything flushed, files cut to length, nothing left to scan.

use std::io;
use std::sync::Arc;

use crate::api::{Reply, StoreCode, StoreError};
use crate::checkpoint::Point;
use crate::core::Core;
use crate::janitor::{write_checkpoint, write_epochs};
use crate::log::{Log, Segment, Status};
use crate::seal::{SYNC_TOGETHER_LOGS, SyncMode, seal_files};
use crate::segment_files::spill;

/// Carries the closing request out, on the writer's thread, behind everything that was queued.
pub fn close_store(core: &Core, request: u64) {
    core.opens.close();
    core.opens.wait_idle();
    core.cleaner.close();
    core.cleaner.wait_idle();
    core.flush.barrier();
    core.flush.close();
    core.zeroes.close();
    core.readers.close();
    core.small_files.close();
    core.deletes.close();
    core.readers.wait_idle();
    core.small_files.wait_idle();
    core.zeroes.wait_idle();
    // First closed: it also works when nobody has asked for anything.
    core.janitor.close();
    core.janitor.wait_idle();
    let result = match core.fault() {
        Some(StoreCode::SyncFailed) => {
            let text = "an fsync of this data directory failed; it was not closed cleanly";
            Err(StoreError::new("EIO", text))
        }
        _ => close_logs(core),
    };
    core.close();
    core.unlock();
    core.complete(request, result.map(|()| Reply::Done));
    core.sink.burst_end();
}

fn close_logs(core: &Core) -> Result<(), StoreError> {
    let logs: Vec<Arc<Log>> = core.logs().values().cloned().collect();
    let changed: Vec<(Arc<Log>, Changes)> = logs
        .into_iter()
        .filter_map(|log| changes(&log).map(|changes| (log, changes)))
        .collect();
    let together = changed.len() >= SYNC_TOGETHER_LOGS;
    let mode = if together {
        SyncMode::Later
    } else {
        SyncMode::Each
    };
    for (log, changes) in &changed {
        let closed = close_log(core, log, changes, mode);
        closed.map_err(|error| StoreError::io(log.name(), &error))?;
    }
    if !changed.is_empty() {
        let synced = match mode {
            SyncMode::Each => core.vfs.fsync_dir(&core.directory),
            SyncMode::Later => core.sync_file_system(),
        };
        if let Err(error) = synced {
            core.sync_failed("the data directory", &error);
            return Err(StoreError::io(core.directory.display(), &error));
        }
    }
    for (log, changes) in &changed {
        let mut inner = log.lock();
        inner.synced = Some(changes.end);
        inner.recovery = Some(changes.end);
        inner.unsealed.clear();
    }
    // What was not opened, or went offline, is recovered by the next start, which needs its marks.
    let is_settled = core.recovery.clean || core.unopened().is_empty();
    let logs = core.logs();
    let is_whole = logs.values().all(|log| log.lock().status == Status::Online);
    drop(logs);
    let clean = is_settled && is_whole;
    write_checkpoint(core, clean)?;
    let marks = if clean {
        // The checkpoint now says all that the marks could.
        core.marks.remove_file()
    } else {
        core.write_marks()
    };
    marks.map_err(|error| StoreError::io("durable marks", &error))
}

/// What has happened to a log since its last checkpoint.
struct Changes {
    segment: Arc<Segment>,
    end: Point,
    epochs: Option<Vec<(i32, i64)>>,
}

/// None where the checkpoint and the files say it all.
fn changes(log: &Log) -> Option<Changes> {
    let mut inner = log.lock();
    if inner.status != Status::Online {
        // Recovered at the next start, from its last recovery point.
        return None;
    }
    let segment = inner.active_segment().cloned()?;
    let end = Point {
        offset: log.written_end(),
        segment_base: segment.base_offset,
        position: segment.bytes(),
    };
    let mut changed = inner.recovery != Some(end) || inner.synced != Some(end);
    if let Some(active) = inner.active.as_mut() {
        let _ = active.index.index_largest();
        changed |= active.index.take_changed() || active.ahead != (0, 0);
    }
    let epochs = std::mem::take(&mut inner.epochs_changed).then(|| inner.epochs.clone());
    (changed || epochs.is_some()).then_some(Changes {
        segment,
        end,
        epochs,
    })
}

fn close_log(core: &Core, log: &Log, changes: &Changes, mode: SyncMode) -> io::Result<()> {
    if let Some(epochs) = &changes.epochs {
        write_epochs(core, log, epochs, mode)?;
    }
    core.space
        .with_reserve("an index", || spill(core, log, false))?;
    seal_files(core, log, &changes.segment, mode)
}
