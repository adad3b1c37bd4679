//! What of a file is in the page cache, as `cachestat` tells it.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// `struct cachestat_range` and `struct cachestat` of Linux 6.5.
#[repr(C)]
struct CacheRange {
    offset: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct CacheStat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

const SYS_CACHESTAT: libc::c_long = 451;
static CACHESTAT_MISSING: AtomicBool = AtomicBool::new(false);
pub(super) const PAGE: u64 = 4096;

/// Pages of the range that are in the page cache, or None where the kernel cannot tell.
pub(super) fn cached_pages(fd: RawFd, offset: u64, length: u64) -> Option<u64> {
    if CACHESTAT_MISSING.load(Ordering::Relaxed) {
        return None;
    }
    let range = CacheRange { offset, length };
    let mut stat = CacheStat::default();
    // SAFETY: both structs live across the call and have the kernel's layout.
    let result = unsafe { libc::syscall(SYS_CACHESTAT, fd, &range, &mut stat, 0 as libc::c_uint) };
    if result != 0 {
        CACHESTAT_MISSING.store(true, Ordering::Relaxed);
        return None;
    }
    Some(stat.cached)
}
