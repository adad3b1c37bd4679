//! The indexes of the segment that is written to: the newest entries in memory, older ones in
//! the segment's index files, so that a full segment of a thousand logs does not fill the heap.
//!
//! Each file holds `written` bytes. Memory begins at file byte `from` (from <= written + memory):
//! what is both written and in memory is kept for readers near the end until it is forgotten.

use crate::batch::NO_TIMESTAMP;
use crate::index::{
    IndexError, OFFSET_ENTRY_BYTES, OffsetEntries, OffsetEntry, OffsetIndex, TIME_ENTRY_BYTES,
    TimeEntry, TimeIndex,
};

/// Entries in memory at which unwritten ones should go to the file.
const SPILL_ENTRIES: usize = 4096;
/// Entries that stay in memory when older ones are forgotten.
const KEEP_ENTRIES: usize = 2048;

/// Where a search for an offset begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// At this entry's batch; position 0 stands for the segment's begin, whatever its offset.
    At(OffsetEntry),
    /// The entry is only in the file.
    InFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    pub last_offset: i64,
    pub max_timestamp: i64,
    pub position: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug)]
pub struct ActiveIndex {
    base_offset: i64,
    offsets: OffsetIndex,
    offsets_from: usize,
    offsets_written: usize,
    times: TimeIndex,
    times_from: usize,
    times_written: usize,
    bytes_since_entry: u64,
    /// Largest timestamp of the segment, and the last offset of the batch that first reached it.
    largest: Option<TimeEntry>,
    /// Timestamp of the newest time entry, wherever it is.
    indexed_timestamp: i64,
    /// Changed since `take_changed`.
    changed: bool,
}

/// Unwritten bytes of both indexes and where they go in their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    pub offsets: Vec<u8>,
    pub offsets_at: u64,
    pub times: Vec<u8>,
    pub times_at: u64,
}

impl ActiveIndex {
    /// Of a segment without batches, and without index files.
    pub fn new(base_offset: i64) -> ActiveIndex {
        ActiveIndex {
            base_offset,
            offsets: OffsetIndex::new(base_offset, usize::MAX),
            offsets_from: 0,
            offsets_written: 0,
            times: TimeIndex::new(base_offset, usize::MAX),
            times_from: 0,
            times_written: 0,
            bytes_since_entry: 0,
            largest: None,
            indexed_timestamp: NO_TIMESTAMP,
            changed: false,
        }
    }

    /// Of a segment whose index files hold so many bytes; nothing is in memory.
    pub fn in_files(
        base_offset: i64,
        offsets_bytes: usize,
        times_bytes: usize,
        largest: Option<TimeEntry>,
    ) -> ActiveIndex {
        let offsets_bytes = offsets_bytes - offsets_bytes % OFFSET_ENTRY_BYTES;
        let times_bytes = times_bytes - times_bytes % TIME_ENTRY_BYTES;
        ActiveIndex {
            offsets_from: offsets_bytes,
            offsets_written: offsets_bytes,
            times_from: times_bytes,
            times_written: times_bytes,
            largest,
            indexed_timestamp: largest.map_or(NO_TIMESTAMP, |entry| entry.timestamp),
            ..ActiveIndex::new(base_offset)
        }
    }

    /// Whole indexes in memory, nothing of them in the files yet.
    pub fn from_bytes(
        base_offset: i64,
        offsets: Vec<u8>,
        times: Vec<u8>,
    ) -> Result<ActiveIndex, IndexError> {
        let offsets = OffsetIndex::from_bytes(base_offset, offsets, usize::MAX, u64::MAX)?;
        let times = TimeIndex::from_bytes(base_offset, times, usize::MAX, i64::MAX)?;
        let largest = times.entries().last();
        Ok(ActiveIndex {
            offsets,
            times,
            largest,
            indexed_timestamp: largest.map_or(NO_TIMESTAMP, |entry| entry.timestamp),
            changed: true,
            ..ActiveIndex::new(base_offset)
        })
    }

    /// Largest timestamp of the segment, or -1.
    pub fn largest_timestamp(&self) -> i64 {
        self.largest.map_or(NO_TIMESTAMP, |entry| entry.timestamp)
    }

    pub fn largest(&self) -> Option<TimeEntry> {
        self.largest
    }

