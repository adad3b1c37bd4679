//! What becomes of a failed sync: nothing is called durable any more, in this run or by the next.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Core;
use crate::api::{Event, StoreCode};
use crate::names::SYNC_FAILED;
use crate::space::is_full;
use crate::vfs::{OpenMode, VfsFile, write_all};

/// An error that a folder's sync has before it syncs.
fn is_of_opening(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::EMFILE | libc::ENFILE)
    )
}

impl Core {
    /// An fsync failed: Linux has dropped the dirty pages and the next fsync would lie, so
    /// nothing of this directory is ever called durable again.
    pub fn sync_failed(&self, what: &str, error: &io::Error) {
        let code = StoreCode::SyncFailed as u32;
        self.sync_failing.store(true, Ordering::Release);
        // Before anybody can be told: what follows the news may be the end of the process.
        if self.fault.load(Ordering::Acquire) != code {
            self.leave_sync_marker();
        }
        if self.fault.swap(code, Ordering::AcqRel) != code {
            let detail = format!("{what}: {error}");
            self.sink.event(Event::StoreState {
                code: StoreCode::SyncFailed,
                detail,
            });
            self.sink.burst_end();
        }
    }

    /// Whether a sync has failed. Asked after a sync and before anything is called durable.
    pub fn is_sync_failing(&self) -> bool {
        self.sync_failing.load(Ordering::Acquire)
    }

    /// Takes a sync's result on, and notes where it failed: for syncs whose callers only report.
    pub fn synced(&self, what: &str, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &result
            && !is_of_opening(error)
        {
            self.sync_failed(what, error);
        }
        result
    }

    /// Writes and syncs the marks that are pending. What they have no room for waits.
    pub fn write_marks(&self) -> io::Result<()> {
        let written = self.marks.write_now();
        if let Err(error) = &written
            && !is_full(error)
        {
            self.sync_failed("the durable marks", error);
            self.marks.give_up();
        }
        written
    }

    /// After a run whose sync failed: lets the kernel tell what happened to a file before, so that
    /// the sync of what is now written anew answers for that alone. Only before it is written.
    pub fn hear_old_error(&self, file: &dyn VfsFile) {
        if self.recovery.rewrite {
            let _ = file.fsync();
        }
    }

    /// Tells the next run that bytes in the page cache may be nowhere else. It need not be synced:
    /// once the operating system was restarted, the page cache is gone, and with it the doubt.
    pub fn leave_sync_marker(&self) {
        let path = self.directory.join(SYNC_FAILED);
        let left = self
            .vfs
            .open(&path, OpenMode::Create)
            .and_then(|file| write_all(&*file, self.vfs.boot_id().as_bytes(), 0));
        // On a disk that takes no file either, the next run cannot open the directory.
        drop(left);
    }

    /// A thread of the store died: nothing that it held can be trusted.
    pub fn panicked(&self, detail: &str) {
        self.sync_failing.store(true, Ordering::Release);
        self.fault
            .store(StoreCode::SyncFailed as u32, Ordering::Release);
        // Nobody may wait for it any longer.
        self.flush.close();
        self.zeroes.abandon();
        let detail = detail.to_owned();
        self.sink.event(Event::StoreState {
            code: StoreCode::SyncFailed,
            detail,
        });
        self.sink.burst_end();
    }

    /// Makes everything on the file system durable. It also waits for what strangers have written:
    /// for starts and stops, and where the operator has chosen to flush so.
    pub fn sync_file_system(&self) -> io::Result<()> {
        // Open since before the first write, so that no error of a write-back is missed.
        let file = self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        file.map_or(Ok(()), |file| file.syncfs())
    }
}
