//! `.timeindex`: timestamps to offsets. 12 bytes an entry, big-endian: timestamp in milliseconds
//! (i64), offset relative to the segment's base (i32).
//!
//! An entry (t, o) says: up to and including offset o, the largest timestamp is t. Apache's broker
//! adds one together with each entry of the offset index, and a last one when a segment is sealed.

use super::{Damage, IndexError, i32_at, i64_at, prefix_length, relative};
use crate::batch::NO_TIMESTAMP;

/// Bytes of one entry.
pub const TIME_ENTRY_BYTES: usize = 12;

/// A timestamp in milliseconds, and the last offset of the batch that first reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub timestamp: i64,
    pub offset: i64,
}

/// A read-only time index over bytes that stay where they are.
#[derive(Clone, Copy, Debug)]
pub struct TimeEntries<'a> {
    base_offset: i64,
    bytes: &'a [u8],
}

impl<'a> TimeEntries<'a> {
    /// Looks at nothing; a last half entry is ignored. See [`TimeEntries::check`].
    pub fn new(base_offset: i64, bytes: &'a [u8]) -> TimeEntries<'a> {
        TimeEntries { base_offset, bytes }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / TIME_ENTRY_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry at `index`, which must be below [`TimeEntries::len`].
    pub fn get(&self, index: usize) -> TimeEntry {
        let at = index * TIME_ENTRY_BYTES;
        TimeEntry {
            timestamp: i64_at(self.bytes, at),
            offset: self
                .base_offset
                .saturating_add(i64::from(i32_at(self.bytes, at + 8))),
        }
    }

    pub fn last(&self) -> Option<TimeEntry> {
        self.len().checked_sub(1).map(|index| self.get(index))
    }

    /// The last entry whose timestamp is at most `timestamp`; (-1, base offset) where there is
    /// none. The first record with `timestamp` or later lies in the batch that ends at the entry's
    /// offset or behind it.
    pub fn lookup(&self, timestamp: i64) -> TimeEntry {
        match prefix_length(self.len(), |index| self.get(index).timestamp <= timestamp) {
            0 => TimeEntry {
                timestamp: NO_TIMESTAMP,
                offset: self.base_offset,
            },
            count => self.get(count - 1),
        }
    }

    /// Reads every entry once: whole entries, in order, none below the segment's base or above
    /// `last_offset` (the segment's last).
    pub fn check(&self, last_offset: i64) -> Result<(), Damage> {
        if !self.bytes.len().is_multiple_of(TIME_ENTRY_BYTES) {
            return Err(Damage::Size);
        }
        let last_relative = last_offset.saturating_sub(self.base_offset);
        let mut previous: Option<(i64, i32)> = None;
        for entry in self.bytes.chunks_exact(TIME_ENTRY_BYTES) {
            let (timestamp, offset) = (i64_at(entry, 0), i32_at(entry, 8));
            if offset < 0 || i64::from(offset) > last_relative {
                return Err(Damage::Range);
            }
            if previous.is_some_and(|(time, last)| timestamp <= time || offset < last) {
                return Err(Damage::Order);
            }
            previous = Some((timestamp, offset));
        }
        Ok(())
    }
}

/// The time index of the segment that is written to, as the bytes of its file.
#[derive(Clone, Debug)]
pub struct TimeIndex {
    base_offset: i64,
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl TimeIndex {
    /// Empty. `bytes_max` is `segment.index.bytes`, rounded down to whole entries.
    pub fn new(base_offset: i64, bytes_max: usize) -> TimeIndex {
        let bytes_max = bytes_max - bytes_max % TIME_ENTRY_BYTES;
        TimeIndex {
            base_offset,
            bytes: Vec::new(),
            bytes_max,
        }
    }

    /// Takes over the bytes of a file, checked against the segment's last offset.
    pub fn from_bytes(
        base_offset: i64,
        bytes: Vec<u8>,
        bytes_max: usize,
        last_offset: i64,
    ) -> Result<TimeIndex, IndexError> {
        TimeEntries::new(base_offset, &bytes)
            .check(last_offset)
            .map_err(IndexError::Damaged)?;
        Ok(TimeIndex {
            bytes,
            ..TimeIndex::new(base_offset, bytes_max)
        })
    }

    pub fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// What the file holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn entries(&self) -> TimeEntries<'_> {
        TimeEntries::new(self.base_offset, &self.bytes)
    }

    /// Whether only the entry that seals the segment still fits, for which room is always kept.
    pub fn is_full(&self) -> bool {
        self.bytes.len() + 2 * TIME_ENTRY_BYTES > self.bytes_max
    }

    /// Adds an entry where `timestamp` is above the last one's (above -1 in an empty index); says
    /// whether it did. `offset` must not be below the last one's. `sealing` takes the room that is kept for a segment's last
    /// entry.
    pub fn maybe_append(
        &mut self,
        timestamp: i64,
        offset: i64,
        sealing: bool,
    ) -> Result<bool, IndexError> {
        let relative = relative(offset, self.base_offset)?;
        let last = self.entries().last();
        if timestamp <= last.map_or(NO_TIMESTAMP, |last| last.timestamp) {
            return Ok(false);
        }
        if last.is_some_and(|last| offset < last.offset) {
            return Err(IndexError::Order);
        }
        if !sealing && self.is_full() {
            return Err(IndexError::Full);
        }
        self.bytes.extend_from_slice(&timestamp.to_be_bytes());
        self.bytes.extend_from_slice(&relative.to_be_bytes());
        Ok(true)
    }

    /// See [`TimeEntries::lookup`].
    pub fn lookup(&self, timestamp: i64) -> TimeEntry {
        self.entries().lookup(timestamp)
    }

    /// Drops the entries at and above `offset`.
    pub fn truncate_to(&mut self, offset: i64) {
        let entries = self.entries();
        let count = prefix_length(entries.len(), |index| entries.get(index).offset < offset);
        self.bytes.truncate(count * TIME_ENTRY_BYTES);
    }
}
