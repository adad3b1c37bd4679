//! What all threads of a store share.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

mod syncs;

use crate::api::{Event, EventSink, LogId, Reply, StoreCode, StoreError, StoreOptions, TopicId};
use crate::checkpoint::CheckpointEntry;
use crate::cleaner::CleanQueue;
use crate::deleter::DeleteQueue;
use crate::files::FileCache;
use crate::flush::FlushQueue;
use crate::hints::PositionHints;
use crate::index::IndexCache;
use crate::janitor::JanitorQueue;
use crate::log::{Log, Segment, Status};
use crate::marks::DurableMarks;
use crate::open::OpenQueue;
use crate::readers::ReadQueue;
use crate::small_files::FileQueue;
use crate::space::Space;
use crate::stats::Totals;
use crate::vfs::{OpenMode, Vfs, VfsFile};
use crate::writer::WriteQueue;
use crate::zeroer::ZeroQueue;

/// How a group is flushed; chosen when the directory is opened and recorded in its checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Busy logs write into blocks that were zeroed ahead: start all ranges, wait for all, one
    /// fdatasync. Other logs take the pool.
    Ahead,
    /// One fdatasync per file, by a standing pool of threads.
    Pool,
    Syncfs,
}

impl Strategy {
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Ahead => "ahead",
            Strategy::Pool => "pool",
            Strategy::Syncfs => "syncfs",
        }
    }
}

/// A log that the directory holds and nobody has opened in this run.
#[derive(Clone, Debug, Default)]
pub struct Unopened {
    pub entry: Option<CheckpointEntry>,
    /// Durable end from the marks of the run before.
    pub durable_mark: Option<i64>,
}

pub struct Core {
    pub vfs: Arc<dyn Vfs>,
    pub sink: Arc<dyn EventSink>,
    pub directory: PathBuf,
    pub directory_id: TopicId,
    pub strategy: Strategy,
    pub file_system: String,
    pub files: FileCache,
    pub indexes: IndexCache,
    pub space: Space,
    pub marks: DurableMarks,
    pub hints: PositionHints,
    pub queue: WriteQueue,
    pub flush: FlushQueue,
    pub zeroes: ZeroQueue,
    pub readers: ReadQueue,
    pub janitor: JanitorQueue,
    pub small_files: FileQueue,
    pub opens: OpenQueue,
    pub deletes: DeleteQueue,
    pub cleaner: CleanQueue,
    pub totals: Totals,
    pub recovery: RecoveryContext,
    logs: RwLock<HashMap<LogId, Arc<Log>>>,
    unopened: Mutex<HashMap<(TopicId, i32), Unopened>>,
    /// A [`StoreCode`]; 0 while all is well.
    fault: AtomicU32,
    /// A sync has failed, of which perhaps nobody has been told yet.
    sync_failing: AtomicBool,
    next_key: AtomicU64,
    /// Commands under way.
    pub commands: AtomicU64,
    /// Held while the directory is ours.
    lock: Mutex<Option<Arc<dyn VfsFile>>>,
}

/// What is known about the end of the run before.
#[derive(Clone, Debug, Default)]
pub struct RecoveryContext {
    pub clean: bool,
    /// The operating system has not been restarted since: whatever was written is still there,
    /// so bytes that fail their checksum did not get lost on their way to the disk.
    pub same_boot: bool,
    /// What the next checkpoint says about the operating system's run.
    pub boot: String,
    /// An fsync failed in this run of the operating system: what is read from the page cache
    /// need not be on the disk, until it is written again.
    pub rewrite: bool,
}

pub struct CoreParts {
    pub vfs: Arc<dyn Vfs>,
    pub sink: Arc<dyn EventSink>,
    pub options: StoreOptions,
    pub directory_id: TopicId,
    pub strategy: Strategy,
    pub file_system: String,
    pub files_max: usize,
    pub space: Space,
    pub marks: DurableMarks,
    pub recovery: RecoveryContext,
    pub unopened: HashMap<(TopicId, i32), Unopened>,
    pub lock: Arc<dyn VfsFile>,
}

/// Indexes of sealed segments that are open at a time, and their bytes.
const INDEXES_MAX: usize = 512;
const INDEX_BYTES_MAX: u64 = 256 << 20;

impl Core {
    pub fn new(parts: CoreParts) -> Core {
        let hold = parts.options.group_hold_ms;
        Core {
            directory: parts.options.data_directory,
            directory_id: parts.directory_id,
            files: FileCache::new(Arc::clone(&parts.vfs), parts.files_max),
            indexes: IndexCache::new(Arc::clone(&parts.vfs), INDEXES_MAX, INDEX_BYTES_MAX),
            space: parts.space,
            marks: parts.marks,
            hints: PositionHints::default(),
            queue: WriteQueue::default(),
            flush: FlushQueue::new(hold),
            zeroes: ZeroQueue::default(),
            readers: ReadQueue::default(),
            janitor: JanitorQueue::default(),
            small_files: FileQueue::default(),
            opens: OpenQueue::default(),
            deletes: DeleteQueue::default(),
            cleaner: CleanQueue::default(),
            totals: Totals::default(),
            recovery: parts.recovery,
            logs: RwLock::default(),
            unopened: Mutex::new(parts.unopened),
            fault: AtomicU32::new(0),
            sync_failing: AtomicBool::new(false),
            next_key: AtomicU64::new(1),
            commands: AtomicU64::new(0),
            lock: Mutex::new(Some(parts.lock)),
            vfs: parts.vfs,
            sink: parts.sink,
            strategy: parts.strategy,
            file_system: parts.file_system,
        }
    }

