//! A file system whose calls wait at a gate until a test opens it.
#![allow(dead_code)]

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use mantou_log_core::sim::SimVfs;
use mantou_log_core::vfs::*;

/// Calls that can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Open,
    ReadDir,
    Allocate,
    Fdatasync,
    /// The return of a write that was made.
    Written,
}

#[derive(Default)]
struct State {
    closed: Vec<(Held, String)>,
    waiting: usize,
}

/// Where calls wait.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// Holds calls on paths that end like this from now on.
    pub fn close(&self, held: Held, path_ends: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed.push((held, path_ends.to_owned()));
    }

    pub fn open(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed.clear();
        self.changed.notify_all();
    }

    /// Lets calls of one kind go on.
    pub fn let_pass(&self, held: Held) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed.retain(|closed| closed.0 != held);
        self.changed.notify_all();
    }

    /// Returns once a call waits.
    pub fn wait_for_one(&self) {
        self.wait_for(1);
    }

    /// Returns once so many calls wait.
    pub fn wait_for(&self, calls: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.waiting < calls {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn waiting(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
    }

    fn pass(&self, call: Held, path: &Path) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = path.to_string_lossy();
        let is_closed = |state: &State| {
            let mut closed = state.closed.iter();
            closed.any(|(held, ends)| *held == call && text.ends_with(ends.as_str()))
        };
        if !is_closed(&state) {
            return;
        }
        state.waiting += 1;
        self.changed.notify_all();
        while is_closed(&state) {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
    }
}

#[derive(Clone)]
pub struct StallingVfs {
    pub sim: SimVfs,
    pub gate: Arc<Gate>,
}

struct StallingFile {
    file: Arc<dyn VfsFile>,
    gate: Arc<Gate>,
    path: std::path::PathBuf,
}

impl Vfs for StallingVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        self.gate.pass(Held::Open, path);
        Ok(Arc::new(StallingFile {
            file: self.sim.open(path, mode)?,
            gate: Arc::clone(&self.gate),
            path: path.to_owned(),
        }))
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.gate.pass(Held::ReadDir, path);
        self.sim.read_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.sim.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.sim.unlink(path)
    }
    fn mkdir(&self, path: &Path) -> io::Result<()> {
        self.sim.mkdir(path)
    }
    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.sim.rmdir(path)
    }
    fn fsync_dir(&self, path: &Path) -> io::Result<()> {
        self.sim.fsync_dir(path)
    }
    fn metadata(&self, path: &Path) -> io::Result<Option<FileMeta>> {
        self.sim.metadata(path)
    }
    fn volume(&self, path: &Path) -> io::Result<VolumeInfo> {
        self.sim.volume(path)
    }
    fn boot_id(&self) -> String {
        self.sim.boot_id()
    }
    fn files_open_limit(&self) -> u64 {
        self.sim.files_open_limit()
    }
}

impl VfsFile for StallingFile {
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.gate.pass(Held::Allocate, &self.path);
        self.file.allocate(offset, length)
    }
    fn pread(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.pread(buf, offset)
    }
    fn pread_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.pread_nowait(buf, offset)
    }
    fn is_resident(&self, offset: u64, length: u64) -> bool {
        self.file.is_resident(offset, length)
    }
    fn read_ahead(&self, offset: u64, length: u64) {
        self.file.read_ahead(offset, length);
    }
    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.pwrite(bytes, offset)
    }
    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let written = self.file.pwritev(slices, offset);
        self.gate.pass(Held::Written, &self.path);
        written
    }
    fn fsync(&self) -> io::Result<()> {
        self.file.fsync()
    }
    fn fdatasync(&self) -> io::Result<()> {
        self.gate.pass(Held::Fdatasync, &self.path);
        self.file.fdatasync()
    }
    fn sync_file_range(&self, offset: u64, length: u64, sync: RangeSync) -> io::Result<()> {
        self.file.sync_file_range(offset, length, sync)
    }
    fn syncfs(&self) -> io::Result<()> {
        self.file.syncfs()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
    fn write_zeros(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.write_zeros(offset, length)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn map(&self, length: u64) -> io::Result<Arc<dyn FileMap>> {
        self.file.map(length)
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
    fn as_raw_fd(&self) -> Option<RawFd> {
        self.file.as_raw_fd()
    }
}
