//! One mapping in which frames arrive and from which batches are written.
//!
//! The mapping is cut into units of [`UNIT_BYTES`]. A *run* is a contiguous row of units with a
//! reference count; every frame in a run holds one reference, so does a reader that still fills
//! it, and so does whoever else keeps using its bytes (the log store until they are written).

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Granularity of runs, in bytes.
pub const UNIT_BYTES: usize = 16 * 1024;

/// Size of the mapping unless told otherwise.
pub const DEFAULT_BYTES: usize = 256 << 20;

/// Told by an arena about memory that came free. Called from whichever thread released it.
pub trait ArenaObserver: Send + Sync {
    /// All frames charged to `owner` in one run were released.
    fn credit(&self, owner: u64, bytes: u32);
    /// A run came free while somebody waits for memory.
    fn freed(&self);
}

/// The mapping and its runs. All methods may be called from any thread.
///
/// The bytes are shared with readers that the compiler does not see (JavaScript, the kernel), so
/// they are never handed out as references, only as addresses.
pub struct Arena {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping lives as long as the arena and is only reached through raw addresses.
unsafe impl Send for Arena {}
// SAFETY: all bookkeeping is atomic or behind a mutex.
unsafe impl Sync for Arena {}

impl Arena {
    /// Maps `bytes` (a multiple of 2 MiB; address space, not memory) once, for good.
    pub fn map(bytes: usize) -> std::io::Result<Arc<Arena>> {
        let _ = bytes;
        unreachable!("written in the next commit")
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
        unreachable!("written in the next commit")
    }

    /// A run for bytes of our own with one reference, which the caller owns. `None`: full.
    pub fn allocate(&self, length: usize) -> Option<u32> {
        let _ = length;
        unreachable!("written in the next commit")
    }

    /// Adds a reference to the run that holds `offset`. The caller must hold one already (or act
    /// for someone who does, as the log store does for the frame that it is handed).
    ///
    /// # Panics
    /// When no live run holds `offset`: a mistake of ours that would corrupt data.
    pub fn retain(&self, offset: u32) {
        let _ = offset;
    }

    /// Drops one reference to the run that holds `offset`; the last one frees it.
    ///
    /// # Panics
    /// When no live run holds `offset`.
    pub fn release(&self, offset: u32) {
        let _ = offset;
    }
}
