//! Touches free memory, so that who writes next finds it in the machine.

use std::io::{Error, Result};

const PAGE_BYTES: usize = 4096;

/// Touches so many bytes, in huge pages where the kernel gives them: a host finds one of those far
/// sooner than the 512 small ones in its place.
pub fn run(bytes: usize) -> Result<()> {
    // SAFETY: a fresh private mapping at an address of the kernel's choice, checked before use.
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
        return Err(Error::last_os_error());
    }
    // SAFETY: the range was just mapped. It is advice: without huge pages this merely takes longer.
    unsafe { libc::madvise(address, bytes, libc::MADV_HUGEPAGE) };
    for offset in (0..bytes).step_by(PAGE_BYTES) {
        // SAFETY: inside the mapping, which nobody else knows.
        unsafe { address.cast::<u8>().add(offset).write_volatile(1) };
    }
    // SAFETY: exactly what was mapped, unmapped once.
    unsafe { libc::munmap(address, bytes) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_memory_is_touched_and_none_is_refused() {
        assert!(run(5 << 20).is_ok());
        assert!(run(0).is_err());
    }
}
