//! Finds out what of a segment is damaged, and takes note of it.

use std::io;

use crate::core::Core;
use crate::log::Log;
use crate::scan::{Found, Scanner};
use crate::search::SegmentView;

/// Where the damage begins that a walk over headers alone, from `start` on, met at `met`: a length
/// that is wrong and still plausible leads a batch too far, into the middle of an intact one.
pub(super) fn first_damage(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    start: u64,
    met: (u64, i64),
) -> io::Result<(u64, i64)> {
    let file = core.segment_file(log, &view.segment)?;
    let mut scanner = Scanner::new(file, view.bytes);
    let (mut position, mut expected) = (start, None);
    while position < met.0 {
        let Found::Batch(header) = scanner.batch_at(
            position,
            expected.unwrap_or(view.segment.base_offset),
            false,
        )?
        else {
            break;
        };
        if !scanner.is_intact(position, &header)? {
            return Ok((position, expected.unwrap_or(header.base_offset)));
        }
        position += header.size_bytes() as u64;
        expected = Some(header.next_offset());
    }
    Ok(met)
}

/// Takes note of damage at `position`, where offset `from` was expected. Gives the position and
/// base offset of the next whole batch.
pub(super) fn report_damage(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    position: u64,
    from: i64,
) -> io::Result<Option<(u64, i64)>> {
    let file = core.segment_file(log, &view.segment)?;
    let mut scanner = Scanner::new(file, view.bytes);
    let next = scanner
        .find_behind(position, from)?
        .map(|next| (next.0, next.1.base_offset));
    let to = next.map_or(view.end_offset, |next| next.1);
    let detail = format!(
        "{}: bytes at {position} of segment {} fail their checksum; offsets {from} to {to} are \
         not served",
        log.name(),
        view.segment.base_offset
    );
    core.report_corrupt(log, from, to, detail);
    Ok(next)
}

/// Reports a batch that fails its checksum but whose header may still be good.
pub(super) fn damaged_batch(
    core: &Core,
    log: &Log,
    view: &SegmentView,
    position: u64,
    wanted: i64,
) -> io::Result<()> {
    let file = core.segment_file(log, &view.segment)?;
    let mut scanner = Scanner::sparse(file, view.bytes);
    let base = view.segment.base_offset;
    let from = match scanner.batch_at(position, base, false)? {
        Found::Batch(header) if header.base_offset <= wanted => header.base_offset,
        _ => wanted,
    };
    report_damage(core, log, view, position, from).map(|_| ())
}
