//! One mapping in which frames arrive and from which batches are written.
//!
//! The mapping is cut into units of [`UNIT_BYTES`]. A *run* is a contiguous row of units with a
//! reference count: every frame in a run holds one reference, and so does whoever keeps using its
//! bytes (the log store until they are written). A connection that still fills a run holds it as
//! its *reader*, counted apart.
//!
//! Three zones, lowest address first, make sure that a full arena always empties again:
//! *general*, five sixteenths of the arena, for everybody; *own*, another sixteenth, which only
//! [`Arena::allocate`] may use once general is full, so that the broker can always finish what it has
//! begun; and the *reserve*, the other five eighths, which only the first connection in the queue of
//! waiting ones may use. A frame gets its whole space at once, then completes or times out and is
//! released, without needing more: so the reserve runs empty sooner or later, and the largest frame
//! that is allowed (it fits the reserve) gets its turn.
//!
//! The mapping is larger than what is meant to be resident: the reserve is as large as the largest
//! frame, but unless a frame needs more, no more than a [`RESERVE_SHARE`]th of it is in use.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::units::Units;

mod trim;

#[cfg(test)]
mod tests;

/// Granularity of runs, in bytes.
pub const UNIT_BYTES: usize = 16 * 1024;

/// Size of the mapping unless told otherwise.
pub const DEFAULT_BYTES: usize = 168 << 20;

/// What of the reserve several frames may use together: one part of so many.
const RESERVE_SHARE: usize = 8;

/// Smallest step in which an arena can be sized.
pub const STEP_BYTES: usize = 64 * UNIT_BYTES;

/// A run's state: references in the low half (31 bits and the reader's), charged bytes above.
const READER: u64 = 1 << 31;
const REFERENCES: u64 = READER - 1;
const CHARGE_SHIFT: u32 = 32;

/// Told by an arena about memory that came free. Called from whichever thread released it.
pub trait ArenaObserver: Send + Sync {
    /// All frames of `owner` in one run were released: `bytes` that were charged to it.
    fn credit(&self, owner: u64, bytes: u32);
    /// A run came free, or the queue moved, while somebody waits for memory.
    fn freed(&self);
}

struct Inner {
    units: Units,
    /// Owners that wait for memory, first come first.
    waiting: VecDeque<u64>,
    /// One past the highest free unit that may be resident.
    touched_end: usize,
    /// One past the highest unit that was taken since the last trim.
    recent_end: usize,
}

/// The mapping and its runs. All methods may be called from any thread.
///
/// The bytes are shared with readers that the compiler does not see (JavaScript, the kernel), so
/// they are never handed out as references, only as addresses.
pub struct Arena {
    base: NonNull<u8>,
    bytes: usize,
    general: Range<usize>,
    own: Range<usize>,
    reserve: Range<usize>,
    /// Per unit: the first unit of the run that holds it. Holds old values for free units.
    heads: Box<[AtomicU32]>,
    /// Per first unit: units of the run, 0 when there is none.
    counts: Box<[AtomicU32]>,
    /// Per first unit: references and charge, see the constants.
    states: Box<[AtomicU64]>,
    /// Per first unit: whom the charge is credited to.
    owners: Box<[AtomicU64]>,
    inner: Mutex<Inner>,
    has_waiting: AtomicBool,
    observer: RwLock<Option<Arc<dyn ArenaObserver>>>,
}

// SAFETY: the mapping lives as long as the arena and is only reached through raw addresses.
unsafe impl Send for Arena {}
// SAFETY: all bookkeeping is atomic or behind a mutex.
unsafe impl Sync for Arena {}

