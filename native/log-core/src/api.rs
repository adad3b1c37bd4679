//! What the store offers, one to one with `LogStore` in `packages/io/src/ports.ts` and the log
//! rows of `packages/io/src/layout.ts`. The binding converts; it decides nothing.
//!
//! Calls of [`Store`](crate::Store) never wait for a disk. Whatever does is a [`Command`], whose
//! answer comes as [`Event::Completed`]; appends answer with [`Event::Written`],
//! [`Event::Durable`] and [`Event::LogFailed`]. Operations on one log take effect in the order
//! in which they were called, appends included.
//!
//! ```text
//! Store::open(StoreOptions, Arc<dyn Vfs>, Arc<dyn EventSink>)
//!     -> Result<(Store, StoreDescription), StoreError>        blocks; call it on a spare thread
//! store.submit(request: u64, Command)                         answered by Event::Completed
//! store.append(&mut Vec<AppendRow>)                           drains the rows; only enqueues
//! store.locate(&LocateRequest) -> Located
//! store.configure(LogId, LogConfig)
//! store.sizes(&[LogId], &mut [f64])
//! store.stats() -> StoreStats
//! batch::inspect(...)                                         needs no store
//! ```

mod store_stats;

use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cleaner::{CleanOutcome, CleanSpec};
use crate::vfs::VfsFile;

pub use store_stats::StoreStats;

/// A log's name in this process run: given by the caller, never reused for another log.
pub type LogId = u32;

/// The persistent identity of a topic (16 bytes of a UUID).
pub type TopicId = [u8; 16];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Follows the file system: one fdatasync per group on written blocks where that is known
    /// to be enough, else one per file.
    Auto,
    /// One fdatasync per file, by a standing pool of threads.
    Pool,
    /// `syncfs`: only for a volume that holds nothing else.
    Syncfs,
}

#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub data_directory: PathBuf,
    /// Bytes held back for checkpoints and deletes when the volume fills up.
    pub reserve_bytes: u64,
    /// Appends are refused while free space is below this.
    pub free_bytes_min: u64,
    /// Milliseconds for which a group of small appends may be held open under steady load.
    pub group_hold_ms: f64,
    pub flush: Flush,
    /// Descriptors the store may keep open; 0 derives it from RLIMIT_NOFILE.
    pub files_open_max: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLog {
    pub topic: String,
    pub topic_id: TopicId,
    pub partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDescription {
    /// Whether the last stop was clean: nothing has to be scanned.
    pub clean: bool,
    pub cluster_id: Option<String>,
    pub node_id: Option<i32>,
    pub directory_id: TopicId,
    pub logs: Vec<StoredLog>,
    pub file_system: String,
    /// `ahead`, `pool` or `syncfs`.
    pub flush_strategy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// DURABLE follows fdatasync.
    Fsync,
    /// DURABLE follows the write.
    PageCache,
}

/// What governs one log. Sizes in bytes, times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: u32,
    pub index_interval_bytes: u32,
    pub file_delete_delay_ms: u64,
    pub preallocate: bool,
    pub durability: Durability,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    pub log: LogId,
    pub topic: String,
    pub topic_id: TopicId,
    pub partition: i32,
    pub config: LogConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    pub log: LogId,
    pub start_offset: i64,
    /// End of what is on disk; durable in an answer to `OpenLogs`.
    pub end_offset: i64,
    /// -1: no record has a timestamp.
    pub largest_timestamp: i64,
    /// Bytes cut behind the last whole batch: a torn tail.
    pub cut_bytes: u64,
    /// First offset that is not served because acknowledged bytes fail their checksum.
    pub corrupt_from_offset: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub base_offset: i64,
    pub bytes: u64,
    pub largest_timestamp: i64,
}

/// Bytes of one batch, usually in the arena. Dropping it gives the memory back. The store has it
/// to itself until then: it patches the header in place.
pub trait Payload: Send {
    fn bytes_mut(&mut self) -> &mut [u8];
}

