//! Why a run ended early.

use std::io;

use crate::api::StoreError;
use crate::batch::{InflateError, RecordError};
use crate::log::Log;

#[derive(Debug)]
pub enum CleanFault {
    Io(io::Error),
    /// A batch at this offset cannot be read: the log is left as it is.
    Corrupt(i64, String),
    /// The store stops.
    Stopped,
    /// The log was cut, trimmed, removed or opened again meanwhile.
    Changed,
    /// An fsync failed; the directory is done.
    SyncFailed(io::Error),
}

impl From<io::Error> for CleanFault {
    fn from(error: io::Error) -> CleanFault {
        // A segment that was looked for is gone: retention or a removal has taken it.
        if error.kind() == io::ErrorKind::NotFound {
            CleanFault::Changed
        } else {
            CleanFault::Io(error)
        }
    }
}

impl CleanFault {
    pub fn records(offset: i64, error: RecordError) -> CleanFault {
        CleanFault::Corrupt(offset, error.to_string())
    }

    pub fn inflate(offset: i64, error: InflateError) -> CleanFault {
        CleanFault::Corrupt(offset, error.to_string())
    }

    pub fn into_error(self, log: &Log) -> StoreError {
        let name = log.name();
        match self {
            CleanFault::Io(error) | CleanFault::SyncFailed(error) => StoreError::io(name, &error),
            CleanFault::Corrupt(offset, what) => StoreError::new(
                "CORRUPT",
                format!("{name}: the batch at offset {offset} cannot be cleaned: {what}"),
            ),
            CleanFault::Stopped => StoreError::new("CLOSED", "the store is closed"),
            CleanFault::Changed => StoreError::new(
                "INTERRUPTED",
                format!("{name}: the log has changed while it was cleaned; clean it again"),
            ),
        }
    }
}
