//! Walks the batches of a segment file, and finds the next whole one behind bytes that are none.

use std::io;
use std::sync::Arc;

use crate::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchView};
use crate::vfs::{VfsFile, read_exact};

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Offsets by which a batch may lie ahead of where one was expected, and so of its segment's base:
/// an index counts from there in 32 bits. No checksum covers a base offset.
const OFFSETS_AHEAD_MAX: i64 = i32::MAX as i64;
/// Bytes of candidates whose checksum is computed while looking for the next whole batch.
const CANDIDATE_BYTES_MAX: u64 = 256 << 20;

/// What lies at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Batch(BatchHeader),
    /// Exactly at the end.
    End,
    /// Bytes that are no batch, or none that continues the offsets.
    Bad,
}

/// Reads a file forward through one buffer. All bytes from `end` on are out of bounds.
pub struct Scanner {
    file: Arc<dyn VfsFile>,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    chunk: usize,
}

impl Scanner {
    pub fn new(file: Arc<dyn VfsFile>, end: u64) -> Scanner {
        Scanner {
            file,
            end,
            buffer: Vec::new(),
            buffer_at: 0,
            chunk: CHUNK_BYTES,
        }
    }

    /// Reads only what is asked for: for walks over headers of large batches.
    pub fn sparse(file: Arc<dyn VfsFile>, end: u64) -> Scanner {
        Scanner {
            chunk: 4096,
            ..Scanner::new(file, end)
        }
    }

    /// The bytes [position, position + length), which must lie below the end.
    fn bytes(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        let buffer_end = self.buffer_at + self.buffer.len() as u64;
        if position < self.buffer_at || position + length as u64 > buffer_end {
            let wanted = (length.max(self.chunk) as u64).min(self.end - position) as usize;
            self.buffer.resize(wanted, 0);
            self.buffer_at = position;
            if let Err(error) = read_exact(&*self.file, &mut self.buffer, position) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let from = (position - self.buffer_at) as usize;
        Ok(&self.buffer[from..from + length])
    }

    /// The batch at `position`, whose offsets must not be below `expected`. With `verify` all of
    /// its bytes are read and checked against its checksum.
    pub fn batch_at(&mut self, position: u64, expected: i64, verify: bool) -> io::Result<Found> {
        if position >= self.end {
            return Ok(Found::End);
        }
        let left = self.end - position;
        if left < BATCH_HEADER_BYTES as u64 {
            return Ok(Found::Bad);
        }
        let header = match BatchHeader::parse(self.bytes(position, BATCH_HEADER_BYTES)?) {
            Ok(header) if is_plausible(&header, expected) => header,
            _ => return Ok(Found::Bad),
        };
        if header.size_bytes() as u64 > left {
            return Ok(Found::Bad);
        }
        if verify && !self.is_intact(position, &header)? {
            return Ok(Found::Bad);
        }
        Ok(Found::Batch(header))
    }

    pub fn is_intact(&mut self, position: u64, header: &BatchHeader) -> io::Result<bool> {
        Ok(self
            .view(position, header)?
            .is_some_and(|view| view.is_intact()))
    }

    /// The whole batch, which `batch_at` has found at the position.
    pub fn view(
        &mut self,
        position: u64,
        header: &BatchHeader,
    ) -> io::Result<Option<BatchView<'_>>> {
        let bytes = self.bytes(position, header.size_bytes())?;
        Ok(BatchView::parse(bytes).ok())
    }

    /// Where the batch at `position` would end, if its header can be believed; it may be damaged.
    pub fn announced_end(&mut self, position: u64, expected: i64) -> io::Result<Option<u64>> {
        if self.end - position.min(self.end) < BATCH_HEADER_BYTES as u64 {
            return Ok(None);
        }
        let header = BatchHeader::parse(self.bytes(position, BATCH_HEADER_BYTES)?);
        Ok(header
            .ok()
            .filter(|header| is_plausible(header, expected))
            .map(|header| position + header.size_bytes() as u64))
    }

    /// The next whole batch behind the damaged one at `position`. Not one that stands in its
    /// records, which may hold anything, as long as its header can be believed.
    pub fn find_behind(
        &mut self,
        position: u64,
        expected: i64,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        if let Some(end) = self.announced_end(position, expected)?
            && end <= self.end
        {
            let next = self.find_next(end, expected)?;
            if next.is_some() || end == self.end {
                return Ok(next);
            }
        }
        self.find_next(position + 1, expected)
    }

    /// The next whole and intact batch at or behind `position` that may follow `expected`.
    pub fn find_next(
        &mut self,
        position: u64,
        expected: i64,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        let mut position = position;
        let mut candidate_bytes = 0;
        while position + BATCH_HEADER_BYTES as u64 <= self.end {
            let length = (self.end - position).min(self.chunk as u64) as usize;
            let bytes = self.bytes(position, length)?;
            let starts = length - BATCH_HEADER_BYTES + 1;
            let candidate = (0..starts).find(|at| {
                let header = BatchHeader::parse(&bytes[*at..]);
                header.is_ok_and(|header| is_plausible(&header, expected))
            });
            let Some(at) = candidate else {
                position += starts as u64;
                continue;
            };
            position += at as u64;
            if let Found::Batch(header) = self.batch_at(position, expected, false)? {
                candidate_bytes += header.size_bytes() as u64;
                if candidate_bytes > CANDIDATE_BYTES_MAX {
                    return Ok(None);
                }
                if self.is_intact(position, &header)? {
                    return Ok(Some((position, header)));
                }
            }
            position += 1;
        }
        Ok(None)
    }

    /// Position behind the last byte that is not zero; `position` where all are zeros, as blocks
    /// written ahead are.
    pub fn data_end(&mut self, position: u64) -> io::Result<u64> {
        let mut end = position;
        let mut position = position;
        while position < self.end {
            let length = (self.end - position).min(self.chunk as u64) as usize;
            let last = self
                .bytes(position, length)?
                .iter()
                .rposition(|byte| *byte != 0);
            end = last.map_or(end, |last| position + last as u64 + 1);
            position += length as u64;
        }
        Ok(end)
    }
}

fn is_plausible(header: &BatchHeader, expected: i64) -> bool {
    header.base_offset >= expected
        && header.base_offset.saturating_sub(expected) <= OFFSETS_AHEAD_MAX
        && header.last_offset_delta >= 0
        && header.next_offset() < i64::MAX
}

#[cfg(test)]
pub(crate) mod tests {
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
}
