//! What a store tells of its work.

use crate::cleaner::CleanerStats;
use crate::stats::HistogramCounts;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    pub appended_bytes_total: u64,
    /// Groups that were made durable.
    pub groups_total: u64,
    /// fdatasync, fsync and syncfs calls for groups.
    pub flushes_total: u64,
    pub files_open: u64,
    pub free_bytes: u64,
    /// Size of the volume.
    pub total_bytes: u64,
    /// From the hand-over of batches until they are in the page cache, per pass of the writer.
    pub append_micros: HistogramCounts,
    /// From the start of a group's flush until all of it is durable.
    pub flush_micros: HistogramCounts,
    pub group_batches: HistogramCounts,
    pub group_bytes: HistogramCounts,
    pub locates_total: u64,
    /// Ranges for which a disk thread was asked.
    pub page_cache_misses_total: u64,
    pub cleaner: CleanerStats,
}