    pub fn logs(&self) -> RwLockReadGuard<'_, HashMap<LogId, Arc<Log>>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn logs_mut(&self) -> RwLockWriteGuard<'_, HashMap<LogId, Arc<Log>>> {
        self.logs.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn log(&self, id: LogId) -> Option<Arc<Log>> {
        self.logs().get(&id).cloned()
    }

    pub fn known_log(&self, id: LogId) -> Result<Arc<Log>, StoreError> {
        self.log(id)
            .ok_or_else(|| StoreError::new("UNKNOWN_LOG", format!("log {id} is not open")))
    }

    pub fn unopened(&self) -> MutexGuard<'_, HashMap<(TopicId, i32), Unopened>> {
        self.unopened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn new_segment(&self, base_offset: i64, bytes: u64) -> Arc<Segment> {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        Arc::new(Segment::new(base_offset, key, bytes))
    }

    /// The segment's file, opened where it is not. May wait for the disk. `NotFound` where it was
    /// deleted: its name may be another's by now.
    pub fn segment_file(&self, log: &Log, segment: &Segment) -> io::Result<Arc<dyn VfsFile>> {
        if let Some(file) = self.files.peek(segment.key) {
            return Ok(file);
        }
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        if segment.is_deleted() {
            return Err(gone());
        }
        let path = log.log_path(&self.directory, segment.base_offset);
        let file = self.files.get(segment.key, &path, OpenMode::ReadWrite)?;
        // Asked again, since the name may have changed hands in between.
        if segment.is_deleted() {
            self.files.forget(segment.key);
            return Err(gone());
        }
        Ok(file)
    }

    pub fn fault(&self) -> Option<StoreCode> {
        match self.fault.load(Ordering::Acquire) {
            0 => None,
            code if code == StoreCode::SyncFailed as u32 => Some(StoreCode::SyncFailed),
            _ => Some(StoreCode::Closed),
        }
    }

    pub fn close(&self) {
        let code = StoreCode::Closed as u32;
        let _ = self
            .fault
            .compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Takes a log offline. Everything at and above its written end is refused from here on.
    pub fn fail_log(&self, log: &Log, code: StoreCode, detail: String) {
        let mut inner = log.lock();
        if inner.status != Status::Online {
            return;
        }
        inner.status = Status::Offline(code);
        let offset = log.written_end();
        drop(inner);
        self.sink.event(Event::LogFailed {
            log: log.id,
            code,
            offset,
            detail,
        });
    }

    /// Stops all threads where they are.
    pub fn abandon(&self) {
        self.close();
        self.queue.abandon();
        self.flush.close();
        self.zeroes.close();
        self.readers.close();
        self.small_files.close();
        self.opens.close();
        self.deletes.close();
        self.cleaner.close();
        self.janitor.close();
    }

    /// Lets others open the directory.
    pub fn unlock(&self) {
        let lock = self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(lock);
    }

    /// Tells once that a range of a log cannot be read; the rest of the log goes on.
    pub fn report_corrupt(&self, log: &Log, from: i64, to: i64, detail: String) {
        let news = log.lock().add_corrupt(from, to);
        if news {
            let code = StoreCode::Corrupt;
            self.sink.event(Event::LogFailed {
                log: log.id,
                code,
                offset: from,
                detail,
            });
        }
    }

    /// Tells once for a log that its disk could not be read; the log stays online.
    pub fn report_read_failed(&self, log: &Log, offset: i64, detail: String) {
        let news = !std::mem::replace(&mut log.lock().read_failed, true);
        if news {
            let code = StoreCode::ReadFailed;
            self.sink.event(Event::LogFailed {
                log: log.id,
                code,
                offset,
                detail,
            });
        }
    }

    pub fn complete(&self, request: u64, result: Result<Reply, StoreError>) {
        self.commands.fetch_sub(1, Ordering::AcqRel);
        self.sink.event(Event::Completed { request, result });
    }

    /// The fault as an answer to a command, if there is one.
    pub fn check_open(&self) -> Result<(), StoreError> {
        match self.fault() {
            None => Ok(()),
            Some(StoreCode::SyncFailed) => {
                let text = "an fsync of this data directory failed; restart the broker";
                Err(StoreError::new("EIO", text))
            }
            Some(_) => Err(StoreError::new("CLOSED", "the store is closed")),
        }
    }
}
