//! `.index`: offsets to file positions. 8 bytes an entry, big-endian: offset relative to the
//! segment's base (i32), position of a batch in the segment's file (i32).
//!
//! Apache's broker stores the *last* offset of a batch beside the batch's position, at most one
//! entry for each `index.interval.bytes`; its DumpLogSegments checks entries against that.

use super::{Damage, IndexError, i32_at, prefix_length, relative};

/// Bytes of one entry.
pub const OFFSET_ENTRY_BYTES: usize = 8;

/// A batch's last offset, and the byte position in the segment where the batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    pub offset: i64,
    pub position: u32,
}

/// A read-only offset index over bytes that stay where they are.
#[derive(Clone, Copy, Debug)]
pub struct OffsetEntries<'a> {
    base_offset: i64,
    bytes: &'a [u8],
}

impl<'a> OffsetEntries<'a> {
    /// Looks at nothing; a last half entry is ignored. See [`OffsetEntries::check`].
    pub fn new(base_offset: i64, bytes: &'a [u8]) -> OffsetEntries<'a> {
        OffsetEntries { base_offset, bytes }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / OFFSET_ENTRY_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry at `index`, which must be below [`OffsetEntries::len`].
    pub fn get(&self, index: usize) -> OffsetEntry {
        let at = index * OFFSET_ENTRY_BYTES;
        OffsetEntry {
            offset: self
                .base_offset
                .saturating_add(i64::from(i32_at(self.bytes, at))),
            position: i32_at(self.bytes, at + 4).max(0) as u32,
        }
    }

    pub fn last(&self) -> Option<OffsetEntry> {
        self.len().checked_sub(1).map(|index| self.get(index))
    }

    /// The last entry whose offset is at most `offset`; the segment's begin where there is none.
    /// A search for the batch that contains `offset` starts at its position.
    pub fn lookup(&self, offset: i64) -> OffsetEntry {
        match prefix_length(self.len(), |index| self.get(index).offset <= offset) {
            0 => OffsetEntry {
                offset: self.base_offset,
                position: 0,
            },
            count => self.get(count - 1),
        }
    }

    /// The first entry whose position is at or above `position`, if any: an upper bound for
    /// ranges that are limited in bytes.
    pub fn first_at_position(&self, position: u32) -> Option<OffsetEntry> {
        let count = prefix_length(self.len(), |index| self.get(index).position < position);
        (count < self.len()).then(|| self.get(count))
    }

    /// Reads every entry once: whole entries, in order, inside of a segment of `segment_bytes`.
    pub fn check(&self, segment_bytes: u64) -> Result<(), Damage> {
        if !self.bytes.len().is_multiple_of(OFFSET_ENTRY_BYTES) {
            return Err(Damage::Size);
        }
        let (mut offset_last, mut position_last) = (-1, -1);
        for entry in self.bytes.chunks_exact(OFFSET_ENTRY_BYTES) {
            let (offset, position) = (i32_at(entry, 0), i32_at(entry, 4));
            if offset < 0 || position < 0 || position as u64 >= segment_bytes {
                return Err(Damage::Range);
            }
            if offset <= offset_last || position <= position_last {
                return Err(Damage::Order);
            }
            (offset_last, position_last) = (offset, position);
        }
        Ok(())
    }
}

/// The offset index of the segment that is written to, as the bytes of its file.
#[derive(Clone, Debug)]
pub struct OffsetIndex {
    base_offset: i64,
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl OffsetIndex {
    /// Empty. `bytes_max` is `segment.index.bytes`, rounded down to whole entries.
    pub fn new(base_offset: i64, bytes_max: usize) -> OffsetIndex {
        let bytes_max = bytes_max - bytes_max % OFFSET_ENTRY_BYTES;
        OffsetIndex {
            base_offset,
            bytes: Vec::new(),
            bytes_max,
        }
    }

    /// Takes over the bytes of a file, checked against a segment of `segment_bytes`.
    pub fn from_bytes(
        base_offset: i64,
        bytes: Vec<u8>,
        bytes_max: usize,
        segment_bytes: u64,
    ) -> Result<OffsetIndex, IndexError> {
        OffsetEntries::new(base_offset, &bytes)
            .check(segment_bytes)
            .map_err(IndexError::Damaged)?;
        Ok(OffsetIndex {
            bytes,
            ..OffsetIndex::new(base_offset, bytes_max)
        })
    }

    pub fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// What the file holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn entries(&self) -> OffsetEntries<'_> {
        OffsetEntries::new(self.base_offset, &self.bytes)
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() + OFFSET_ENTRY_BYTES > self.bytes_max
    }

    /// Adds an entry; both its numbers must be above those of the last one.
    pub fn append(&mut self, offset: i64, position: u64) -> Result<(), IndexError> {
        let relative = relative(offset, self.base_offset)?;
        let position = i32::try_from(position).map_err(|_| IndexError::Range)?;
        if self.is_full() {
            return Err(IndexError::Full);
        }
        if let Some(last) = self.entries().last()
            && (offset <= last.offset || position as u32 <= last.position)
        {
            return Err(IndexError::Order);
        }
        self.bytes.extend_from_slice(&relative.to_be_bytes());
        self.bytes.extend_from_slice(&position.to_be_bytes());
        Ok(())
    }

    /// See [`OffsetEntries::lookup`].
    pub fn lookup(&self, offset: i64) -> OffsetEntry {
        self.entries().lookup(offset)
    }

    /// Drops the entries at and above `offset`.
    pub fn truncate_to(&mut self, offset: i64) {
        let entries = self.entries();
        let count = prefix_length(entries.len(), |index| entries.get(index).offset < offset);
        self.bytes.truncate(count * OFFSET_ENTRY_BYTES);
    }
}
