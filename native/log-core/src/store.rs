//! The store as its callers see it: opens a data directory, starts the threads, takes calls.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::api::{
    AppendRow, Command, Event, EventSink, LocateRequest, Located, LogConfig, LogId,
    StoreDescription, StoreError, StoreOptions, StoreStats,
};
use crate::core::Core;
use crate::directory::open_directory;
use crate::janitor::Chore;
use crate::locate::locate_now;
use crate::readers::READER_THREADS;
use crate::small_files::FileTask;
use crate::vfs::Vfs;
use crate::writer::Item;
use crate::{cleaner, close, deleter, flush, janitor, open, readers, small_files, writer, zeroer};

/// Commands that may be under way at a time; more are answered with OVERLOADED.
const COMMANDS_MAX: u64 = 65_536;

/// An open data directory. Dropping it without [`Command::Close`] stops everything where it is,
/// as a crash would: the next open recovers.
pub struct Store {
    core: Arc<Core>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: AtomicBool,
}

impl Store {
    /// Locks the directory, reads its checkpoint, starts the threads. Waits for the disk.
    ///
    /// Fails with LOCKED (another broker has the directory), FORMAT (a newer or foreign data
    /// directory), CORRUPT (the checkpoint), or a POSIX name.
    pub fn open(
        options: StoreOptions,
        vfs: Arc<dyn Vfs>,
        sink: Arc<dyn EventSink>,
    ) -> Result<(Store, StoreDescription), StoreError> {
        let (core, description) = open_directory(options, vfs, sink)?;
        let store = Store {
            core: Arc::new(core),
            threads: Mutex::default(),
            closing: AtomicBool::new(false),
        };
        store.spawn("log-writer", |core| {
            if let Some(request) = writer::run(core) {
                close::close_store(core, request);
            }
        })?;
        store.spawn("log-flusher", flush::run)?;
        store.spawn("log-zeroer", zeroer::run)?;
        store.spawn("log-janitor", janitor::run)?;
        store.spawn("log-files", small_files::run)?;
        store.spawn("log-opener", open::run)?;
        store.spawn("log-cleaner", cleaner::run)?;
        store.spawn("log-deleter", |core| {
            deleter::run(&*core.vfs, &core.deletes)
        })?;
        for number in 0..READER_THREADS {
            store.spawn(&format!("log-reader-{number}"), readers::run)?;
        }
        Ok((store, description))
    }

