//! One log: its segments, its ends, its state.
//!
//! Who may change what: the writer thread alone appends, rolls, truncates, trims and deletes;
//! the flusher moves the durable end; readers only look. `inner` is locked for a few fields at a
//! time, never across a disk access, so that the JavaScript thread may lock it too.

mod damage;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::active_index::ActiveIndex;
use crate::api::{LogConfig, LogId, LogSpec, LogState, StoreCode, TopicId};
use crate::batch::NO_TIMESTAMP;
use crate::checkpoint::{CheckpointEntry, Point, Range};
use crate::extents::Extents;
use crate::index::SegmentKey;
use crate::load::Load;
use crate::names::{LOG, log_folder, segment_file};

/// Not yet read from the segment's time index.
const TIMESTAMP_UNKNOWN: i64 = i64::MIN;

/// One segment file. Shared by the log, by pins and by deletion, which waits for the pins.
pub struct Segment {
    pub base_offset: i64,
    /// Names the file for the life of the process; the key of the descriptor cache.
    pub key: u64,
    /// End of the last whole batch, in bytes. The file may be longer: zeros written ahead.
    bytes: AtomicU64,
    largest_timestamp: AtomicI64,
    /// Its name may belong to another file by now.
    deleted: AtomicBool,
    pub verified: Mutex<Extents>,
}

impl Segment {
    pub fn new(base_offset: i64, key: u64, bytes: u64) -> Segment {
        Segment {
            base_offset,
            key,
            bytes: AtomicU64::new(bytes),
            largest_timestamp: AtomicI64::new(TIMESTAMP_UNKNOWN),
            deleted: AtomicBool::new(false),
            verified: Mutex::default(),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    pub fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Release);
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// From here on the file is found by nobody who has not opened it yet.
    pub fn set_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
    }

    /// None: not known, look into the time index.
    pub fn largest_timestamp(&self) -> Option<i64> {
        let timestamp = self.largest_timestamp.load(Ordering::Relaxed);
        (timestamp != TIMESTAMP_UNKNOWN).then_some(timestamp)
    }

    pub fn set_largest_timestamp(&self, timestamp: i64) {
        self.largest_timestamp.store(timestamp, Ordering::Relaxed);
    }

    fn extents(&self) -> MutexGuard<'_, Extents> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_verified(&self, from: u64, to: u64) -> bool {
        self.extents().covers(from, to)
    }

    pub fn add_verified(&self, from: u64, to: u64) {
        self.extents().add(from, to);
    }

    pub fn cut_verified(&self, end: u64) {
        self.extents().truncate(end);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Online,
    /// A write failed, or the log was refused: nothing is appended until it is opened again.
    Offline(StoreCode),
    /// Its folder is another's, or nobody's: removed, or opened again as another value.
    Removed,
}

/// What the writer knows of the segment that it appends to.
#[derive(Debug)]
pub struct Active {
    pub index: ActiveIndex,
    /// Largest timestamp of the first batch, which the segment's age counts from.
    pub first_timestamp: Option<i64>,
    pub created_ms: i64,
    /// Bytes of the file whose blocks are written and synced: [from, to).
    pub ahead: (u64, u64),
}

impl Active {
    pub fn new(base_offset: i64, now_ms: i64) -> Active {
        Active {
            index: ActiveIndex::new(base_offset),
            first_timestamp: None,
            created_ms: now_ms,
            ahead: (0, 0),
        }
    }
}

pub struct Inner {
    pub status: Status,
    pub config: LogConfig,
    pub start_offset: i64,
    /// Ascending; the last one is written to. Empty: nothing was ever appended.
    pub segments: Vec<Arc<Segment>>,
    /// None: not loaded since the log was opened, or no segment.
    pub active: Option<Box<Active>>,
    /// Of the log, not of its segment: a log that fills segments quickly is busy all the more.
    pub load: Load,
    /// (epoch, first offset), both ascending.
    pub epochs: Vec<(i32, i64)>,
    pub epochs_changed: bool,
    pub corrupt: Vec<Range>,
    /// Something was written that nobody has to flush, since the log left that to the operating
    /// system: to be flushed once it no longer does.
    pub page_cached: bool,
    /// It has not always promised what it promises now: a flush of then may still be on its way.
    pub durability_changed: bool,
    /// Everything below is fsynced.
    pub synced: Option<Point>,
    /// What a checkpoint may say: synced, and the index files reach it.
    pub recovery: Option<Point>,
    /// Base offset of the oldest segment that is rolled but not yet cut to length and synced.
    pub unsealed: Vec<i64>,
    pub largest_timestamp: i64,
    pub cut_bytes: u64,
    /// The folder is known to survive a crash, with the file that says whose it is.
    pub folder_synced: bool,
    /// A failed read of this log was reported.
    pub read_failed: bool,
    /// Counts truncations: a remembered position from before one means nothing.
    pub version: u32,
}

pub struct Log {
    pub id: LogId,
    pub topic: Box<str>,
    pub topic_id: TopicId,
    pub partition: i32,
    written_end: AtomicI64,
    durable_end: AtomicI64,
    inner: Mutex<Inner>,
    /// Held while segments are cut, deleted or replaced, so that compaction, which has a thread of
    /// its own, and the writer's commands do not mix. Taken before `segment_files`.
    pub structure: Mutex<()>,
    /// Held while index files are written or segment files cut, renamed or unlinked, so that the
    /// writer, the janitor and readers that rebuild do not mix. Taken before `inner`.
    pub segment_files: Mutex<()>,
    /// Held while a small file is put, so that none lands in the folder of a removed log.
    pub small_files: Mutex<()>,
}