impl Arena {
    /// Maps `bytes` (a multiple of [`STEP_BYTES`], below 4 GiB; address space, not memory). The
    /// mapping goes when the last `Arc` does: a binding that shows it to JavaScript keeps one
    /// for good.
    pub fn map(bytes: usize) -> std::io::Result<Arc<Arena>> {
        if bytes == 0 || !bytes.is_multiple_of(STEP_BYTES) || bytes > u32::MAX as usize {
            return Err(std::io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let base = NonNull::new(address.cast::<u8>()).ok_or_else(std::io::Error::last_os_error)?;
        let count = bytes / UNIT_BYTES;
        let (own, reserve) = (count / 16 * 5, count / 8 * 3);
        Ok(Arc::new(Arena {
            base,
            bytes,
            general: 0..own,
            own: own..reserve,
            reserve: reserve..count,
            heads: (0..count).map(|_| AtomicU32::new(0)).collect(),
            counts: (0..count).map(|_| AtomicU32::new(0)).collect(),
            states: (0..count).map(|_| AtomicU64::new(0)).collect(),
            owners: (0..count).map(|_| AtomicU64::new(0)).collect(),
            inner: Mutex::new(Inner {
                units: Units::new(count),
                waiting: VecDeque::new(),
                touched_end: 0,
                recent_end: 0,
            }),
            has_waiting: AtomicBool::new(false),
            observer: RwLock::new(None),
        }))
    }

    /// Address of the first byte; stays the same for the arena's life.
    pub fn base_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes of the mapping.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Bytes of the runs in use.
    pub fn used(&self) -> usize {
        self.lock().units.used() * UNIT_BYTES
    }

    /// Largest run that is certain to come free one day, in bytes: the limit for frames.
    pub fn largest_run(&self) -> usize {
        self.reserve.len() * UNIT_BYTES
    }

    /// A run for bytes of our own with one reference, which the caller owns. `None`: full.
    pub fn allocate(&self, length: usize) -> Option<u32> {
        let count = length.div_ceil(UNIT_BYTES).max(1);
        let mut inner = self.lock();
        let first = inner.units.take(&(0..self.own.end), count)?;
        Some(self.begin(&mut inner, first, count, 0, 1))
    }

    /// Adds a reference to the run that holds `offset`, which must have one already (the frame
    /// whose bytes the log store is to write, for example).
    ///
    /// # Panics
    /// When no referenced run holds `offset`: a mistake of ours that would corrupt data.
    pub fn retain(&self, offset: u32) {
        let head = self.head_of(offset);
        let before = self.states[head].fetch_add(1, Ordering::Relaxed);
        assert!(
            before & REFERENCES != 0,
            "arena: retained a run without references at {offset}"
        );
    }

    /// Drops one reference to the run that holds `offset`; the last one frees it.
    ///
    /// # Panics
    /// When no referenced run holds `offset`.
    pub fn release(&self, offset: u32) {
        let head = self.head_of(offset);
        let owner = self.owners[head].load(Ordering::Relaxed);
        let mut charge = 0;
        // Release, so that whoever frees the run does so after all users are done with its bytes;
        // acquire for that one. The charge is taken in the same step as the last reference, since
        // from then on the reader may free the run at any time.
        let before = self.states[head]
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                let references = state & REFERENCES;
                assert!(references != 0, "arena: released {offset} once too often");
                charge = if references == 1 {
                    state >> CHARGE_SHIFT
                } else {
                    0
                };
                Some((state - 1) - (charge << CHARGE_SHIFT))
            })
            .unwrap_or_else(|state| state);
        if before & (REFERENCES | READER) == 1 {
            self.free(head);
        }
        if charge != 0
            && let Some(observer) = self.observer()
        {
            observer.credit(owner, charge as u32);
        }
    }

    /// Who is told about credits and freed memory. One at a time; `None` takes it back.
    pub(crate) fn observe(&self, observer: Option<Arc<dyn ArenaObserver>>) {
        *self
            .observer
            .write()
            .unwrap_or_else(PoisonError::into_inner) = observer;
    }

    /// A run held by its reader only, from the general zone.
    pub(crate) fn take_run(&self, length: usize, owner: u64) -> Option<Run> {
        let count = length.div_ceil(UNIT_BYTES);
        let mut inner = self.lock();
        let first = inner.units.take(&self.general, count)?;
        Some(self.begin_run(&mut inner, first, count, owner))
    }

    /// Puts `owner` at the end of the queue.
    pub(crate) fn wait(&self, owner: u64) {
        let mut inner = self.lock();
        inner.waiting.push_back(owner);
        self.has_waiting.store(true, Ordering::SeqCst);
    }

    /// As [`Arena::take_run`] for an owner in the queue, which it leaves on success. The first one
    /// may use the reserve.
    pub(crate) fn take_run_waiting(&self, length: usize, owner: u64) -> Option<Run> {
        let count = length.div_ceil(UNIT_BYTES);
        let mut inner = self.lock();
        let first = match inner.units.take(&self.general, count) {
            Some(first) => first,
            None if inner.waiting.front() == Some(&owner) => {
                self.take_reserve(&mut inner, count)?
            }
            None => return None,
        };
        let run = self.begin_run(&mut inner, first, count, owner);
        self.leave(inner, owner);
        Some(run)
    }

