//! A clean stop: everything flushed, files cut to length, nothing left to scan.

use std::io;
use std::sync::Arc;

use crate::api::{Reply, StoreCode, StoreError};
use crate::append::spill;
use crate::checkpoint::Point;
use crate::core::Core;
use crate::janitor::{seal_files, write_checkpoint, write_epochs};
use crate::log::{Log, Status};

/// Carries the closing request out, on the writer's thread, behind everything that was queued.
pub fn close_store(core: &Core, request: u64) {
    core.flush.barrier();
    core.flush.close();
    core.zeroes.close();
    core.readers.close();
    core.small_files.close();
    core.deletes.close();
    core.readers.wait_idle();
    core.small_files.wait_idle();
    core.zeroes.wait_idle();
    core.janitor.wait_idle();
    core.janitor.close();
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
    for log in logs {
        close_log(core, &log).map_err(|error| StoreError::io(log.name(), &error))?;
    }
    write_checkpoint(core, true)?;
    // The checkpoint now says all that the marks could.
    core.marks
        .remove_file()
        .map_err(|error| StoreError::io("durable marks", &error))
}

fn close_log(core: &Core, log: &Log) -> io::Result<()> {
    let (segment, point, changed, epochs) = {
        let mut inner = log.lock();
        if inner.status != Status::Online {
            // Recovered at the next start, from its last recovery point.
            return Ok(());
        }
        let Some(segment) = inner.active_segment().cloned() else {
            return Ok(());
        };
        let point = Point {
            offset: log.written_end(),
            segment_base: segment.base_offset,
            position: segment.bytes(),
        };
        let mut changed = inner.recovery != Some(point) || inner.synced != Some(point);
        if let Some(active) = inner.active.as_mut() {
            let _ = active.index.index_largest();
            changed |= active.index.take_changed() || active.ahead != (0, 0);
        }
        let epochs = std::mem::take(&mut inner.epochs_changed).then(|| inner.epochs.clone());
        (segment, point, changed, epochs)
    };
    if let Some(epochs) = epochs {
        write_epochs(core, log, &epochs)?;
    }
    if changed {
        core.space
            .with_reserve("an index", || spill(core, log, false))?;
        seal_files(core, log, &segment)?;
        core.vfs.fsync_dir(&core.directory)?;
    }
    let mut inner = log.lock();
    inner.synced = Some(point);
    inner.recovery = Some(point);
    inner.unsealed.clear();
    Ok(())
}
