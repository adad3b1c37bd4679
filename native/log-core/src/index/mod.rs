//! Sparse indexes of a segment, in Apache Kafka's own file formats.
//!
//! The segment that is written to has its indexes in memory ([`OffsetIndex`], [`TimeIndex`], kept
//! as the bytes they will have on disk). Sealed segments have theirs in files that are opened on
//! demand through one [`IndexCache`] of bounded size. An index only ever speeds a search up: where
//! it is damaged or missing, the segment itself says what it should have been.

mod cache;
mod offset;
mod time;

pub use cache::{CacheStats, IndexCache, SealedOffsetIndex, SealedTimeIndex, SegmentKey};
pub use offset::{OFFSET_ENTRY_BYTES, OffsetEntries, OffsetEntry, OffsetIndex};
pub use time::{TIME_ENTRY_BYTES, TimeEntries, TimeEntry, TimeIndex};

/// Why an index cannot be used or extended.
#[derive(Debug)]
pub enum IndexError {
    /// The file cannot be read. `NotFound` is the common one: rebuild it from the segment.
    Io(std::io::Error),
    /// The bytes are no index of this segment: rebuild it from the segment.
    Damaged(Damage),
    /// An entry would exceed the index's limit in bytes: roll the segment.
    Full,
    /// The entry's offset is below the segment's base or more than 2^31-1 above it, or its
    /// position does not fit 31 bits: roll the segment.
    Range,
    /// The entry does not lie behind the last one.
    Order,
}

/// What is wrong with an index file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The size is no multiple of an entry.
    Size,
    /// An entry does not lie behind the one before it.
    Order,
    /// An entry points below the segment's base offset or behind the segment's end.
    Range,
}

impl std::fmt::Display for IndexError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            IndexError::Io(error) => write!(f, "the index cannot be read: {error}"),
            IndexError::Damaged(Damage::Size) => write!(f, "the index has half an entry"),
            IndexError::Damaged(Damage::Order) => write!(f, "the index is not in order"),
            IndexError::Damaged(Damage::Range) => write!(f, "the index points out of its segment"),
            IndexError::Full => write!(f, "the index is full"),
            IndexError::Range => write!(f, "the entry does not fit an index of this segment"),
            IndexError::Order => write!(f, "the entry does not lie behind the last one"),
        }
    }
}

impl std::error::Error for IndexError {}

impl IndexError {
    /// Whether rebuilding the index from its segment is the answer.
    pub fn wants_rebuild(&self) -> bool {
        match self {
            IndexError::Damaged(_) => true,
            IndexError::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
            IndexError::Full | IndexError::Range | IndexError::Order => false,
        }
    }
}

/// An offset as entries store it: relative to the segment's base, 0 to 2^31-1.
fn relative(offset: i64, base_offset: i64) -> Result<i32, IndexError> {
    let relative = offset.checked_sub(base_offset).ok_or(IndexError::Range)?;
    match i32::try_from(relative) {
        Ok(relative) if relative >= 0 => Ok(relative),
        _ => Err(IndexError::Range),
    }
}

/// Number of leading entries for which `holds` is true, given that it is true for a prefix.
fn prefix_length(count: usize, mut holds: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(word)
}
