//! Zeros that are written ahead of a log's end: past the page cache where that can be had, since
//! nobody reads them.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::cache::PAGE;
use super::{OsFile, check_size, signed};
use crate::vfs::VfsFile;

/// At once in a direct write. Shorter ones leave the disk idle between them.
const ZEROS_BYTES: usize = 256 << 10;

/// Where direct writes may begin: on pages, which no block is larger than.
#[repr(align(4096))]
struct Zeros([u8; ZEROS_BYTES]);

static ZEROS: Zeros = Zeros([0; ZEROS_BYTES]);

/// [`VfsFile::write_zeros`] of a file of the operating system.
pub(super) fn write(file: &OsFile, offset: u64, length: u64) -> io::Result<()> {
    let mut direct = open_direct(file, offset, length);
    if direct.is_some() {
        // Where they make the file longer, direct writes keep everybody else off it.
        file.allocate(offset, length)?;
    }
    let end = offset + length;
    let mut position = offset;
    while position < end {
        let zeros = &ZEROS.0[..(end - position).min(ZEROS_BYTES as u64) as usize];
        let fd = direct.as_ref().map_or(file.raw(), AsRawFd::as_raw_fd);
        let at = signed(position)?;
        // SAFETY: `zeros` is readable for its length.
        let written = unsafe { libc::pwrite(fd, zeros.as_ptr().cast(), zeros.len(), at) };
        match check_size(written) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => position += written as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A device that wants a coarser alignment.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && direct.is_some() => {
                direct = None;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The same file past the page cache, for writes of whole pages; None: cannot be had.
fn open_direct(file: &OsFile, offset: u64, length: u64) -> Option<OwnedFd> {
    if !(offset.is_multiple_of(PAGE) && length.is_multiple_of(PAGE)) {
        return None;
    }
    // By descriptor: the file may have another name by now, or none.
    let path = CString::new(format!("/proc/self/fd/{}", file.raw())).ok()?;
    let flags = libc::O_WRONLY | libc::O_DIRECT | libc::O_CLOEXEC;
    // SAFETY: `path` is a NUL-terminated string that outlives the call.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    // SAFETY: `fd` was just opened and nobody else owns it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}
