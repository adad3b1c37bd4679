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
            // Only where something begins or ends there: no checksum covers the length, and what
            // lies under a wrong one is not to be lost.
            if next.is_some_and(|(at, _)| at == end) || end == self.end {
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
pub(crate) mod tests;
