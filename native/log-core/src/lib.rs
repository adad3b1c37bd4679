//! The log on disk: segments, indexes, group commit, recovery. No Node-API in here; see README.md.

pub mod api;
pub mod batch;
pub mod index;
pub mod os_vfs;
pub mod sim;
pub mod vfs;

mod active_index;
mod append;
mod checkpoint;
mod close;
mod commands;
mod core;
mod deleter;
mod directory;
mod extents;
mod files;
mod flush;
mod hints;
mod hold;
mod janitor;
mod load;
mod locate;
mod log;
mod lookup;
mod marks;
mod names;
mod open;
mod readers;
mod recover;
mod scan;
mod search;
mod segment_files;
mod small_files;
mod space;
mod stats;
mod store;
mod sync_group;
mod tasks;
mod writer;
mod zeroer;

pub use api::*;
pub use os_vfs::OsVfs;
pub use stats::{HISTOGRAM_BUCKETS, HistogramCounts};
pub use store::Store;
