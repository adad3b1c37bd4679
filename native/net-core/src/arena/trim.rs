//! Giving memory back to the system.

use std::ffi::c_void;

use super::{Arena, UNIT_BYTES};

/// Bytes at the bottom that stay resident when the arena is trimmed.
const TRIM_KEEPS_BYTES: usize = 16 << 20;
/// Bytes given back to the system with one call, so that nobody waits long for the bitmap.
const TRIM_STEP_UNITS: usize = (4 << 20) / UNIT_BYTES;

impl Arena {
    /// Gives pages of free units back to the system: those above the lowest 16 MiB that nobody
    /// used since the call before. Returns the bytes; call it every few seconds.
    pub fn trim(&self) -> usize {
        let mut inner = self.lock();
        let keep = (TRIM_KEEPS_BYTES / UNIT_BYTES).max(inner.recent_end);
        let end = inner.touched_end;
        inner.recent_end = 0;
        inner.touched_end = end.min(keep);
        let mut at = keep;
        let mut trimmed = 0;
        while let Some(first) = inner.units.next_free(at, end) {
            let last = inner.units.next_used(first, end).unwrap_or(end);
            let count = (last - first).min(TRIM_STEP_UNITS);
            // Taken while the pages go, so that nobody writes to them in between.
            assert_eq!(
                inner.units.take(&(first..first + count), count),
                Some(first)
            );
            drop(inner);
            // SAFETY: the units lie in the mapping and nobody else holds them.
            unsafe {
                let address = self.base.as_ptr().add(first * UNIT_BYTES).cast::<c_void>();
                libc::madvise(address, count * UNIT_BYTES, libc::MADV_DONTNEED);
            }
            inner = self.lock();
            inner.units.give_back(first, count);
            trimmed += count * UNIT_BYTES;
            at = first + count;
        }
        drop(inner);
        if trimmed != 0 {
            self.notify();
        }
        trimmed
    }

    /// Whether [`Arena::trim`] may find something.
    pub(crate) fn may_trim(&self) -> bool {
        self.lock().touched_end > TRIM_KEEPS_BYTES / UNIT_BYTES
    }
}
