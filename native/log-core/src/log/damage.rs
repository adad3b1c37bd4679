//! Which offsets of a log are damaged.

use super::Inner;
use crate::checkpoint::Range;

impl Inner {
    pub fn first_corrupt(&self) -> Option<i64> {
        let ranges = self
            .corrupt
            .iter()
            .filter(|range| range.1 > self.start_offset);
        ranges.map(|range| range.0.max(self.start_offset)).min()
    }

    pub fn is_corrupt(&self, offset: i64) -> bool {
        self.corrupt
            .iter()
            .any(|range| range.0 <= offset && offset < range.1)
    }

    /// Takes note that [from, to) cannot be read. Says whether that is news.
    pub fn add_corrupt(&mut self, from: i64, to: i64) -> bool {
        if self
            .corrupt
            .iter()
            .any(|range| range.0 <= from && to <= range.1)
        {
            return false;
        }
        self.corrupt.push((from, to));
        self.corrupt.sort_unstable();
        let mut merged: Vec<Range> = Vec::with_capacity(self.corrupt.len());
        for range in self.corrupt.drain(..) {
            match merged.last_mut() {
                Some(last) if range.0 <= last.1 => last.1 = last.1.max(range.1),
                _ => merged.push(range),
            }
        }
        self.corrupt = merged;
        true
    }
}