impl Payload for Vec<u8> {
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// Bits of [`AppendRow::flags`], as in layout `AppendFlag`.
pub mod append_flag {
    /// Report [`Event::Written`](super::Event::Written) for this log.
    pub const NOTIFY_WRITTEN: u32 = 1;
    /// Set timestamp type LogAppendTime and maxTimestamp = `now_ms`; the CRC is redone.
    pub const LOG_APPEND_TIME: u32 = 2;
}

/// One v2 batch, already inspected. `base_offset` continues the log.
pub struct AppendRow {
    pub log: LogId,
    pub payload: Box<dyn Payload>,
    pub base_offset: i64,
    pub leader_epoch: i32,
    /// Bits of [`append_flag`].
    pub flags: u32,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// As layout `LocateFlag.AT_LEAST_ONE_BATCH`.
pub const AT_LEAST_ONE_BATCH: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocateRequest {
    pub log: LogId,
    /// Bits: [`AT_LEAST_ONE_BATCH`].
    pub flags: u32,
    /// First offset wanted: the range starts with the batch that contains it.
    pub offset: i64,
    /// First offset that must not be read.
    pub limit: i64,
    pub bytes_max: u32,
    /// Comes back in [`Event::Located`].
    pub tag: u32,
}

/// The answer to a [`LocateRequest`].
#[derive(Clone, Debug)]
pub enum Located {
    Ready(Pin),
    /// Nothing below the limit.
    Empty,
    /// Comes as [`Event::Located`] with the request's tag (and is never in that event).
    Pending,
    OutOfRange,
    Corrupt,
    Unavailable,
}

/// A file range that stays readable while the pin lives, whatever happens to its log.
#[derive(Clone)]
pub struct Pin {
    pub(crate) file: Arc<dyn VfsFile>,
    /// Keeps the segment's deletion from cutting the file under a reader.
    pub(crate) segment: Arc<dyn Send + Sync>,
    pub position: u64,
    pub length: u32,
}

impl Pin {
    /// For `sendfile`; None where the file has no descriptor (simulated): use `file`.
    pub fn raw_fd(&self) -> Option<RawFd> {
        let _ = &self.segment;
        self.file.as_raw_fd()
    }

    pub fn file(&self) -> &Arc<dyn VfsFile> {
        &self.file
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({}+{})", self.position, self.length)
    }
}

/// As layout `StoreCode`, same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StoreCode {
    Ok = 0,
    LowSpace = 1,
    WriteFailed = 2,
    SyncFailed = 3,
    Corrupt = 4,
    ReadFailed = 5,
    Closed = 6,
}

/// What happened. Events of one log come in the order in which they happened.
#[derive(Debug)]
pub enum Event {
    /// Bytes below `end_offset` are in the page cache.
    Written {
        log: LogId,
        end_offset: i64,
    },
    /// Bytes below `end_offset` are durable as the log's configuration demands.
    Durable {
        log: LogId,
        end_offset: i64,
    },
    /// With `Corrupt` and `ReadFailed` the log goes on; the range at `offset` is not served (each
    /// is told once: for a range, for a log). With every other code: no append at or above `offset` (the written end) took effect, everything queued
    /// is refused, and the log is offline until it is opened again.
    LogFailed {
        log: LogId,
        code: StoreCode,
        offset: i64,
        detail: String,
    },
    /// Never holds [`Located::Pending`].
    Located {
        log: LogId,
        tag: u32,
        result: Located,
    },
    StoreState {
        code: StoreCode,
        detail: String,
    },
    Completed {
        request: u64,
        result: Result<Reply, StoreError>,
    },
}

/// Where events go. Called on the store's threads and, for refusals, on the caller's; must not
/// block and must not call the store.
pub trait EventSink: Send + Sync {
    fn event(&self, event: Event);