impl Log {
    pub fn new(spec: &LogSpec) -> Log {
        Log {
            id: spec.log,
            topic: spec.topic.as_str().into(),
            topic_id: spec.topic_id,
            partition: spec.partition,
            written_end: AtomicI64::new(0),
            durable_end: AtomicI64::new(0),
            inner: Mutex::new(Inner {
                status: Status::Online,
                config: spec.config,
                start_offset: 0,
                segments: Vec::new(),
                active: None,
                load: Load::default(),
                epochs: Vec::new(),
                epochs_changed: false,
                corrupt: Vec::new(),
                page_cached: false,
                durability_changed: false,
                synced: None,
                recovery: None,
                unsealed: Vec::new(),
                largest_timestamp: NO_TIMESTAMP,
                cut_bytes: 0,
                folder_synced: false,
                read_failed: false,
                version: 0,
            }),
            structure: Mutex::new(()),
            segment_files: Mutex::new(()),
            small_files: Mutex::new(()),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held has stopped the process or is about to.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others off the segment files; None where the log is gone, and its names with it.
    pub fn hold_segment_files(&self) -> Option<MutexGuard<'_, ()>> {
        let held = self
            .segment_files
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_gone = self.lock().status == Status::Removed;
        (!is_gone).then_some(held)
    }

    /// Offset behind the last one in the page cache.
    pub fn written_end(&self) -> i64 {
        self.written_end.load(Ordering::Acquire)
    }

    pub fn set_written_end(&self, offset: i64) {
        self.written_end.store(offset, Ordering::Release);
    }

    /// Offset behind the last one that was reported durable.
    pub fn set_durable_end(&self, offset: i64) {
        self.durable_end.store(offset, Ordering::Release);
    }

    pub fn folder(&self, data_directory: &Path) -> PathBuf {
        log_folder(data_directory, &self.topic, self.partition)
    }

    pub fn segment_path(
        &self,
        data_directory: &Path,
        base_offset: i64,
        extension: &str,
    ) -> PathBuf {
        self.folder(data_directory)
            .join(segment_file(base_offset, extension))
    }

    pub fn log_path(&self, data_directory: &Path, base_offset: i64) -> PathBuf {
        self.segment_path(data_directory, base_offset, LOG)
    }

    pub fn segment_key(&self, base_offset: i64) -> SegmentKey {
        SegmentKey {
            log: self.id,
            base_offset,
        }
    }

    pub fn state(&self) -> LogState {
        let inner = self.lock();
        LogState {
            log: self.id,
            start_offset: inner.start_offset,
            end_offset: self.written_end(),
            largest_timestamp: inner.largest_timestamp,
            cut_bytes: inner.cut_bytes,
            corrupt_from_offset: inner.first_corrupt(),
        }
    }

    pub fn checkpoint_entry(&self) -> CheckpointEntry {
        let inner = self.lock();
        CheckpointEntry {
            topic: self.topic.to_string(),
            topic_id: self.topic_id,
            partition: self.partition,
            start_offset: inner.start_offset,
            recovery: inner.recovery,
            largest_timestamp: inner.largest_timestamp,
            corrupt: inner.corrupt.clone(),
        }
    }

    /// `topic-partition`, for messages.
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

impl Inner {
    /// The segment that holds `offset`, with its index in `segments`.
    pub fn segment_of(&self, offset: i64) -> Option<(usize, &Arc<Segment>)> {
        let count = self
            .segments
            .partition_point(|segment| segment.base_offset <= offset);
        let index = count.checked_sub(1)?;
        Some((index, &self.segments[index]))
    }

    pub fn active_segment(&self) -> Option<&Arc<Segment>> {
        self.segments.last()
    }

    /// Whether the segment at `index` is the one that is written to.
    pub fn is_active(&self, index: usize) -> bool {
        index + 1 == self.segments.len()
    }

    /// Offset behind the segment at `index`.
    pub fn segment_end(&self, index: usize, written_end: i64) -> i64 {
        self.segments
            .get(index + 1)
            .map_or(written_end, |next| next.base_offset)
    }

    pub fn bytes_total(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes()).sum()
    }

    /// Takes note of a batch's leader epoch, which begins where none so late was seen.
    pub fn note_epoch(&mut self, epoch: i32, base_offset: i64) {
        if epoch >= 0 && self.epochs.last().is_none_or(|last| last.0 < epoch) {
            self.epochs.push((epoch, base_offset));
            self.epochs_changed = true;
        }
    }

    /// Epochs that begin at or above `end` never were; what begins below `start` is kept as the
    /// epoch of `start`.
    pub fn cut_epochs(&mut self, start: i64, end: i64) {
        let count = self.epochs.len();
        self.epochs.retain(|epoch| epoch.1 < end);
        let below = self.epochs.partition_point(|epoch| epoch.1 <= start);
        if below > 0 {
            self.epochs.drain(..below - 1);
            let first = &mut self.epochs[0];
            if first.1 < start {
                first.1 = start;
                self.epochs_changed = true;
            }
        }
        self.epochs_changed |= self.epochs.len() != count;
    }

    /// What a checkpoint may claim at most: nothing beyond a segment that is not sealed yet.
    pub fn recovery_limit(&self) -> Option<Point> {
        match self.unsealed.iter().min() {
            Some(base) => Some(Point {
                offset: *base,
                segment_base: *base,
                position: 0,
            }),
            None => self.synced,
        }
    }
}
