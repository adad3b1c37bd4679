//! What a run is asked for, and what it answers.

/// An idempotent producer that the partition remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveProducer {
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Of its last record; -1: only a marker is known of it.
    pub last_offset: i64,
}

/// One run over one log. Times in milliseconds since 1970, sizes in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanSpec {
    /// Everything below was cleaned before: its keys are each there once.
    pub first_dirty: i64,
    /// First offset that must not be touched: at most the last stable offset. The segment that
    /// is written to is never touched, nor what lies above the recovery point.
    pub limit: i64,
    pub now_ms: i64,
    /// How long a record without value, or a marker without records, is kept once it was cleaned.
    pub delete_retention_ms: i64,
    /// Memory for the newest offset of each key.
    pub map_bytes: u64,
    /// Bytes to which one batch may inflate.
    pub inflated_bytes_max: u64,
    /// Bytes read and written in a second; 0: no limit.
    pub bytes_per_second: u64,
    /// Sorted by id. The batch with a producer's last record stays, empty if need be.
    pub producers: Vec<LiveProducer>,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanOutcome {
    /// Everything below is clean now.
    pub clean_end: i64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Bytes of the segments that were looked at, before and after.
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub records_kept: u64,
    pub records_removed: u64,
    /// Keys that were met above `first_dirty`.
    pub keys: u64,
    /// The memory was used up: there is more to clean below the limit.
    pub is_map_full: bool,
    pub duration_ms: u64,
}

/// Totals of a store's cleaner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanerStats {
    pub runs_total: u64,
    /// Runs that ended with an error, those that a stop or a change of the log ended included.
    pub failures_total: u64,
    pub read_bytes_total: u64,
    pub written_bytes_total: u64,
    pub last_run_ms: u64,
    /// Memory of the last run's map, in bytes.
    pub last_map_bytes: u64,
}