    /// From the begin of the reserve, or from all of it when nobody else is there: then there is room
    /// for the largest frame.
    fn take_reserve(&self, inner: &mut Inner, count: usize) -> Option<usize> {
        let Range { start, end } = self.reserve;
        let is_empty = inner.units.next_used(start, end).is_none();
        let share = start..start + self.reserve.len() / RESERVE_SHARE;
        let zone = if is_empty { &self.reserve } else { &share };
        inner.units.take(zone, count)
    }

    /// Takes `owner` out of the queue.
    pub(crate) fn stop_waiting(&self, owner: u64) {
        self.leave(self.lock(), owner);
    }

    /// Whether anybody waits.
    pub(crate) fn is_wanted(&self) -> bool {
        self.has_waiting.load(Ordering::SeqCst)
    }

    /// Whether more than half of the general zone is in use: time to take small runs.
    pub(crate) fn is_crowded(&self) -> bool {
        self.lock().units.used() > self.general.len() / 2
    }

    /// Counts a frame of `bytes` in a reader's run: one reference, which goes to the frame's
    /// receiver, and its bytes, credited once all frames in the run are released.
    pub(crate) fn add_frame(&self, run: &Run, bytes: u32) {
        let frame = (u64::from(bytes) << CHARGE_SHIFT) | 1;
        self.states[run.offset as usize / UNIT_BYTES].fetch_add(frame, Ordering::Relaxed);
    }

    /// Whether every frame in a reader's run was released, so that it can be filled anew.
    pub(crate) fn is_unreferenced(&self, run: &Run) -> bool {
        let state = self.states[run.offset as usize / UNIT_BYTES].load(Ordering::Acquire);
        state & REFERENCES == 0
    }

    /// The reader is done with a run; its frames keep it alive.
    pub(crate) fn leave_run(&self, run: Run) {
        let head = run.offset as usize / UNIT_BYTES;
        let before = self.states[head].fetch_and(!READER, Ordering::AcqRel);
        assert!(before & READER != 0, "arena: a run was left twice");
        if before & REFERENCES == 0 {
            self.free(head);
        }
    }

    fn begin_run(&self, inner: &mut Inner, first: usize, count: usize, owner: u64) -> Run {
        let offset = self.begin(inner, first, count, owner, READER);
        Run {
            offset,
            bytes: (count * UNIT_BYTES) as u32,
        }
    }

    fn begin(&self, inner: &mut Inner, first: usize, count: usize, owner: u64, state: u64) -> u32 {
        inner.recent_end = inner.recent_end.max(first + count);
        for head in &self.heads[first..first + count] {
            head.store(first as u32, Ordering::Relaxed);
        }
        self.owners[first].store(owner, Ordering::Relaxed);
        self.states[first].store(state, Ordering::Relaxed);
        self.counts[first].store(count as u32, Ordering::Relaxed);
        (first * UNIT_BYTES) as u32
    }

    fn free(&self, head: usize) {
        let mut inner = self.lock();
        let count = self.counts[head].swap(0, Ordering::Relaxed) as usize;
        inner.units.give_back(head, count);
        inner.touched_end = inner.touched_end.max(head + count);
        drop(inner);
        self.notify();
    }

    fn leave(&self, mut inner: MutexGuard<'_, Inner>, owner: u64) {
        let was_first = inner.waiting.front() == Some(&owner);
        if was_first {
            inner.waiting.pop_front();
        } else if let Some(at) = inner.waiting.iter().position(|waiting| *waiting == owner) {
            inner.waiting.remove(at);
        }
        self.has_waiting
            .store(!inner.waiting.is_empty(), Ordering::SeqCst);
        drop(inner);
        if was_first {
            self.notify();
        }
    }

    fn notify(&self) {
        if self.has_waiting.load(Ordering::SeqCst)
            && let Some(observer) = self.observer()
        {
            observer.freed();
        }
    }

    fn observer(&self) -> Option<Arc<dyn ArenaObserver>> {
        self.observer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn head_of(&self, offset: u32) -> usize {
        let unit = offset as usize / UNIT_BYTES;
        assert!(unit < self.heads.len(), "arena: offset {offset} is outside");
        let head = self.heads[unit].load(Ordering::Relaxed) as usize;
        let count = self.counts[head].load(Ordering::Relaxed) as usize;
        assert!(unit - head < count, "arena: no run holds offset {offset}");
        head
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever got its address holds an `Arc` of this arena.
        unsafe { libc::munmap(self.base.as_ptr().cast::<c_void>(), self.bytes) };
    }
}

/// A reader's hold on a run. Given back with [`Arena::leave_run`].
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}
