//! Which records belong to aborted transactions: told by the markers that follow them.

use std::collections::HashMap;

use super::fault::CleanFault;
use super::queue::Pace;
use super::record_view::{RecordViews, inflate};
use super::walk::{Depth, Flow, walk};
use crate::batch::{BatchHeader, BatchView};
use crate::core::Core;
use crate::log::Log;
use crate::scan::Scanner;
use crate::search::SegmentView;

/// Aborted ranges and open transactions that one run keeps in mind (some tens of MiB at most).
/// Beyond it the run ends earlier, and the next one goes on from there.
const RANGES_MAX: usize = 1 << 18;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    Abort,
    Commit,
}

/// Reads a control batch: none where it is no transaction's marker.
pub fn marker_of(batch: &BatchView<'_>) -> Option<Marker> {
    let mut buffer = Vec::new();
    let payload = inflate(batch, 0, &mut buffer).ok()?;
    let record = RecordViews::new(payload, batch.header.records_count)
        .next()
        .ok()??;
    // Version and type, two bytes each.
    match record.key? {
        [_, _, 0, 0, ..] => Some(Marker::Abort),
        [_, _, 0, 1, ..] => Some(Marker::Commit),
        _ => None,
    }
}

/// By producer, ranges from the first record of an aborted transaction to its marker.
#[derive(Default)]
pub struct Aborted {
    ranges: HashMap<i64, Vec<(i64, i64)>>,
    count: usize,
}

impl Aborted {
    fn add(&mut self, producer_id: i64, first: i64, marker: i64) {
        let ranges = self.ranges.entry(producer_id).or_default();
        ranges.push((first, marker));
        self.count += 1;
    }

    /// Whether a transactional batch of a producer was aborted.
    pub fn covers(&self, header: &BatchHeader) -> bool {
        if !header.is_transactional() || self.count == 0 {
            return false;
        }
        let Some(ranges) = self.ranges.get(&header.producer_id) else {
            return false;
        };
        let index = ranges.partition_point(|range| range.1 < header.base_offset);
        ranges
            .get(index)
            .is_some_and(|range| range.0 <= header.base_offset)
    }
}

struct Scan {
    aborted: Aborted,
    /// First record of each transaction that has no marker yet.
    open: HashMap<i64, i64>,
    end: i64,
}

impl Scan {
    fn see(
        &mut self,
        scanner: &mut Scanner,
        position: u64,
        header: &BatchHeader,
    ) -> Result<Flow, CleanFault> {
        if header.base_offset >= self.end && self.open.is_empty() {
            return Ok(Flow::Enough);
        }
        if !header.is_transactional() {
            return Ok(Flow::On);
        }
        if header.is_control() {
            let marker = match scanner.view(position, header)? {
                Some(batch) if batch.is_intact() => marker_of(&batch),
                _ => {
                    let what = "a marker fails its checksum".to_owned();
                    return Err(CleanFault::Corrupt(header.base_offset, what));
                }
            };
            if let Some(marker) = marker
                && let Some(first) = self.open.remove(&header.producer_id)
                && marker == Marker::Abort
            {
                self.aborted
                    .add(header.producer_id, first, header.base_offset);
            }
            return Ok(Flow::On);
        }
        if header.base_offset < self.end {
            if self.open.len() + self.aborted.count >= RANGES_MAX
                && !self.open.contains_key(&header.producer_id)
            {
                self.end = header.base_offset;
                return Ok(Flow::On);
            }
            self.open
                .entry(header.producer_id)
                .or_insert(header.base_offset);
        }
        Ok(Flow::On)
    }
}

/// Looks at the transactions that have records in [from, end), on to the markers behind it. Gives
/// the aborted ones, and the end below which every transaction is decided.
pub fn decided(
    core: &Core,
    log: &Log,
    views: &[SegmentView],
    (from, end): (i64, i64),
    pace: &mut Pace<'_>,
) -> Result<(Aborted, i64), CleanFault> {
    let mut scan = Scan {
        aborted: Aborted::default(),
        open: HashMap::new(),
        end,
    };
    for view in views {
        if view.end_offset <= from {
            continue;
        }
        let flow = walk(
            core,
            log,
            view,
            (from, Depth::Headers),
            pace,
            |scanner, position, header, _| scan.see(scanner, position, header),
        )?;
        if flow == Flow::Enough {
            break;
        }
    }
    // What is open at the end of the log is not decided, whatever the caller thought.
    let undecided = scan.open.values().copied().min().unwrap_or(i64::MAX);
    Ok((scan.aborted, scan.end.min(undecided)))
}
