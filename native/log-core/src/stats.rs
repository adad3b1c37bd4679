//! What a store counts about itself. Every counter is a relaxed atomic: nobody waits for one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of a [`Histogram`]: the last one takes everything from 2^30 on.
pub const HISTOGRAM_BUCKETS: usize = 32;

/// A histogram over powers of two: bucket 0 counts zeros, bucket `i` values from 2^(i-1) up to,
/// and not with, 2^i.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; HISTOGRAM_BUCKETS],
    sum: AtomicU64,
}

/// What a [`Histogram`] held when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistogramCounts {
    pub buckets: [u64; HISTOGRAM_BUCKETS],
    pub sum: u64,
}

impl Histogram {
    pub fn observe(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[bucket.min(HISTOGRAM_BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn observe_micros(&self, lasted: Duration) {
        self.observe(lasted.as_micros() as u64);
    }

    pub fn read(&self) -> HistogramCounts {
        HistogramCounts {
            buckets: std::array::from_fn(|index| self.buckets[index].load(Ordering::Relaxed)),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[derive(Default)]
pub struct Totals {
    pub appended_bytes: AtomicU64,
    pub groups: AtomicU64,
    pub flushes: AtomicU64,
    /// From the hand-over of a pass's first batch until the pass is in the page cache.
    pub append_micros: Histogram,
    /// From the start of a group's flush until all of it is durable.
    pub flush_micros: Histogram,
    pub group_batches: Histogram,
    pub group_bytes: Histogram,
    pub locates: AtomicU64,
    /// Ranges for which a disk thread was asked.
    pub page_cache_misses: AtomicU64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_between_powers_of_two() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 3, 4, 1023, 1024, u64::MAX >> 1] {
            histogram.observe(value);
        }
        let HistogramCounts { buckets, sum } = histogram.read();
        let mut expected = [0; HISTOGRAM_BUCKETS];
        for (bucket, count) in [(0, 1), (1, 1), (2, 2), (3, 1), (10, 1), (11, 1), (31, 1)] {
            expected[bucket] = count;
        }
        assert_eq!(buckets, expected);
        assert_eq!(sum, 2057 + (u64::MAX >> 1));
    }
}
