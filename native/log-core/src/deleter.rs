//! Deletes files when their delay is over, big ones cut down in steps first: unlinking a large
//! file at once keeps the file system's journal, and with it every flush, waiting.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log::Segment;
use crate::vfs::{OpenMode, Vfs};

const STEP_BYTES: u64 = 64 << 20;
/// Pause between steps.
const STEP_PAUSE: Duration = Duration::from_millis(20);

pub enum Job {
    /// Files of one segment. It is not cut while a pin holds the segment.
    Files {
        paths: Vec<PathBuf>,
        segment: Option<Arc<Segment>>,
    },
    /// A folder with all that is in it.
    Folder(PathBuf),
}

#[derive(Default)]
struct State {
    /// By due time; the number keeps jobs of one moment apart.
    jobs: BTreeMap<(Instant, u64), Job>,
    count: u64,
    closed: bool,
}

#[derive(Default)]
pub struct DeleteQueue {
    state: Mutex<State>,
    changed: Condvar,
}

impl DeleteQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes after `delay_ms`. What is still waiting at the end is found again at the next
    /// start, by its name.
    pub fn push(&self, job: Job, delay_ms: u64) {
        let mut state = self.lock();
        state.count += 1;
        let delay = Duration::from_millis(delay_ms.min(365 * 86_400_000));
        let key = (Instant::now() + delay, state.count);
        state.jobs.insert(key, job);
        drop(state);
        self.changed.notify_one();
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let due = state.jobs.first_key_value().map(|(key, _)| key.0);
            state = match due {
                Some(due) if due <= now => return state.jobs.pop_first().map(|(_, job)| job),
                Some(due) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// The deleting thread. A file that cannot be deleted is left for the next start.
pub fn run(vfs: &dyn Vfs, queue: &DeleteQueue) {
    while let Some(job) = queue.take() {
        match job {
            Job::Files { paths, segment } => {
                // A pin is a reader that is being sent these bytes: cut nothing away from it.
                let is_pinned = segment.is_some_and(|segment| Arc::strong_count(&segment) > 1);
                for path in paths {
                    let _ = delete_file(vfs, queue, &path, !is_pinned);
                }
            }
            Job::Folder(path) => {
                let _ = delete_folder(vfs, queue, &path);
            }
        }
    }
}

fn delete_file(vfs: &dyn Vfs, queue: &DeleteQueue, path: &Path, cut: bool) -> io::Result<()> {
    let length = vfs.metadata(path)?.map_or(0, |meta| meta.len);
    if cut && length > STEP_BYTES {
        let file = vfs.open(path, OpenMode::ReadWrite)?;
        let mut length = length;
        while length > STEP_BYTES {
            if queue.is_closed() {
                return Ok(());
            }
            length -= STEP_BYTES;
            file.truncate(length)?;
            std::thread::sleep(STEP_PAUSE);
        }
    }
    vfs.unlink(path)
}

fn delete_folder(vfs: &dyn Vfs, queue: &DeleteQueue, path: &Path) -> io::Result<()> {
    for entry in vfs.read_dir(path)? {
        if !entry.is_dir {
            delete_file(vfs, queue, &path.join(entry.name), true)?;
        }
        if queue.is_closed() {
            return Ok(());
        }
    }
    vfs.rmdir(path)
}
