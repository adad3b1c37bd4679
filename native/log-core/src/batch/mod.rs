//! Record batches, magic 2: the unit in which records are produced, checked, written and read.
//!
//! Bytes on the wire are bytes on disk. Before a batch is appended it is judged by [`inspect`];
//! when it gets its place, [`patch_for_append`] writes base offset and leader epoch into it, and
//! everything that reads it later starts from [`BatchView`] or [`BatchHeader`].

mod checksum;
mod frame;
mod header;
mod inflate;
mod inspect;
mod patch;
mod records;
mod timestamps;

pub use checksum::{crc32c, crc32c_append, xxh32};
pub use frame::{FrameError, judge_frame};
pub use header::{
    BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, BatchHeader, BatchView, Codec, HeaderError,
    NO_PRODUCER_ID, NO_TIMESTAMP, attribute,
};
pub use inflate::{InflateError, Inflater, WINDOW_BYTES};
pub use inspect::{
    InspectCode, InspectOutcome, NO_RECORD, inspect, inspect_and_mend, inspect_flag,
};
pub use patch::{PatchError, patch_for_append, set_max_timestamp};
pub use records::{Record, RecordError, Records};
pub use timestamps::{TimestampedOffset, find_timestamp_in_batch, max_timestamp_in_batch};
