//! Which units of the arena are in use: a bitmap searched first-fit from its lowest address, so
//! that a light load keeps touching the same few pages.

use std::ops::Range;

pub(crate) struct Units {
    words: Vec<u64>,
    used: usize,
}

impl Units {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(64)],
            used: 0,
        }
    }

    /// Units in use.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Takes the lowest `count` neighbouring free units of `zone`; returns the first one.
    pub(crate) fn take(&mut self, zone: &Range<usize>, count: usize) -> Option<usize> {
        let mut first = zone.start;
        while first + count <= zone.end {
            first = self.next_free(first, zone.end)?;
            if first + count > zone.end {
                return None;
            }
            match self.next_used(first, first + count) {
                None => {
                    self.set(first, count, true);
                    return Some(first);
                }
                Some(used) => first = used + 1,
            }
        }
        None
    }

    pub(crate) fn give_back(&mut self, first: usize, count: usize) {
        self.set(first, count, false);
    }

    /// First unit at or above `from` and below `end` that is free.
    pub(crate) fn next_free(&self, from: usize, end: usize) -> Option<usize> {
        self.find(from, end, u64::MAX)
    }

    /// First unit at or above `from` and below `end` that is in use.
    pub(crate) fn next_used(&self, from: usize, end: usize) -> Option<usize> {
        self.find(from, end, 0)
    }

    /// First unit whose bit differs from those of `pattern` (all ones or all zeros).
    fn find(&self, from: usize, end: usize, pattern: u64) -> Option<usize> {
        let mut at = from;
        while at < end {
            let differs = (self.words[at / 64] ^ pattern) >> (at % 64);
            if differs != 0 {
                let found = at + differs.trailing_zeros() as usize;
                return (found < end).then_some(found);
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }

    fn set(&mut self, first: usize, count: usize, used: bool) {
        let end = first + count;
        let mut at = first;
        while at < end {
            let bits = (64 - at % 64).min(end - at);
            let mask = (u64::MAX >> (64 - bits)) << (at % 64);
            let word = &mut self.words[at / 64];
            assert_eq!(
                *word & mask,
                if used { 0 } else { mask },
                "units taken or freed twice"
            );
            *word ^= mask;
            at += bits;
        }
        if used {
            self.used += count;
        } else {
            self.used -= count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_lowest_gap_that_fits() {
        let mut units = Units::new(256);
        let zone = 0..256;
        assert_eq!(units.take(&zone, 60), Some(0));
        assert_eq!(units.take(&zone, 10), Some(60));
        assert_eq!(units.take(&zone, 100), Some(70));
        units.give_back(60, 10);
        assert_eq!(units.take(&zone, 11), Some(170));
        assert_eq!(units.take(&zone, 10), Some(60));
        assert_eq!(units.used(), 181);
    }

    #[test]
    fn stays_inside_of_the_zone() {
        let mut units = Units::new(256);
        assert_eq!(units.take(&(10..74), 64), Some(10));
        assert_eq!(units.take(&(10..74), 1), None);
        assert_eq!(units.take(&(70..76), 3), None);
        assert_eq!(units.take(&(70..76), 2), Some(74));
        assert_eq!(units.take(&(0..256), 181), None);
        assert_eq!(units.take(&(0..256), 180), Some(76));
    }

    #[test]
    #[should_panic(expected = "taken or freed twice")]
    fn notices_a_double_free() {
        let mut units = Units::new(64);
        units.take(&(0..64), 4);
        units.give_back(0, 4);
        units.give_back(0, 4);
    }
}
