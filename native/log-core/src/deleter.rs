//! Deletes files when their delay is over, big ones cut down in steps first: unlinking a large
//! file at once keeps the file system's journal, and with it every flush, waiting.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log::Segment;
use crate::names::{LOG, parse_segment_file};
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
    /// A folder with all that is in it. None: nobody of this run can be reading its files.
    Folder {
        path: PathBuf,
        segments: Option<Vec<Arc<Segment>>>,
    },
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
                let is_pinned = segment.is_some_and(|segment| is_pinned(&segment));
                for path in paths {
                    let _ = delete_file(vfs, queue, &path, !is_pinned);
                }
            }
            Job::Folder { path, segments } => {
                let _ = delete_folder(vfs, queue, &path, segments.as_deref());
            }
        }
    }
}

/// A pin is a reader that is being sent these bytes: cut nothing away from it.
fn is_pinned(segment: &Arc<Segment>) -> bool {
    Arc::strong_count(segment) > 1
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

fn delete_folder(
    vfs: &dyn Vfs,
    queue: &DeleteQueue,
    path: &Path,
    segments: Option<&[Arc<Segment>]>,
) -> io::Result<()> {
    for entry in vfs.read_dir(path)? {
        if !entry.is_dir {
            let cut = segments.is_none_or(|segments| {
                let file = parse_segment_file(&entry.name).filter(|(_, kind)| *kind == LOG);
                // Files of segments that went before the log are not among them.
                file.is_some_and(|(base_offset, _)| {
                    let mut its = segments.iter();
                    its.any(|segment| segment.base_offset == base_offset && !is_pinned(segment))
                })
            });
            delete_file(vfs, queue, &path.join(entry.name), cut)?;
        }
        if queue.is_closed() {
            return Ok(());
        }
    }
    vfs.rmdir(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimVfs;

    fn folder_of_one(vfs: &SimVfs) -> Arc<dyn crate::vfs::VfsFile> {
        vfs.mkdir(Path::new("/gone-delete")).expect("a folder");
        let path = Path::new("/gone-delete/00000000000000000000.log");
        let file = vfs.open(path, OpenMode::Create).expect("a file");
        file.truncate(STEP_BYTES + 1).expect("its length");
        file
    }

    #[test]
    fn a_removed_log_is_not_cut_under_its_readers() {
        let path = Path::new("/gone-delete");
        let queue = DeleteQueue::default();
        for (pinned, left) in [(true, STEP_BYTES + 1), (false, 1)] {
            let vfs = SimVfs::default();
            let file = folder_of_one(&vfs);
            let segment = Arc::new(Segment::new(0, 1, STEP_BYTES + 1));
            let pin = pinned.then(|| Arc::clone(&segment));
            delete_folder(&vfs, &queue, path, Some(&[segment])).expect("deleted");
            assert_eq!(file.len().expect("still open"), left);
            assert!(vfs.files().is_empty());
            drop(pin);
        }
    }
}
