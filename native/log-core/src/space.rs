//! Free space: refuses appends before the volume is full, and keeps a reserve for what must go on
//! (checkpoints, deletes, the cluster's metadata) when others have filled it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{Event, EventSink, StoreCode};
use crate::names::RESERVE;
use crate::vfs::{OpenMode, Vfs};

/// How long an answer of statfs is trusted when little is written.
const TRUST: Duration = Duration::from_millis(100);
/// How many written bytes are subtracted from it before it is asked again.
const TRUST_BYTES: u64 = 32 << 20;

/// Kafka's name for the topic whose appends go on in low space: without them nothing could be
/// deleted.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

pub fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
        || error.kind() == io::ErrorKind::StorageFull
}

struct State {
    checked: Option<Instant>,
    written_since: u64,
    reserve_in_place: bool,
    /// Rows that were queued before the space ran low are still taken.
    refused_from: u64,
}

pub struct Space {
    vfs: Arc<dyn Vfs>,
    sink: Arc<dyn EventSink>,
    directory: PathBuf,
    reserve_bytes: u64,
    free_bytes_min: u64,
    low: AtomicBool,
    free_bytes: AtomicU64,
    total_bytes: AtomicU64,
    state: Mutex<State>,
}

/// What a row may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Write,
    Refuse,
}

impl Space {
    pub fn new(
        vfs: Arc<dyn Vfs>,
        sink: Arc<dyn EventSink>,
        directory: &Path,
        reserve_bytes: u64,
        free_bytes_min: u64,
    ) -> Space {
        Space {
            vfs,
            sink,
            directory: directory.to_owned(),
            reserve_bytes,
            free_bytes_min,
            low: AtomicBool::new(false),
            free_bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            state: Mutex::new(State {
                checked: None,
                written_since: 0,
                reserve_in_place: false,
                refused_from: 0,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Size of the volume.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Acquire)
    }

    /// Makes the reserve where there is room for it, and finds out how things stand. Called once,
    /// when the directory is opened; the state of affairs is told by an event if it is low.
    pub fn begin(&self) -> io::Result<()> {
        let path = self.directory.join(RESERVE);
        let length = self.vfs.metadata(&path)?.map_or(0, |meta| meta.len);
        if length > 0 && length != self.reserve_bytes {
            self.vfs.unlink(&path)?;
        }
        let mut state = self.lock();
        state.reserve_in_place = length > 0 && length == self.reserve_bytes;
        let free = self.ask(&mut state)?;
        if !state.reserve_in_place && free >= self.needed() {
            self.make_reserve(&mut state);
        }
        let free = self.ask(&mut state)?;
        drop(state);
        if free < self.free_bytes_min {
            self.enter_low(
                0,
                format!("{free} bytes are free, {} are wanted", self.free_bytes_min),
            );
        }
        Ok(())
    }

    fn needed(&self) -> u64 {
        self.free_bytes_min.saturating_add(self.reserve_bytes)
    }

    fn ask(&self, state: &mut State) -> io::Result<u64> {
        let volume = self.vfs.volume(&self.directory)?;
        let free = volume.free_bytes;
        state.checked = Some(Instant::now());
        state.written_since = 0;
        self.free_bytes.store(free, Ordering::Relaxed);
        self.total_bytes
            .store(volume.total_bytes, Ordering::Relaxed);
        Ok(free)
    }

    fn make_reserve(&self, state: &mut State) {
        if self.reserve_bytes == 0 {
            return;
        }
        let path = self.directory.join(RESERVE);
        let made = self.vfs.open(&path, OpenMode::Create).and_then(|file| {
            file.allocate(0, self.reserve_bytes)?;
            file.fsync()
        });
        state.reserve_in_place = made.is_ok();
        if made.is_err() {
            // A file system without fallocate: there is then no reserve, only the floor.
            let _ = self.vfs.unlink(&path);
        }
    }

    /// Takes `queued_bytes` into account before they are written; `next_row` numbers the first
    /// row that is not yet in the queue.
    pub fn about_to_write(&self, queued_bytes: u64, next_row: u64) {
        let mut state = self.lock();
        let known = self.free_bytes();
        let spent = state.written_since.saturating_add(queued_bytes);
        let fresh = state
            .checked
            .is_some_and(|checked| checked.elapsed() < TRUST);
        let ample = known.saturating_sub(spent) > self.free_bytes_min.saturating_add(TRUST_BYTES);
        if fresh && ample && spent < TRUST_BYTES {
            state.written_since = spent;
            return;
        }
        // Where even statfs fails, the write itself will say what is wrong.
        let Ok(free) = self.ask(&mut state) else {
            return;
        };
        state.written_since = queued_bytes;
        drop(state);
        if free.saturating_sub(queued_bytes) < self.free_bytes_min && !self.is_low() {
            let text = format!("{free} bytes are free, {} are wanted", self.free_bytes_min);
            self.enter_low(next_row, text);
        }
    }

    /// Whether row number `row` may be written now.
    pub fn admit(&self, row: u64) -> Admission {
        if !self.is_low() {
            return Admission::Write;
        }
        // What was under way when space ran low still has the lower half of the margin.
        let state = self.lock();
        if row < state.refused_from && self.free_bytes() >= self.free_bytes_min / 2 {
            return Admission::Write;
        }
        Admission::Refuse
    }

    fn enter_low(&self, next_row: u64, detail: String) {
        let mut state = self.lock();
        if self.low.swap(true, Ordering::AcqRel) {
            return;
        }
        state.refused_from = next_row;
        drop(state);
        self.sink.event(Event::StoreState {
            code: StoreCode::LowSpace,
            detail,
        });
    }

    /// A call failed for want of space: frees the reserve. Says whether that freed anything.
    pub fn ran_out(&self, what: &str) -> bool {
        self.enter_low(0, format!("no space left for {what}"));
        let mut state = self.lock();
        if !std::mem::take(&mut state.reserve_in_place) {
            return false;
        }
        let freed = self.vfs.unlink(&self.directory.join(RESERVE)).is_ok();
        let _ = self.ask(&mut state);
        freed
    }

    /// Looks whether space has come back; called from time to time while it is low.
    pub fn look_again(&self) {
        if !self.is_low() {
            return;
        }
        let mut state = self.lock();
        let Ok(free) = self.ask(&mut state) else {
            return;
        };
        let reserve = if state.reserve_in_place {
            0
        } else {
            self.reserve_bytes
        };
        // Without a floor, one whole megabyte must be there before appends are tried again.
        let wanted = self.free_bytes_min.max(1 << 20).saturating_add(reserve);
        if free < wanted {
            return;
        }
        if !state.reserve_in_place {
            self.make_reserve(&mut state);
            let _ = self.ask(&mut state);
        }
        drop(state);
        self.low.store(false, Ordering::Release);
        let detail = format!("{free} bytes are free again");
        self.sink.event(Event::StoreState {
            code: StoreCode::Ok,
            detail,
        });
        self.sink.burst_end();
    }

    /// Runs something that must work in low space: frees the reserve and tries once more.
    pub fn with_reserve<T>(
        &self,
        what: &str,
        mut action: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        match action() {
            Err(error) if is_full(&error) && self.ran_out(what) => action(),
            other => other,
        }
    }
}
