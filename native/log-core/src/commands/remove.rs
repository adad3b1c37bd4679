//! Removing a log: its folder gets another name at once, and goes later.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use super::failed;
use crate::api::{StoreCode, StoreError};
use crate::deleter::Job;
use crate::log::{Log, Status};
use crate::names::deleted_folder;
use crate::writer::Writer;

/// Keeps the names of removed folders apart.
static REMOVED: AtomicU64 = AtomicU64::new(0);

impl Writer<'_> {
    /// Gives the deletion of the renamed folder, if there is one, and its delay.
    pub(super) fn remove(&mut self, log: &Arc<Log>) -> Result<Option<(Job, u64)>, StoreError> {
        self.settle(log);
        let structure = log.structure.lock();
        let _structure = structure.unwrap_or_else(PoisonError::into_inner);
        let small_files = log.small_files.lock();
        let _small_files = small_files.unwrap_or_else(PoisonError::into_inner);
        let segment_files = log.segment_files.lock();
        let _segment_files = segment_files.unwrap_or_else(PoisonError::into_inner);
        let (segments, delay) = {
            let mut inner = log.lock();
            inner.status = Status::Removed;
            (inner.segments.clone(), inner.config.file_delete_delay_ms)
        };
        for segment in &segments {
            self.core.zeroes.clear_way(segment.key, 0, u64::MAX);
        }
        let folder = log.folder(&self.core.directory);
        let count = REMOVED.fetch_add(1, Ordering::Relaxed);
        // The process's number keeps names of this run apart from those of a run before.
        let unique = count << 32 | u64::from(std::process::id());
        let deleted = self.core.directory.join(deleted_folder(
            &log.topic,
            log.partition,
            &log.topic_id,
            unique,
        ));
        let renamed = match self.core.vfs.rename(&folder, &deleted) {
            Ok(()) => {
                if let Err(error) = self.core.vfs.fsync_dir(&self.core.directory) {
                    self.core.sync_failed("the data directory", &error);
                    return Err(failed(log, &error));
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                // Nothing has changed its name; what was opened stays open.
                log.lock().status = Status::Offline(StoreCode::WriteFailed);
                return Err(failed(log, &error));
            }
        };
        self.core.marks.forget(log);
        self.core.flush.marks_due();
        self.core.logs_mut().remove(&log.id);
        // Whoever holds one of them from here on is sending it.
        log.lock().segments.clear();
        for segment in &segments {
            segment.set_deleted();
            self.core.files.forget(segment.key);
        }
        self.core.indexes.forget_log(log.id);
        let delay = if self.core.space.is_low() { 0 } else { delay };
        let job = Job::Folder {
            path: deleted,
            segments: Some(segments),
        };
        Ok(renamed.then_some((job, delay)))
    }
}
