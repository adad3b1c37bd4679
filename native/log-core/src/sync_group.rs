//! Makes one group of writes durable, by the directory's strategy.
//!
//! "One fdatasync for all" is valid only for data on blocks that are allocated, written and
//! inside the file's size, on a file system where fdatasync always ends in a flush of the one
//! device (`DirtyPart::ahead` and `Strategy::Ahead` say so). Every other file gets a sync of its
//! own, by a standing pool of threads.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::core::{Core, Strategy};
use crate::flush::{Dirty, DirtyPart};
use crate::names::PARTITION_METADATA;
use crate::vfs::{OpenMode, RangeSync, Vfs, VfsFile};

/// Threads beside the flusher, which works too.
const POOL_THREADS: usize = 3;

/// What could not be synced, and why.
pub type SyncFailure = (String, io::Error);

enum Work {
    Data {
        file: Arc<dyn VfsFile>,
        what: String,
    },
    /// The file in a new folder that names its topic, and the folder itself.
    Folder {
        vfs: Arc<dyn Vfs>,
        path: PathBuf,
        is_new: bool,
    },
    Parent {
        vfs: Arc<dyn Vfs>,
        path: PathBuf,
    },
}

impl Work {
    fn run(&self) -> Result<(), SyncFailure> {
        match self {
            Work::Data { file, what } => file.fdatasync().map_err(|e| (what.clone(), e)),
            Work::Folder { vfs, path, is_new } => {
                let synced = (|| {
                    if *is_new {
                        vfs.open(&path.join(PARTITION_METADATA), OpenMode::ReadWrite)?
                            .fsync()?;
                    }
                    vfs.fsync_dir(path)
                })();
                synced.map_err(|error| (path.display().to_string(), error))
            }
            Work::Parent { vfs, path } => vfs
                .fsync_dir(path)
                .map_err(|error| (path.display().to_string(), error)),
        }
    }

    fn syncs(&self) -> u64 {
        match self {
            Work::Folder { is_new: true, .. } => 2,
            _ => 1,
        }
    }
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    running: usize,
    failure: Option<SyncFailure>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    done: Condvar,
}

