//! Commands that change which bytes a log has, carried out by the writer in queue order.

mod remove;

use std::io;
use std::sync::{Arc, PoisonError};

use crate::api::{Command, Durability, LogId, Reply, StoreCode, StoreError};
use crate::append::wall_ms;
use crate::checkpoint::Point;
use crate::cleaner::CleanTask;
use crate::deleter::Job;
use crate::janitor::{Chore, write_checkpoint};
use crate::log::{Active, Log, Segment, Status};
use crate::names::{DELETED, INDEX, LOG, TIME_INDEX, segment_file};
use crate::readers::is_read;
use crate::scan::{Found, Scanner};
use crate::search::{SegmentView, build_index, largest_time, position_of};
use crate::segment_files::{load_active, remove_index_files};
use crate::small_files::FileTask;
use crate::vfs::OpenMode;
use crate::writer::Writer;

type Answer = Result<Reply, StoreError>;

fn failed(log: &Log, error: &io::Error) -> StoreError {
    StoreError::io(log.name(), error)
}

impl Writer<'_> {
    pub(crate) fn execute(&mut self, request: u64, id: LogId, command: Command) {
        let core = self.core;
        if matches!(command, Command::Remove { .. }) && core.opens.remove_after(core, request, id) {
            return;
        }
        let log = match core.check_open().and_then(|()| core.known_log(id)) {
            Ok(log) => log,
            Err(error) => return core.complete(request, Err(error)),
        };
        if let Command::Clean { spec, .. } = command {
            return core.cleaner.push(core, CleanTask { request, log, spec });
        }
        if is_read(&command).is_some() {
            return core.readers.command(core, request, log, command);
        }
        let is_small_file = matches!(
            command,
            Command::PutFile { .. }
                | Command::GetFile { .. }
                | Command::RemoveFile { .. }
                | Command::ListFiles { .. }
        );
        if is_small_file {
            return core.small_files.push(
                core,
                FileTask {
                    request,
                    log: Some(log),
                    command,
                },
            );
        }
        if let Command::Remove { .. } = command {
            let (reply, job) = match self.remove(&log) {
                Ok(job) => (Ok(Reply::Done), job),
                Err(error) => (Err(error), None),
            };
            core.janitor.push(Chore::Persist {
                request,
                reply,
                job,
            });
            return;
        }
        // What frees space also works on a log that space, or a write, has failed.
        let frees = matches!(command, Command::Trim { .. } | Command::Retain { .. });
        if log.lock().status != Status::Online && !frees {
            let text = format!("{} is offline; open it again", log.name());
            return core.complete(request, Err(StoreError::new("OFFLINE", text)));
        }
        let (answer, persist) = match command {
            Command::Truncate { end, .. } => (self.truncate(&log, end), true),
            Command::Trim { start, .. } => (self.trim(&log, start), true),
            Command::Roll { .. } => (self.roll_now(&log), false),
            Command::Retain {
                retention_ms,
                retention_bytes,
                limit,
                now_ms,
                ..
            } => {
                let before = log.lock().start_offset;
                let answer = self.retain(&log, (retention_ms, retention_bytes), limit, now_ms);
                (answer, log.lock().start_offset != before)
            }
            other => (Err(StoreError::new("INVALID", format!("{other:?}"))), false),
        };
        match answer {
            Ok(reply) if persist => {
                let reply = Ok(reply);
                core.janitor.push(Chore::Persist {
                    request,
                    reply,
                    job: None,
                });
            }
            other => core.complete(request, other),
        }
        core.sink.burst_end();
    }

    /// Waits until the log's written bytes are durable, where that is promised of them.
    fn settle(&mut self, log: &Log) {
        let is_dirty = {
            let inner = log.lock();
            let synced = inner.synced.map_or(0, |point| point.offset);
            inner.durability_changed
                || inner.config.durability == Durability::Fsync && synced < log.written_end()
        };
        if is_dirty {
            self.barrier();
        }
    }

    fn truncate(&mut self, log: &Arc<Log>, end: i64) -> Answer {
        self.settle(log);
        let structure = log.structure.lock();
        let _structure = structure.unwrap_or_else(PoisonError::into_inner);
        self.core.check_open()?;
        let (start, segments) = {
            let inner = log.lock();
            (inner.start_offset, inner.segments.len())
        };
        if end >= log.written_end() || segments == 0 && end >= start {
            return Ok(Reply::State(log.state()));
        }
        if end < 0 {
            let text = format!("{}: a log cannot end at {end}", log.name());
            return Err(StoreError::new("OUT_OF_RANGE", text));
        }
        let kept = self.kept_below(log, start, end);
        kept.and_then(|kept| self.lower_marks(log, kept))
            .map_err(|error| failed(log, &error))?;
        let cut = if end <= start {
            self.restart(log, end)
        } else {
            self.cut(log, end)
        };
        if let Err(error) = cut {
            // Half a cut: what the log has on disk is found out when it is opened again.
            let detail = format!("{}: truncate to {end}: {error}", log.name());
            self.core.fail_log(log, StoreCode::WriteFailed, detail);
            return Err(failed(log, &error));
        }
        Ok(Reply::State(log.state()))
    }

    /// Where the log ends once it was cut at `end`: a batch that reaches over it goes whole.
    fn kept_below(&self, log: &Arc<Log>, start: i64, end: i64) -> io::Result<i64> {
        let views = SegmentView::all(log);
        let count = views.partition_point(|view| view.segment.base_offset < end);
        match views.get(count.max(1) - 1) {
            Some(view) if end > start => Ok(find_cut(self.core, log, view, end)?.1),
            _ => Ok(end),
        }
    }

    /// What is known to be durable ends at `end` from now on, also after a crash: otherwise the
    /// cut would look like a loss of acknowledged bytes.
    fn lower_marks(&mut self, log: &Arc<Log>, end: i64) -> io::Result<()> {
        let lowered = {
            let mut inner = log.lock();
            let lowered = inner.recovery.is_some_and(|point| point.offset > end);
            if lowered {
                // The start of a segment that stays, or nothing: then all of it is scanned.
                let base = inner
                    .segment_of(end)
                    .map(|(_, segment)| segment.base_offset);
                inner.recovery = base.map(|base| Point {
                    offset: base,
                    segment_base: base,
                    position: 0,
                });
            }
            if inner.synced.is_some_and(|point| point.offset > end) {
                inner.synced = inner.recovery;
            }
            lowered
        };
        // Durably, or the cut would look like a loss.
        self.core.marks.note(log, end);
        self.core.write_marks()?;
        if lowered {
            write_checkpoint(self.core, false).map_err(|error| io::Error::other(error.message))?;
        }
        Ok(())
    }

    /// Drops all segments and begins an empty one at `base`.
    fn restart(&mut self, log: &Arc<Log>, base: i64) -> io::Result<()> {
        let (segments, delay) = {
            let mut inner = log.lock();
            inner.active = None;
            inner.unsealed.clear();
            inner.epochs.clear();
            inner.epochs_changed = true;
            inner.corrupt.clear();
            inner.largest_timestamp = -1;
            inner.version = inner.version.wrapping_add(1);
            inner.start_offset = base;
            (
                std::mem::take(&mut inner.segments),
                inner.config.file_delete_delay_ms,
            )
        };
        // The newest go first: a crash in between leaves the beginning of what there was.
        self.delete_segments(log, segments.into_iter().rev().collect(), delay)?;
        log.set_written_end(base);
        log.set_durable_end(base);
        let durability = log.lock().config.durability;
        self.roll(log, base, durability)?;
        self.barrier();
        // Logs that do not wait for syncs have no flush that would have covered the folder.
        let synced = self.core.vfs.fsync_dir(&log.folder(&self.core.directory));
        self.core.synced(&log.name(), synced)?;
        self.core
            .check_open()
            .map_err(|error| io::Error::other(error.message))
    }

    /// Cuts the log at the first batch that reaches `end`.
    fn cut(&mut self, log: &Arc<Log>, end: i64) -> io::Result<()> {
        let views = SegmentView::all(log);
        let count = views
            .partition_point(|view| view.segment.base_offset < end)
            .max(1);
        let view = &views[count - 1];
        let segment = &view.segment;
        let file = self.core.segment_file(log, segment)?;
        self.core.zeroes.clear_way(segment.key, 0, u64::MAX);
        let (position, offset) = find_cut(self.core, log, view, end)?;
        let dropped: Vec<Arc<Segment>> = views[count..]
            .iter()
            .map(|view| Arc::clone(&view.segment))
            .collect();
        let (interval, delay) = {
            let inner = log.lock();
            (
                inner.config.index_interval_bytes,
                inner.config.file_delete_delay_ms,
            )
        };
        // The newest go first: a crash in between leaves a log that ends with a whole segment.
        self.delete_segments(log, dropped.into_iter().rev().collect(), delay)?;
        let synced = self.core.vfs.fsync_dir(&log.folder(&self.core.directory));
        self.core.synced(&log.name(), synced)?;
        let held = log.segment_files.lock();
        let held = held.unwrap_or_else(PoisonError::into_inner);
        file.truncate(position)?;
        self.core.synced(&log.name(), file.fsync())?;
        let index = build_index(file, segment.base_offset, position, interval)?;
        remove_index_files(self.core, log, segment.base_offset);
        self.core
            .indexes
            .forget(log.segment_key(segment.base_offset));
        {
            let mut inner = log.lock();
            inner.segments.truncate(count);
            inner.unsealed.retain(|base| *base < segment.base_offset);
            inner.version = inner.version.wrapping_add(1);
            segment.set_bytes(position);
            segment.cut_verified(position);
            segment.set_largest_timestamp(index.largest_timestamp());
            let start = inner.start_offset;
            inner.cut_epochs(start, offset);
            inner.corrupt.retain_mut(|range| {
                range.1 = range.1.min(offset);
                range.0 < range.1
            });
            let largest = inner
                .segments
                .iter()
                .filter_map(|segment| segment.largest_timestamp());
            inner.largest_timestamp = largest.max().unwrap_or(-1);
            let mut active = Active::new(segment.base_offset, wall_ms());
            active.index = index;
            inner.active = Some(Box::new(active));
            let point = Point {
                offset,
                segment_base: segment.base_offset,
                position,
            };
            inner.synced = Some(point);
        }
        drop(held);
        log.set_written_end(offset);
        log.set_durable_end(offset);
        self.reload_first_timestamp(log, segment);
        Ok(())
    }

    fn reload_first_timestamp(&self, log: &Arc<Log>, segment: &Arc<Segment>) {
        // It only decides when the segment grows too old: unknown counts from now.
        if let Ok(loaded) = load_active(self.core, log, segment)
            && let Some(active) = log.lock().active.as_mut()
        {
            active.first_timestamp = loaded.first_timestamp;
        }
    }

    fn trim(&mut self, log: &Arc<Log>, start: i64) -> Answer {
        if start > log.written_end() || start < 0 {
            let text = format!(
                "{}: {start} is behind its end {}",
                log.name(),
                log.written_end()
            );
            return Err(StoreError::new("OUT_OF_RANGE", text));
        }
        let structure = log.structure.lock();
        let _structure = structure.unwrap_or_else(PoisonError::into_inner);
        let (dropped, delay) = {
            let mut inner = log.lock();
            inner.start_offset = inner.start_offset.max(start);
            let start = inner.start_offset;
            inner.cut_epochs(start, i64::MAX);
            // The segment that is written to stays, even where nothing of it is left.
            let count = inner
                .segments
                .windows(2)
                .take_while(|pair| pair[1].base_offset <= start);
            let count = count.count();
            let dropped: Vec<Arc<Segment>> = inner.segments.drain(..count).collect();
            inner
                .unsealed
                .retain(|base| dropped.iter().all(|old| old.base_offset != *base));
            (dropped, inner.config.file_delete_delay_ms)
        };
        self.delete_segments(log, dropped, delay)
            .map_err(|error| failed(log, &error))?;
        Ok(Reply::State(log.state()))
    }

    fn roll_now(&mut self, log: &Arc<Log>) -> Answer {
        let is_empty = log
            .lock()
            .active_segment()
            .is_none_or(|segment| segment.bytes() == 0);
        if !is_empty {
            self.settle(log);
            self.roll_active(log)?;
        }
        Ok(Reply::State(log.state()))
    }

    fn roll_active(&mut self, log: &Arc<Log>) -> Result<(), StoreError> {
        let unloaded = {
            let inner = log.lock();
            let segment = inner.active_segment().cloned();
            segment.filter(|_| inner.active.is_none())
        };
        if let Some(segment) = unloaded {
            let active = load_active(self.core, log, &segment).map_err(|e| failed(log, &e))?;
            log.lock().active = Some(Box::new(active));
        }
        let durability = log.lock().config.durability;
        self.roll(log, log.written_end(), durability)
            .map_err(|error| failed(log, &error))?;
        self.barrier();
        self.core.check_open()
    }

    fn retain(
        &mut self,
        log: &Arc<Log>,
        (retention_ms, retention_bytes): (i64, i64),
        limit: i64,
        now_ms: i64,
    ) -> Answer {
        let structure = log.structure.lock();
        let _structure = structure.unwrap_or_else(PoisonError::into_inner);
        let views = SegmentView::all(log);
        let mut excess = match u64::try_from(retention_bytes) {
            Ok(keep) => views
                .iter()
                .map(|view| view.bytes)
                .sum::<u64>()
                .saturating_sub(keep),
            Err(_) => 0,
        };
        let mut count = 0;
        for view in &views {
            if view.end_offset > limit || view.is_active && view.bytes == 0 {
                break;
            }
            let expired = retention_ms >= 0 && {
                let largest = self
                    .newest_ms(log, view)
                    .map_err(|error| failed(log, &error))?;
                now_ms.saturating_sub(largest) > retention_ms
            };
            let too_much = view.bytes > 0 && excess >= view.bytes;
            if !expired && !too_much {
                break;
            }
            excess = excess.saturating_sub(view.bytes);
            count += 1;
        }
        if count == 0 {
            return Ok(Reply::State(log.state()));
        }
        if count == views.len() && log.lock().status == Status::Online {
            self.settle(log);
            self.roll_active(log)?;
        }
        let (dropped, delay) = {
            let mut inner = log.lock();
            let count = count.min(inner.segments.len().saturating_sub(1));
            let dropped: Vec<Arc<Segment>> = inner.segments.drain(..count).collect();
            inner
                .unsealed
                .retain(|base| dropped.iter().all(|old| old.base_offset != *base));
            if let Some(first) = inner.segments.first().map(|segment| segment.base_offset) {
                inner.start_offset = inner.start_offset.max(first);
            }
            let start = inner.start_offset;
            inner.cut_epochs(start, i64::MAX);
            (dropped, inner.config.file_delete_delay_ms)
        };
        self.delete_segments(log, dropped, delay)
            .map_err(|error| failed(log, &error))?;
        Ok(Reply::State(log.state()))
    }

    /// Largest timestamp of a segment; where no record has one, when its file was written last.
    fn newest_ms(&self, log: &Log, view: &SegmentView) -> io::Result<i64> {
        let largest = match view.segment.largest_timestamp() {
            Some(largest) => largest,
            None => {
                let entry = largest_time(self.core, log, view)?;
                let largest = entry.map_or(-1, |entry| entry.timestamp);
                view.segment.set_largest_timestamp(largest);
                largest
            }
        };
        if largest >= 0 {
            return Ok(largest);
        }
        let path = log.log_path(&self.core.directory, view.segment.base_offset);
        Ok(self
            .core
            .vfs
            .metadata(&path)?
            .map_or(i64::MAX, |meta| meta.modified_ms))
    }

    /// Renames the files of segments that the log no longer has; they go when the delay is over.
    fn delete_segments(
        &mut self,
        log: &Log,
        segments: Vec<Arc<Segment>>,
        delay_ms: u64,
    ) -> io::Result<()> {
        let folder = log.folder(&self.core.directory);
        let delay_ms = if self.core.space.is_low() {
            0
        } else {
            delay_ms
        };
        let held = log.segment_files.lock();
        let _held = held.unwrap_or_else(PoisonError::into_inner);
        for segment in segments {
            segment.set_deleted();
            let base = segment.base_offset;
            self.core.zeroes.clear_way(segment.key, 0, u64::MAX);
            self.core.indexes.forget(log.segment_key(base));
            let mut paths = Vec::new();
            for extension in [LOG, INDEX, TIME_INDEX] {
                let name = segment_file(base, extension);
                let deleted = folder.join(format!("{name}.{DELETED}"));
                match self.core.vfs.rename(&folder.join(name), &deleted) {
                    Ok(()) => paths.push(deleted),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            self.core.files.forget(segment.key);
            self.core.deletes.push(
                Job::Files {
                    paths,
                    segment: Some(segment),
                },
                delay_ms,
            );
        }
        Ok(())
    }
}

/// Where the first batch that reaches `end` begins, and its base offset (or `end` where there is
/// none: the segment is whole).
fn find_cut(
    core: &crate::core::Core,
    log: &Log,
    view: &SegmentView,
    end: i64,
) -> io::Result<(u64, i64)> {
    let path = log.log_path(&core.directory, view.segment.base_offset);
    let file = core
        .files
        .get(view.segment.key, &path, OpenMode::ReadWrite)?;
    let mut scanner = Scanner::sparse(file, view.bytes);
    let mut position = position_of(core, log, view, end)?;
    let mut expected = view.segment.base_offset;
    loop {
        match scanner.batch_at(position, expected, false)? {
            Found::Batch(header) if header.last_offset() >= end => {
                return Ok((position, header.base_offset.min(end)));
            }
            Found::Batch(header) => {
                position += header.size_bytes() as u64;
                expected = header.next_offset();
            }
            Found::End => return Ok((position, end)),
            // Damage that reaches over the cut goes with it.
            Found::Bad => match scanner.find_behind(position, expected)? {
                Some((next, header)) if header.base_offset < end => {
                    (position, expected) = (next, header.base_offset);
                }
                _ => return Ok((position, end)),
            },
        }
    }
}
