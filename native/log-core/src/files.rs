//! Open descriptors of segment files, bounded; the least recently used ones are closed first.
//!
//! A pin, a flush or a read holds the file itself, so closing here never takes it from them; it
//! only means that the next user opens it again.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::vfs::{OpenMode, Vfs, VfsFile};

/// Share of RLIMIT_NOFILE that the store takes when it is not told: the rest is for sockets.
const LIMIT_SHARE: u64 = 2;
const FILES_MIN: u64 = 16;
const FILES_MAX: u64 = 32_768;

/// Descriptors to keep open, from the option (0: derive) and the process's limit.
pub fn files_open_max(option: u32, limit: u64) -> usize {
    let wanted = if option > 0 {
        u64::from(option)
    } else {
        limit / LIMIT_SHARE
    };
    wanted.clamp(FILES_MIN, FILES_MAX) as usize
}

struct Entry {
    file: Arc<dyn VfsFile>,
    /// Used since the hand passed last: gets a second chance.
    used: bool,
}

#[derive(Default)]
struct State {
    open: HashMap<u64, Entry>,
    /// Keys in the order in which the hand visits them; keys that are gone are passed over.
    hand: VecDeque<u64>,
}

pub struct FileCache {
    vfs: Arc<dyn Vfs>,
    files_max: usize,
    state: Mutex<State>,
}

impl FileCache {
    pub fn new(vfs: Arc<dyn Vfs>, files_max: usize) -> FileCache {
        FileCache {
            vfs,
            files_max,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here leaves the state half changed when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file if it is open. Never touches the disk.
    pub fn peek(&self, key: u64) -> Option<Arc<dyn VfsFile>> {
        let mut state = self.lock();
        let entry = state.open.get_mut(&key)?;
        entry.used = true;
        Some(Arc::clone(&entry.file))
    }

    /// The file, opened where it is not. `key` names one file for the life of the process.
    pub fn get(&self, key: u64, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        if let Some(file) = self.peek(key) {
            return Ok(file);
        }
        let file = match self.vfs.open(path, mode) {
            Err(error) if is_exhausted(&error) => {
                // Somebody else took the descriptors: give up a few of ours and try once more.
                self.shrink_to(self.files_max / 2);
                self.vfs.open(path, mode)?
            }
            other => other?,
        };
        let mut state = self.lock();
        // Two threads may have opened it; the first one's stays, so that all writes of a file and
        // the flush that covers them share one open file and with it one error state.
        let entry = state.open.entry(key).or_insert(Entry { file, used: true });
        let file = Arc::clone(&entry.file);
        state.hand.push_back(key);
        drop(state);
        self.shrink_to(self.files_max);
        Ok(file)
    }

    fn shrink_to(&self, files_max: usize) {
        let mut closed = Vec::new();
        let mut state = self.lock();
        while state.open.len() > files_max {
            let Some(key) = state.hand.pop_front() else {
                break;
            };
            match state.open.get_mut(&key) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    state.hand.push_back(key);
                }
                Some(_) => closed.extend(state.open.remove(&key)),
                None => {}
            }
        }
        if state.hand.len() > 2 * state.open.len() + 64 {
            let State { open, hand } = &mut *state;
            let mut seen = std::collections::HashSet::new();
            hand.retain(|key| open.contains_key(key) && seen.insert(*key));
        }
        // close(2) may wait for the disk: not under the lock.
        drop(state);
        drop(closed);
    }

    pub fn forget(&self, key: u64) {
        let entry = self.lock().open.remove(&key);
        drop(entry);
    }

    pub fn len(&self) -> usize {
        self.lock().open.len()
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
