//! Bringing what is on the disk into memory.

use std::io;

use crate::vfs::{VfsFile, read_exact};

/// Read in advance for somebody who reads cold data: more would stand in the disk's queue before
/// the flush of somebody else.
const READ_AHEAD_BYTES_MAX: u64 = 1 << 20;

/// Reads a range so that it is in memory when it is sent.
pub(super) fn warm(file: &dyn VfsFile, from: u64, to: u64) -> io::Result<()> {
    if file.is_resident(from, to - from) {
        return Ok(());
    }
    let mut buffer = vec![0; ((to - from) as usize).min(256 << 10)];
    let mut position = from;
    while position < to {
        let length = ((to - position) as usize).min(buffer.len());
        read_exact(file, &mut buffer[..length], position)?;
        position += length as u64;
    }
    Ok(())
}

/// Has the next bytes read for whoever read cold data up to `position`: they mostly go on.
pub(super) fn read_on(file: &dyn VfsFile, position: u64, bytes_max: u64) {
    let ahead = bytes_max.min(READ_AHEAD_BYTES_MAX);
    if ahead > 0 {
        file.read_ahead(position, ahead);
    }
}
