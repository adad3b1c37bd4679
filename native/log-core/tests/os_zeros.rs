//! Zeros on the operating system's files: past the page cache where that can be had, and the same
//! bytes either way.

mod batch_maker;
mod store_harness;

use mantou_log_core::OsVfs;
use mantou_log_core::vfs::{OpenMode, Vfs, read_exact};
use store_harness::TempDir;

const PAGE: u64 = 4096;

/// What the file holds after zeros over the range, where it held 0xff in its first `before` bytes.
fn zeroed(before: usize, offset: u64, length: u64) -> Vec<u8> {
    let dir = TempDir::new();
    let file = OsVfs
        .open(&dir.path().join("zeros"), OpenMode::CreateNew)
        .expect("made");
    file.pwrite(&vec![0xff; before], 0).expect("written");
    file.write_zeros(offset, length).expect("zeroed");
    file.fdatasync().expect("synced");
    let mut bytes = vec![1; file.len().expect("its length") as usize];
    read_exact(&*file, &mut bytes, 0).expect("read");
    bytes
}

fn check(before: usize, offset: u64, length: u64) {
    let bytes = zeroed(before, offset, length);
    let end = (offset + length) as usize;
    assert_eq!(bytes.len(), end.max(before));
    for (position, byte) in bytes.iter().enumerate() {
        let zero = position >= before || (offset..end as u64).contains(&(position as u64));
        assert_eq!(*byte, if zero { 0 } else { 0xff }, "at {position}");
    }
}

#[test]
fn whole_pages_become_zeros_and_nothing_else_does() {
    check(0, 0, PAGE);
    check(100, PAGE, 3 * PAGE);
    // Over bytes that are in the page cache and not on the disk.
    check(5 * PAGE as usize, PAGE, 2 * PAGE);
    // In several writes, the last of them short.
    check(PAGE as usize, 2 * PAGE, (1 << 20) + PAGE);
}

#[test]
fn ranges_that_no_direct_write_takes_become_zeros_too() {
    check(100, 100, 1);
    check(3 * PAGE as usize, 17, PAGE);
    check(0, PAGE, PAGE + 1);
}