    pub fn is_full(&self, index_bytes_max: u32) -> bool {
        let max = (index_bytes_max as usize).max(2 * TIME_ENTRY_BYTES); // One each must fit.
        let offsets = self.offsets_from + self.offsets.bytes().len();
        let times = self.times_from + self.times.bytes().len();
        // The time index keeps room for the entry that seals the segment.
        offsets + OFFSET_ENTRY_BYTES > max || times + 2 * TIME_ENTRY_BYTES > max
    }

    /// Takes note of a batch, in the order of the segment, with an entry where
    /// `interval_bytes` have gone by since the last one, as Apache's broker does.
    pub fn append(&mut self, batch: BatchEntry, interval_bytes: u32) -> Result<(), IndexError> {
        self.changed = true;
        if batch.max_timestamp > self.largest_timestamp() {
            self.largest = Some(TimeEntry {
                timestamp: batch.max_timestamp,
                offset: batch.last_offset,
            });
        }
        if self.bytes_since_entry > u64::from(interval_bytes) {
            self.offsets.append(batch.last_offset, batch.position)?;
            self.index_largest()?;
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += batch.bytes;
        Ok(())
    }

    /// Adds the time entry that says what the largest timestamp is up to here.
    pub fn index_largest(&mut self) -> Result<(), IndexError> {
        if let Some(largest) = self.largest
            && largest.timestamp > self.indexed_timestamp
        {
            self.times
                .maybe_append(largest.timestamp, largest.offset, true)?;
            self.indexed_timestamp = largest.timestamp;
            self.changed = true;
        }
        Ok(())
    }

    pub fn lookup(&self, offset: i64) -> Lookup {
        let entries = self.offsets.entries();
        if !entries.is_empty() && entries.get(0).offset <= offset {
            return Lookup::At(entries.lookup(offset));
        }
        if self.offsets_from == 0 {
            let offset = self.base_offset;
            Lookup::At(OffsetEntry {
                offset,
                position: 0,
            })
        } else {
            Lookup::InFile
        }
    }

    /// See [`last_before`]; only among the entries in memory.
    pub fn last_before(&self, position: u64, limit: i64) -> Option<OffsetEntry> {
        last_before(&self.offsets.entries(), position, limit)
    }

    pub fn wants_spill(&self) -> bool {
        self.offsets.entries().len() >= SPILL_ENTRIES || self.times.entries().len() >= SPILL_ENTRIES
    }

    pub fn unwritten(&self) -> Unwritten {
        let offsets_at = self.offsets_written.max(self.offsets_from);
        let times_at = self.times_written.max(self.times_from);
        Unwritten {
            offsets: self.offsets.bytes()[offsets_at - self.offsets_from..].to_vec(),
            offsets_at: offsets_at as u64,
            times: self.times.bytes()[times_at - self.times_from..].to_vec(),
            times_at: times_at as u64,
        }
    }

    /// What `unwritten` gave is now in the files.
    pub fn written(&mut self, unwritten: &Unwritten) {
        self.offsets_written = unwritten.offsets_at as usize + unwritten.offsets.len();
        self.times_written = unwritten.times_at as usize + unwritten.times.len();
    }

    /// Drops written entries from memory, but for the newest ones where `keep` is set.
    pub fn forget(&mut self, keep: bool) {
        let keep = if keep { KEEP_ENTRIES } else { 0 };
        let written = self.offsets_written - self.offsets_from;
        let spare = self.offsets.entries().len().saturating_sub(keep) * OFFSET_ENTRY_BYTES;
        let drop = written.min(spare);
        if drop > 0 {
            let rest = self.offsets.bytes()[drop..].to_vec();
            if let Ok(rest) = OffsetIndex::from_bytes(self.base_offset, rest, usize::MAX, u64::MAX)
            {
                self.offsets = rest;
                self.offsets_from += drop;
            }
        }
        let written = self.times_written - self.times_from;
        let spare = self.times.entries().len().saturating_sub(keep) * TIME_ENTRY_BYTES;
        let drop = written.min(spare);
        if drop > 0 {
            let rest = self.times.bytes()[drop..].to_vec();
            if let Ok(rest) = TimeIndex::from_bytes(self.base_offset, rest, usize::MAX, i64::MAX) {
                self.times = rest;
                self.times_from += drop;
            }
        }
    }

    /// Bytes in memory, and the file byte at which they begin: (offsets, from, times, from).
    pub fn memory(&self) -> (Vec<u8>, u64, Vec<u8>, u64) {
        (
            self.offsets.bytes().to_vec(),
            self.offsets_from as u64,
            self.times.bytes().to_vec(),
            self.times_from as u64,
        )
    }

    /// Whether anything was added since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

/// The last indexed batch that begins at or below `position` and lies wholly below `limit`: a
/// range may be taken up to there without looking at what is in between.
pub fn last_before(entries: &OffsetEntries<'_>, position: u64, limit: i64) -> Option<OffsetEntry> {
    let (mut low, mut high) = (0, entries.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = entries.get(middle);
        if u64::from(entry.position) <= position && entry.offset < limit {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1).map(|index| entries.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64) -> ActiveIndex {
        let mut index = ActiveIndex::new(100);
        for number in 0..count {
            let batch = BatchEntry {
                last_offset: 100 + number as i64,
                max_timestamp: 1000 + number as i64,
                position: number * 50,
                bytes: 50,
            };
            index.append(batch, 99).expect("in order");
        }
        index
    }

    #[test]
    fn entries_come_at_the_interval() {
        let index = filled(10);
        let (offsets, from, times, _) = index.memory();
        let entries = OffsetEntries::new(100, &offsets);
        assert_eq!(from, 0);
        let positions: Vec<u32> = (0..entries.len())
            .map(|i| entries.get(i).position)
            .collect();
        assert_eq!(positions, [100, 200, 300, 400]);
        assert_eq!(times.len(), 4 * TIME_ENTRY_BYTES);
        let entry = |offset, position| OffsetEntry { offset, position };
        assert_eq!(index.lookup(100), Lookup::At(entry(100, 0)));
        assert_eq!(index.lookup(104), Lookup::At(entry(104, 200)));
        assert_eq!(index.lookup(105), Lookup::At(entry(104, 200)));
        assert_eq!(index.last_before(1000, 106), Some(entry(104, 200)));
        assert_eq!(index.last_before(1000, 1000), Some(entry(108, 400)));
        assert_eq!(index.last_before(310, 1000), Some(entry(106, 300)));
        assert_eq!(index.last_before(310, 102), None);
    }

    #[test]
    fn what_is_written_can_be_forgotten() {
        let mut index = filled(10_000);
        assert!(index.wants_spill());
        let all = index.memory().0;
        let first = index.unwritten();
        assert_eq!((first.offsets_at, first.offsets.len()), (0, all.len()));
        index.written(&first);
        index.forget(true);
        assert!(!index.wants_spill());
        let (offsets, from, _, times_from) = index.memory();
        assert_eq!(offsets.len(), KEEP_ENTRIES * OFFSET_ENTRY_BYTES);
        assert_eq!(offsets, all[from as usize..]);
        assert!(times_from > 0);
        assert_eq!(index.lookup(100), Lookup::InFile);
        let last = OffsetEntry {
            offset: 100 + 9_998,
            position: 9_998 * 50,
        };
        assert_eq!(index.lookup(100 + 9_999), Lookup::At(last));
        let none = index.unwritten();
        assert!(none.offsets.is_empty() && none.times.is_empty());
        index.forget(false);
        assert_eq!(index.memory().0.len(), 0);
        let size = index.unwritten().offsets_at;
        assert_eq!(size as usize, all.len());
        let batch = BatchEntry {
            last_offset: 20_000,
            max_timestamp: 5,
            position: 500_000,
            bytes: 50,
        };
        index.append(batch, 0).expect("in order");
        assert_eq!(index.unwritten().offsets.len(), OFFSET_ENTRY_BYTES);
        assert_eq!(index.unwritten().offsets_at, size);
        assert_eq!(index.largest_timestamp(), 10_999);
    }

    #[test]
    fn fullness_counts_what_is_in_the_file() {
        let mut index = filled(100);
        assert!(!index.is_full(100 * 12));
        assert!(index.is_full(49 * 12));
        let unwritten = index.unwritten();
        index.written(&unwritten);
        index.forget(false);
        assert!(!index.is_full(100 * 12));
        assert!(index.is_full(49 * 12));
    }
}
