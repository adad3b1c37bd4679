//! The log on disk: segments, indexes, group commit, recovery. No Node-API in here; see README.md.

pub mod api;
pub mod batch;
pub mod os_vfs;
pub mod vfs;

pub use api::*;
