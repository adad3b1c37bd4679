//! Batches that follow each other, that are cut off, and that stand where none should.

use super::*;
use crate::batch::crc32c;

/// A batch of `count` records' worth of offsets around `payload` (not real records).
pub(crate) fn batch(base_offset: i64, count: i32, timestamp: i64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; BATCH_HEADER_BYTES];
    bytes.extend_from_slice(payload);
    let length = (bytes.len() - 12) as i32;
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[27..35].copy_from_slice(&timestamp.to_be_bytes());
    bytes[35..43].copy_from_slice(&timestamp.to_be_bytes());
    bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

struct Bytes(Vec<u8>);

impl VfsFile for Bytes {
    fn pread(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.get(offset as usize..).unwrap_or(&[]);
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }
    fn pread_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.pread(buf, offset)
    }
    fn is_resident(&self, _: u64, _: u64) -> bool {
        true
    }
    fn read_ahead(&self, _: u64, _: u64) {}
    fn pwrite(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn pwritev(&self, _: &[io::IoSlice<'_>], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn fsync(&self) -> io::Result<()> {
        Ok(())
    }
    fn fdatasync(&self) -> io::Result<()> {
        Ok(())
    }
    fn sync_file_range(&self, _: u64, _: u64, _: crate::vfs::RangeSync) -> io::Result<()> {
        Ok(())
    }
    fn syncfs(&self) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn write_zeros(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn map(&self, length: u64) -> io::Result<Arc<dyn crate::vfs::FileMap>> {
        Ok(Arc::new(self.0[..length as usize].to_vec()))
    }
    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
    fn as_raw_fd(&self) -> Option<std::os::fd::RawFd> {
        None
    }
}

fn scanner(bytes: Vec<u8>) -> Scanner {
    let end = bytes.len() as u64;
    Scanner::new(Arc::new(Bytes(bytes)), end)
}

#[test]
fn batches_follow_each_other_to_the_end() {
    let mut bytes = batch(5, 2, 0, b"hello");
    let second = bytes.len() as u64;
    bytes.extend(batch(7, 1, 0, &[7; 3000]));
    let mut scanner = scanner(bytes);
    let Ok(Found::Batch(first)) = scanner.batch_at(0, 5, true) else {
        panic!("no batch")
    };
    assert_eq!((first.base_offset, first.next_offset()), (5, 7));
    assert_eq!(scanner.batch_at(0, 6, true).ok(), Some(Found::Bad));
    let far = 5 - OFFSETS_AHEAD_MAX;
    assert!(matches!(
        scanner.batch_at(0, far, true),
        Ok(Found::Batch(_))
    ));
    assert_eq!(scanner.batch_at(0, far - 1, true).ok(), Some(Found::Bad));
    assert!(matches!(
        scanner.batch_at(second, 7, true),
        Ok(Found::Batch(_))
    ));
    let end = scanner.end;
    assert_eq!(scanner.batch_at(end, 8, true).ok(), Some(Found::End));
}

#[test]
fn the_next_whole_batch_is_found_behind_damage() {
    let mut bytes = batch(0, 1, 0, &[1; 100]);
    let second = bytes.len();
    bytes.extend(batch(1, 1, 0, &[2; 100]));
    let third = bytes.len() as u64;
    bytes.extend(batch(2, 1, 0, &[3; 2_000_000]));
    for damaged in [second, second + 9, second + 16, second + 30, second + 120] {
        let mut bytes = bytes.clone();
        bytes[damaged] ^= 0xff;
        let mut scanner = scanner(bytes);
        assert_eq!(
            scanner.batch_at(second as u64, 1, true).ok(),
            Some(Found::Bad)
        );
        let next = scanner.find_next(second as u64 + 1, 1).expect("readable");
        assert_eq!(
            next.map(|next| (next.0, next.1.base_offset)),
            Some((third, 2))
        );
    }
    let cut = bytes[..bytes.len() - 1].to_vec();
    let mut scanner = scanner(cut);
    assert_eq!(scanner.find_next(third, 2).expect("readable"), None);
    assert_eq!(scanner.data_end(third).ok(), Some(scanner.end));
}

#[test]
fn a_batch_in_the_records_of_a_damaged_one_is_passed_over() {
    let mut bytes = batch(0, 1, 5, &batch(900, 1, 5, b"within"));
    let end = bytes.len();
    // Its timestamp, which the checksum covers.
    bytes[30] ^= 1;
    let found = |bytes: &[u8]| {
        let next = scanner(bytes.to_vec()).find_behind(0, 0).expect("readable");
        next.map(|(position, header)| (position as usize, header.base_offset))
    };
    assert_eq!(found(&bytes), None);
    bytes.extend(batch(1, 1, 5, b"next"));
    assert_eq!(found(&bytes), Some((end, 1)));
}

#[test]
fn a_damaged_length_hides_no_batch() {
    let mut bytes = batch(0, 1, 5, b"first");
    let second = bytes.len();
    for offset in 1..6 {
        bytes.extend(batch(offset, 1, 5, &[7; 200]));
    }
    // Into the middle of the third.
    bytes[11] = bytes[11].wrapping_add(150);
    bytes[10] += 1;
    let next = scanner(bytes).find_behind(0, 0).expect("readable");
    let next = next.map(|(position, header)| (position as usize, header.base_offset));
    assert_eq!(next, Some((second, 1)));
}

#[test]
fn zeros_are_told_from_data() {
    let mut bytes = batch(0, 1, 0, &[1; 100]);
    let end = bytes.len() as u64;
    bytes.resize(bytes.len() + 3_000_000, 0);
    assert_eq!(scanner(bytes.clone()).data_end(end).ok(), Some(end));
    assert_eq!(
        scanner(bytes.clone()).batch_at(end, 1, true).ok(),
        Some(Found::Bad)
    );
    assert_eq!(
        scanner(bytes.clone()).find_next(end, 1).expect("readable"),
        None
    );
    bytes[end as usize + 2_000_000] = 1;
    assert_eq!(scanner(bytes).data_end(end).ok(), Some(end + 2_000_001));
}