    fn spawn(
        &self,
        name: &str,
        body: impl FnOnce(&Core) + Send + 'static,
    ) -> Result<(), StoreError> {
        let core = Arc::clone(&self.core);
        let thread_name = name.to_owned();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let result = std::panic::catch_unwind(AssertUnwindSafe(|| body(&core)));
                if let Err(payload) = result {
                    let text = payload
                        .downcast_ref::<&str>()
                        .map(|text| (*text).to_owned())
                        .or_else(|| payload.downcast_ref::<String>().cloned())
                        .unwrap_or_default();
                    // Whatever it held may be half changed: nothing of it can be trusted.
                    core.panicked(&format!("thread {thread_name} panicked: {text}"));
                }
            })
            .map_err(|error| StoreError::io(format_args!("thread {name}"), &error))?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// Queues batches; never waits. What happens to them comes as events.
    pub fn append(&self, rows: &mut Vec<AppendRow>) {
        if self.core.queue.append(rows) {
            return;
        }
        let mut logs: Vec<LogId> = rows.drain(..).map(|row| row.log).collect();
        logs.sort_unstable();
        logs.dedup();
        for log in logs {
            let detail = "the store is closed".to_owned();
            let code = crate::api::StoreCode::Closed;
            self.core.sink.event(Event::LogFailed {
                log,
                code,
                offset: -1,
                detail,
            });
        }
        self.core.sink.burst_end();
    }

    /// Finds a file range; `Pending` where a disk may have to be read first.
    pub fn locate(&self, request: &LocateRequest) -> Located {
        let totals = &self.core.totals;
        totals.locates.fetch_add(1, Ordering::Relaxed);
        let located = locate_now(&self.core, request);
        if matches!(located, Located::Pending) {
            totals.page_cache_misses.fetch_add(1, Ordering::Relaxed);
            if !self.core.readers.locate(*request) {
                return Located::Unavailable;
            }
        }
        located
    }

    /// Changes what governs a log from the next append on.
    pub fn configure(&self, log: LogId, config: LogConfig) {
        if let Some(log) = self.core.log(log) {
            let mut inner = log.lock();
            if config.durability != inner.config.durability {
                inner.durability_changed = true;
                if let Some(active) = inner.active.as_mut() {
                    // Bytes that were never synced must not hide behind the flush of a few ranges.
                    active.ahead = (0, 0);
                }
            }
            inner.config = config;
        }
    }

    /// Fills in the bytes on disk of each log; 0 for one that is not open.
    pub fn sizes(&self, logs: &[LogId], bytes: &mut [f64]) {
        let open = self.core.logs();
        for (id, bytes) in logs.iter().zip(bytes) {
            *bytes = open.get(id).map_or(0, |log| log.lock().bytes_total()) as f64;
        }
    }

    pub fn stats(&self) -> StoreStats {
        let totals = &self.core.totals;
        StoreStats {
            appended_bytes_total: totals.appended_bytes.load(Ordering::Relaxed),
            groups_total: totals.groups.load(Ordering::Relaxed),
            flushes_total: totals.flushes.load(Ordering::Relaxed),
            files_open: self.core.files.len() as u64,
            free_bytes: self.core.space.free_bytes(),
            total_bytes: self.core.space.total_bytes(),
            append_micros: totals.append_micros.read(),
            flush_micros: totals.flush_micros.read(),
            group_batches: totals.group_batches.read(),
            group_bytes: totals.group_bytes.read(),
            locates_total: totals.locates.load(Ordering::Relaxed),
            page_cache_misses_total: totals.page_cache_misses.load(Ordering::Relaxed),
            cleaner: self.core.cleaner.stats(),
        }
    }

    /// Begins a command; its answer comes as [`Event::Completed`] with `request`.
    pub fn submit(&self, request: u64, command: Command) {
        let core = &self.core;
        let refuse = |error: StoreError| {
            core.sink.event(Event::Completed {
                request,
                result: Err(error),
            });
            core.sink.burst_end();
        };
        if let Err(error) = core.check_open()
            && !matches!(command, Command::Close)
        {
            return refuse(error);
        }
        if core.commands.fetch_add(1, Ordering::AcqRel) >= COMMANDS_MAX {
            core.commands.fetch_sub(1, Ordering::AcqRel);
            return refuse(StoreError::new(
                "OVERLOADED",
                "too many commands are under way",
            ));
        }
        match command {
            // Behind all rows that are queued: those of a log that failed are refused first.
            Command::OpenLogs(specs) => self.queue(Item::Open { request, specs }),
            Command::Checkpoint => core.janitor.push(Chore::Checkpoint { request }),
            Command::Close => {
                self.closing.store(true, Ordering::Release);
                self.queue(Item::Close { request });
            }
            other => match log_of(&other) {
                Some(log) => self.queue(Item::Command {
                    request,
                    log,
                    command: other,
                }),
                None => {
                    let task = FileTask {
                        request,
                        log: None,
                        command: other,
                    };
                    core.small_files.push(core, task);
                }
            },
        }
    }

    fn queue(&self, item: Item) {
        if let Err(item) = self.core.queue.push(item) {
            let (Item::Command { request, .. }
            | Item::Open { request, .. }
            | Item::Close { request }) = item
            else {
                return;
            };
            let error = StoreError::new("CLOSED", "the store is closed");
            self.core.complete(request, Err(error));
            self.core.sink.burst_end();
        }
    }
}

/// The log that a command is about; None: the whole directory.
fn log_of(command: &Command) -> Option<LogId> {
    match command {
        Command::FindTimestamp { log, .. }
        | Command::FindMaxTimestamp { log, .. }
        | Command::ReadHeaders { log, .. }
        | Command::Read { log, .. }
        | Command::Truncate { log, .. }
        | Command::Trim { log, .. }
        | Command::Roll { log }
        | Command::Remove { log }
        | Command::Retain { log, .. }
        | Command::Segments { log }
        | Command::Clean { log, .. } => Some(*log),
        Command::PutFile { log, .. }
        | Command::GetFile { log, .. }
        | Command::RemoveFile { log, .. }
        | Command::ListFiles { log } => *log,
        Command::Format { .. } | Command::OpenLogs(_) | Command::Checkpoint | Command::Close => {
            None
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if !self.closing.load(Ordering::Acquire) {
            self.core.abandon();
        }
        let threads = self
            .threads
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}