pub struct SyncPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl SyncPool {
    pub fn start() -> SyncPool {
        let shared = Arc::new(Shared::default());
        let threads = (0..POOL_THREADS)
            .filter_map(|number| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("log-sync-{number}"))
                    .spawn(move || work(&shared))
                    .ok()
            })
            .collect();
        SyncPool { shared, threads }
    }

    /// Returns when the whole group is durable; says how many flushes that took.
    pub fn sync(&self, core: &Core, group: &[Dirty]) -> Result<u64, SyncFailure> {
        let marks = core
            .marks
            .write_due()
            .map_err(|error| ("durable marks".to_owned(), error))?;
        let files = group.iter().map(|dirty| dirty.parts.len()).sum::<usize>();
        if core.strategy == Strategy::Syncfs && files > 1 {
            return sync_file_system(core, group);
        }
        let ahead_allowed = core.strategy == Strategy::Ahead;
        let is_ahead = |part: &&DirtyPart| ahead_allowed && part.ahead;
        let mut ahead: Vec<(&dyn VfsFile, u64, u64)> = group
            .iter()
            .flat_map(|dirty| dirty.parts.iter().filter(is_ahead))
            .map(|part| (&*part.file, part.from, part.to))
            .collect();
        let mut alone = separate_work(core, group, ahead_allowed);
        if let Some((file, from, to)) = &marks {
            // The marks' blocks are written when the file is made.
            if ahead_allowed && !ahead.is_empty() {
                ahead.push((&**file, *from, *to));
            } else {
                alone.push(Work::Data {
                    file: Arc::clone(file),
                    what: "durable marks".to_owned(),
                });
            }
        }
        let mut flushes = alone.iter().map(Work::syncs).sum();
        if ahead.len() == 1 {
            // Alone, a plain fdatasync does the same in one call.
            let (file, ..) = ahead[0];
            self.begin(alone);
            let synced = file.fdatasync();
            self.finish()?;
            synced.map_err(|error| ("a segment".to_owned(), error))?;
            return Ok(flushes + 1);
        }
        let fault = |error| ("a segment's write-back".to_owned(), error);
        for (file, from, to) in &ahead {
            file.sync_file_range(*from, to - from, RangeSync::Start)
                .map_err(fault)?;
        }
        self.begin(alone);
        let mut waited = Ok(());
        for (file, from, to) in &ahead {
            // The error of a range is told to whoever waits for it, and only once per file.
            let result = file.sync_file_range(*from, to - from, RangeSync::Wait);
            waited = waited.and(result);
        }
        self.finish()?;
        waited.map_err(fault)?;
        if let Some((file, ..)) = ahead.first() {
            // Only now is everything at the device: one flush of its cache covers all of it.
            file.fdatasync().map_err(fault)?;
            flushes += 1;
        }
        Ok(flushes)
    }

    fn begin(&self, work: Vec<Work>) {
        if work.is_empty() {
            return;
        }
        let mut queue = self
            .shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // This thread will take the first one, when it comes to `finish`.
        let helpers = work.len().saturating_sub(1).min(self.threads.len());
        queue.work.extend(work);
        drop(queue);
        for _ in 0..helpers {
            self.shared.work.notify_one();
        }
    }

    /// Works with the pool until all that was begun is done.
    fn finish(&self) -> Result<(), SyncFailure> {
        let mut queue = self
            .shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(work) = queue.work.pop_front() {
                drop(queue);
                let result = work.run();
                queue = self
                    .shared
                    .queue
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if let Err(failure) = result {
                    queue.failure.get_or_insert(failure);
                }
            } else if queue.running > 0 {
                queue = self
                    .shared
                    .done
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                return queue.failure.take().map_or(Ok(()), Err);
            }
        }
    }
}

impl Drop for SyncPool {
    fn drop(&mut self) {
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared) {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(work) = queue.work.pop_front() {
            queue.running += 1;
            drop(queue);
            let result = work.run();
            queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.running -= 1;
            if let Err(failure) = result {
                queue.failure.get_or_insert(failure);
            }
            if queue.running == 0 && queue.work.is_empty() {
                shared.done.notify_all();
            }
        } else if queue.closed {
            return;
        } else {
            queue = shared
                .work
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Everything of a group that needs a sync of its own.
fn separate_work(core: &Core, group: &[Dirty], ahead_allowed: bool) -> Vec<Work> {
    let mut work = Vec::new();
    let mut files = BTreeSet::new();
    let mut new_folder = false;
    for dirty in group {
        for part in &dirty.parts {
            if !(ahead_allowed && part.ahead) && files.insert(part.segment.key) {
                let what = format!("{} at {}", dirty.log.name(), part.segment.base_offset);
                work.push(Work::Data {
                    file: Arc::clone(&part.file),
                    what,
                });
            }
        }
        if dirty.new_segment || dirty.new_folder {
            let path = dirty.log.folder(&core.directory);
            let vfs = Arc::clone(&core.vfs);
            work.push(Work::Folder {
                vfs,
                path,
                is_new: dirty.new_folder,
            });
        }
        new_folder |= dirty.new_folder;
    }
    if new_folder {
        work.push(Work::Parent {
            vfs: Arc::clone(&core.vfs),
            path: core.directory.clone(),
        });
    }
    work
}

fn sync_file_system(core: &Core, group: &[Dirty]) -> Result<u64, SyncFailure> {
    if group.iter().all(|dirty| dirty.parts.is_empty()) {
        return Ok(0);
    }
    // Not by a segment's descriptor: one that was opened after an error would not be told of it.
    let what = || core.directory.display().to_string();
    core.sync_file_system().map_err(|error| (what(), error))?;
    Ok(1)
}
