//! Walks the batches of sealed segments in order, each checked against its checksum.

use std::sync::Arc;

use super::fault::CleanFault;
use super::queue::Pace;
use crate::batch::BatchHeader;
use crate::core::Core;
use crate::log::Log;
use crate::scan::{Found, Scanner};
use crate::search::{SegmentView, position_of};

/// Whether a walk goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    On,
    Enough,
}

/// What a walk reads of each batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The header, and what `visit` asks the scanner for.
    Headers,
    /// All of it, checked.
    Whole,
}

pub type Walked = Result<Flow, CleanFault>;

/// Calls `visit` with the batches of `view` from the one that reaches `from` on.
pub fn walk(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    (from, depth): (i64, Depth),
    pace: &mut Pace<'_>,
    mut visit: impl FnMut(&mut Scanner, u64, &BatchHeader, &mut Pace<'_>) -> Walked,
) -> Walked {
    let file = core.segment_file(log, &view.segment)?;
    let mut position = if from <= view.segment.base_offset {
        0
    } else {
        position_of(core, log, view, from)?
    };
    let mut scanner = match depth {
        Depth::Headers => Scanner::sparse(Arc::clone(&file), view.bytes),
        Depth::Whole => Scanner::new(Arc::clone(&file), view.bytes),
    };
    let mut expected = view.segment.base_offset;
    loop {
        let header = match scanner.batch_at(position, expected, depth == Depth::Whole)? {
            Found::End => return Ok(Flow::On),
            Found::Bad => {
                let what = format!(
                    "bytes at {position} of segment {} are no batch or fail their checksum",
                    view.segment.base_offset
                );
                return Err(CleanFault::Corrupt(expected, what));
            }
            Found::Batch(header) => header,
        };
        let bytes = header.size_bytes() as u64;
        pace.read(match depth {
            Depth::Headers => bytes.min(4096),
            Depth::Whole => bytes,
        })?;
        if header.last_offset() >= from
            && visit(&mut scanner, position, &header, pace)? == Flow::Enough
        {
            return Ok(Flow::Enough);
        }
        position += bytes;
        expected = header.next_offset();
    }
}