    /// A burst of events is over: the moment to ring the bell.
    fn burst_end(&self) {}
}

/// What may take a disk's time. Each is answered once with [`Event::Completed`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Writes `meta.properties`. → `Reply::Done`
    Format { cluster_id: String, node_id: i32 },
    /// Opens and, after a crash, recovers. Also re-opens a log that went offline. → `Logs`
    OpenLogs(Vec<LogSpec>),
    /// First record with timestamp >= `timestamp` and offset < `limit`. → `Position`
    FindTimestamp {
        log: LogId,
        timestamp: i64,
        limit: i64,
    },
    /// First record with the largest timestamp below `limit`. → `Position`
    FindMaxTimestamp { log: LogId, limit: i64 },
    /// Headers of the batches from the one that contains `from`. → `Headers`
    ReadHeaders {
        log: LogId,
        from: i64,
        rows_max: u32,
    },
    /// Whole batches from the one that contains `from`; at least one if there is any. → `Bytes`
    Read {
        log: LogId,
        from: i64,
        bytes_max: u32,
    },
    /// Drops everything at and above `end`. → `State`
    Truncate { log: LogId, end: i64 },
    /// Moves the start up to `start`, durably; deletes segments wholly below it. → `State`
    Trim { log: LogId, start: i64 },
    /// → `State`
    Roll { log: LogId },
    /// Closes and removes; files are cut down in steps after `file_delete_delay_ms`. → `Done`
    Remove { log: LogId },
    /// Deletes old segments by time, then by size (negative: no limit), never at or above
    /// `limit`. Rolls the active segment where it has expired whole. → `State`
    Retain {
        log: LogId,
        retention_ms: i64,
        retention_bytes: i64,
        limit: i64,
        now_ms: i64,
    },
    /// → `Segments`
    Segments { log: LogId },
    /// Compacts: of each key the newest record stays. Runs beside everything else that is asked
    /// of the log. Fails with `CORRUPT` where a batch cannot be read (the log stays as it is) and
    /// with `INTERRUPTED` where the log was cut, removed or opened again meanwhile. → `Cleaned`
    Clean { log: LogId, spec: Box<CleanSpec> },
    /// Writes a small file atomically, beside the log or (None) in the data directory. → `Done`
    PutFile {
        log: Option<LogId>,
        name: String,
        bytes: Vec<u8>,
    },
    /// → `File`
    GetFile { log: Option<LogId>, name: String },
    /// → `Done`; also where there was none.
    RemoveFile { log: Option<LogId>, name: String },
    /// Small files put by `PutFile`, sorted. → `Names`
    ListFiles { log: Option<LogId> },
    /// Flushes and writes recovery points for every log. → `Done`
    Checkpoint,
    /// Flushes everything, cuts files to length, marks the directory clean, unlocks it. Every
    /// later call is refused with `Closed`. → `Done`
    Close,
}

/// A record found by timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPosition {
    pub offset: i64,
    pub timestamp: i64,
}

/// The answers of commands.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Done,
    Logs(Vec<LogState>),
    State(LogState),
    Position(Option<RecordPosition>),
    /// Rows of [`HEADER_DOUBLES`] in the order of `BatchHeader` in ports.ts: baseOffset,
    /// lastOffsetDelta, maxTimestamp, producerId, producerEpoch, baseSequence, attributes,
    /// leaderEpoch.
    Headers(Vec<f64>),
    Bytes(Vec<u8>),
    File(Option<Vec<u8>>),
    Names(Vec<String>),
    Segments(Vec<SegmentInfo>),
    Cleaned(CleanOutcome),
}

pub const HEADER_DOUBLES: usize = 8;

/// A fault as a value: a POSIX name (`ENOSPC`, `EACCES`, …) or `LOCKED`, `FORMAT`, `CORRUPT`,
/// `CLOSED`, `UNKNOWN_LOG`, `OFFLINE`, `OUT_OF_RANGE`, `INVALID`, `OVERLOADED`, `INTERRUPTED`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    pub code: String,
    /// What happened, to what, and what to do about it.
    pub message: String,
}

impl StoreError {
    pub fn new(code: &str, message: impl Into<String>) -> StoreError {
        StoreError {
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// Names the operation that failed; the code is the POSIX name where there is one.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> StoreError {
        StoreError {
            code: errno_name(error),
            message: format!("{what}: {error}"),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for StoreError {}

/// The POSIX name of an error, or `EIO` where it has none.
pub fn errno_name(error: &std::io::Error) -> String {
    let name = match error.raw_os_error() {
        Some(libc::ENOSPC) => "ENOSPC",
        Some(libc::EDQUOT) => "EDQUOT",
        Some(libc::EACCES) => "EACCES",
        Some(libc::EPERM) => "EPERM",
        Some(libc::EROFS) => "EROFS",
        Some(libc::ENOENT) => "ENOENT",
        Some(libc::ENOTDIR) => "ENOTDIR",
        Some(libc::EISDIR) => "EISDIR",
        Some(libc::EEXIST) => "EEXIST",
        Some(libc::ENOTEMPTY) => "ENOTEMPTY",
        Some(libc::EMFILE) => "EMFILE",
        Some(libc::ENFILE) => "ENFILE",
        Some(libc::EFBIG) => "EFBIG",
        Some(libc::ENAMETOOLONG) => "ENAMETOOLONG",
        Some(libc::EINVAL) => "EINVAL",
        Some(libc::ENOMEM) => "ENOMEM",
        Some(_) => "EIO",
        None => match error.kind() {
            std::io::ErrorKind::StorageFull => "ENOSPC",
            std::io::ErrorKind::PermissionDenied => "EACCES",
            std::io::ErrorKind::NotFound => "ENOENT",
            std::io::ErrorKind::AlreadyExists => "EEXIST",
            std::io::ErrorKind::InvalidData => "FORMAT",
            _ => "EIO",
        },
    };
    name.to_owned()
}
