//! Where recent reads ended: a reader that goes through a log asks next for exactly the offset
//! behind the range it was given, so its position is known without an index or the disk.

use std::sync::{Mutex, PoisonError};

use crate::api::LogId;

/// A power of two. One slot for each (log, offset); a newer hint replaces an older one.
const SLOTS: usize = 4096;

#[derive(Clone, Copy)]
struct Hint {
    log: LogId,
    version: u32,
    offset: i64,
    segment_base: i64,
    position: u64,
}

/// A batch of `segment_base` begins at `position` and is the first that may hold the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPosition {
    pub segment_base: i64,
    pub position: u64,
}

#[derive(Default)]
pub struct PositionHints {
    slots: Mutex<Vec<Option<Hint>>>,
}

fn slot(log: LogId, offset: i64) -> usize {
    let mixed =
        (offset as u64 ^ u64::from(log).rotate_left(40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 52) as usize & (SLOTS - 1)
}

impl PositionHints {
    /// `version` is that of the log when the position was found.
    pub fn put(&self, log: LogId, version: u32, offset: i64, known: KnownPosition) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.is_empty() {
            slots.resize(SLOTS, None);
        }
        let KnownPosition {
            segment_base,
            position,
        } = known;
        slots[slot(log, offset)] = Some(Hint {
            log,
            version,
            offset,
            segment_base,
            position,
        });
    }

    pub fn get(&self, log: LogId, version: u32, offset: i64) -> Option<KnownPosition> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let hint = (*slots.get(slot(log, offset))?)?;
        let fits = hint.log == log && hint.version == version && hint.offset == offset;
        let Hint {
            segment_base,
            position,
            ..
        } = hint;
        fits.then_some(KnownPosition {
            segment_base,
            position,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_belong_to_one_version_of_one_log() {
        let hints = PositionHints::default();
        assert_eq!(hints.get(1, 0, 5), None);
        let known = KnownPosition {
            segment_base: 0,
            position: 99,
        };
        hints.put(1, 0, 5, known);
        assert_eq!(hints.get(1, 0, 5), Some(known));
        assert_eq!(hints.get(1, 1, 5), None);
        assert_eq!(hints.get(2, 0, 5), None);
        assert_eq!(hints.get(1, 0, 6), None);
    }
}
