//! Appending: places rows in segments, writes them, rolls.

mod place;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::active_index::BatchEntry;
use crate::api::{Durability, Event, LogConfig, StoreCode, append_flag};
use crate::checkpoint::Point;
use crate::flush::{Dirty, DirtyPart};
use crate::janitor::Chore;
use crate::load::next_range;
use crate::log::{Active, Log, Segment};
use crate::names::{INDEX, TIME_INDEX};
use crate::segment_files::{load_active, make_folder, remove_index_files, spill};
use crate::space::{METADATA_TOPIC, is_full};
use crate::vfs::{OpenMode, VfsFile, write_all_vectored};
use crate::writer::{Row, Writer};
use place::{Place, Placed, fits, padding, patch};

/// Why a log goes offline.
pub(crate) struct Fault {
    pub code: StoreCode,
    pub detail: String,
}

impl Fault {
    pub fn write(what: &str, error: &io::Error) -> Fault {
        let code = if is_full(error) {
            StoreCode::LowSpace
        } else {
            StoreCode::WriteFailed
        };
        Fault {
            code,
            detail: format!("{what}: {error}"),
        }
    }

    fn invalid(detail: String) -> Fault {
        Fault {
            code: StoreCode::WriteFailed,
            detail,
        }
    }
}

pub(crate) fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis() as i64)
}

impl Writer<'_> {
    /// Writes the rows of one log. On a fault, what was written before it stays written.
    pub(crate) fn write_rows(&mut self, log: &Arc<Log>, rows: &mut [Row]) -> Result<(), Fault> {
        // One look at the settings for the whole pass: they may change at any moment, and every
        // row must either be flushed or be called durable.
        let config = log.lock().config;
        if config.durability == Durability::Fsync {
            self.flush_page_cached(log)
                .map_err(|error| Fault::write(&log.name(), &error))?;
        }
        let before = log.written_end();
        let result = self.write_runs(log, rows, &config);
        let end_offset = log.written_end();
        if end_offset > before {
            if rows
                .iter()
                .any(|row| row.row.flags & append_flag::NOTIFY_WRITTEN != 0)
            {
                self.core.sink.event(Event::Written {
                    log: log.id,
                    end_offset,
                });
            }
            if config.durability == Durability::PageCache {
                log.set_durable_end(end_offset);
                self.core.sink.event(Event::Durable {
                    log: log.id,
                    end_offset,
                });
            }
        }
        result
    }

    fn write_runs(
        &mut self,
        log: &Arc<Log>,
        rows: &mut [Row],
        config: &LogConfig,
    ) -> Result<(), Fault> {
        let durability = config.durability;
        let mut next_offset = log.written_end();
        let mut place = self
            .place(log)
            .map_err(|error| Fault::write(&log.name(), &error))?;
        let mut placed: Vec<Placed> = Vec::with_capacity(rows.len());
        let mut run_start = 0;
        for index in 0..rows.len() {
            let header = match patch(log, &mut rows[index], next_offset) {
                Ok(header) => header,
                Err(fault) => {
                    // The rows before it are good and have their offsets.
                    self.write_run(
                        log,
                        place.as_ref(),
                        (&mut rows[run_start..index], &placed),
                        durability,
                    )?;
                    return Err(fault);
                }
            };
            let fits = place.as_ref().is_some_and(|place| {
                fits(
                    place,
                    config,
                    &header,
                    index - run_start,
                    rows[index].row.now_ms,
                )
            });
            if !fits {
                self.write_run(
                    log,
                    place.as_ref(),
                    (&mut rows[run_start..index], &placed),
                    durability,
                )?;
                placed.clear();
                run_start = index;
                let rolled = self.roll(log, header.base_offset, durability);
                let segment =
                    rolled.map_err(|error| self.write_fault(log, "a new segment", &error))?;
                let created_ms = wall_ms();
                place = Some(Place {
                    segment,
                    position: 0,
                    first_timestamp: None,
                    created_ms,
                    index_full: false,
                });
            }
            if let Some(place) = &mut place {
                placed.push(Placed {
                    header,
                    position: place.position,
                });
                place.position += header.size_bytes() as u64;
                place.first_timestamp.get_or_insert(header.max_timestamp);
            }
            next_offset = header.next_offset();
        }
        self.write_run(
            log,
            place.as_ref(),
            (&mut rows[run_start..], &placed),
            durability,
        )
    }

    /// Where the log's next batch goes; None where it has no segment yet.
    fn place(&self, log: &Arc<Log>) -> io::Result<Option<Place>> {
        let (segment, loaded) = {
            let inner = log.lock();
            (inner.active_segment().cloned(), inner.active.is_some())
        };
        let Some(segment) = segment else {
            return Ok(None);
        };
        if !loaded {
            let active = load_active(self.core, log, &segment)?;
            log.lock().active = Some(Box::new(active));
        }
        let inner = log.lock();
        Ok(inner.active.as_ref().map(|active| Place {
            position: segment.bytes(),
            segment: Arc::clone(&segment),
            first_timestamp: active.first_timestamp,
            created_ms: active.created_ms,
            index_full: active.index.is_full(inner.config.segment_index_bytes),
        }))
    }

    fn write_fault(&self, log: &Log, what: &str, error: &io::Error) -> Fault {
        if is_full(error) {
            self.core.space.ran_out(&log.name());
        }
        Fault::write(&format!("{}: {what}", log.name()), error)
    }

    /// Writes rows that lie back to back in one segment, and makes them readable.
    fn write_run(
        &mut self,
        log: &Arc<Log>,
        place: Option<&Place>,
        (rows, placed): (&mut [Row], &[Placed]),
        durability: Durability,
    ) -> Result<(), Fault> {
        let (Some(place), Some(first), Some(last)) = (place, placed.first(), placed.last()) else {
            return Ok(());
        };
        let segment = &place.segment;
        let (from, to) = (
            first.position,
            last.position + last.header.size_bytes() as u64,
        );
        let opened = self.core.segment_file(log, segment);
        let file = opened.map_err(|error| self.write_fault(log, "open", &error))?;
        self.core.zeroes.clear_way(segment.key, from, to);
        let ahead = log.lock().active.as_ref().map(|active| active.ahead);
        let padding = padding(ahead.unwrap_or_default(), to);
        let mut write = || {
            let batches = rows.iter_mut().map(|row| &*row.row.payload.bytes_mut());
            let mut slices: Vec<IoSlice<'_>> = batches.chain([padding]).map(IoSlice::new).collect();
            write_all_vectored(&*file, &mut slices, from)
        };
        let mut written = write();
        if let Err(error) = &written
            && is_full(error)
            && self.core.space.ran_out(&log.name())
            && &*log.topic == METADATA_TOPIC
        {
            // The reserve is there so that the metadata, and with it deletes, can go on.
            written = write();
        }
        if let Err(error) = written {
            // Part of a batch must not stay behind the end; recovery would cut it as well.
            let _ = file.truncate(from);
            return Err(self.write_fault(log, "write", &error));
        }
        self.commit_run(log, place, file, (placed, durability));
        Ok(())
    }

    fn commit_run(
        &mut self,
        log: &Arc<Log>,
        place: &Place,
        file: Arc<dyn VfsFile>,
        (placed, durability): (&[Placed], Durability),
    ) {
        let (Some(first), Some(last)) = (placed.first(), placed.last()) else {
            return;
        };
        let (from, to) = (
            first.position,
            last.position + last.header.size_bytes() as u64,
        );
        let segment = &place.segment;
        let end_offset = last.header.next_offset();
        let mut inner = log.lock();
        let interval = inner.config.index_interval_bytes;
        for placed in placed {
            inner.note_epoch(placed.header.leader_epoch, placed.header.base_offset);
        }
        let mut ahead = false;
        let mut wants_spill = false;
        if let Some(active) = inner.active.as_mut() {
            active.first_timestamp = place.first_timestamp;
            for placed in placed {
                let entry = BatchEntry {
                    last_offset: placed.header.last_offset(),
                    max_timestamp: placed.header.max_timestamp,
                    position: placed.position,
                    bytes: placed.header.size_bytes() as u64,
                };
                if active.index.append(entry, interval).is_err() {
                    // An index only speeds a search up: what it lacks is found by walking.
                    break;
                }
            }
            segment.set_largest_timestamp(active.index.largest_timestamp());
            ahead = active.ahead.0 <= from && to <= active.ahead.1;
            wants_spill = active.index.wants_spill();
        }
        let largest = segment.largest_timestamp().unwrap_or(-1);
        inner.largest_timestamp = inner.largest_timestamp.max(largest);
        segment.add_verified(from, to);
        segment.set_bytes(to);
        log.set_written_end(end_offset);
        match durability {
            Durability::Fsync => self.note_load(log, &mut inner, segment, (from, to)),
            Durability::PageCache => inner.page_cached = true,
        }
        drop(inner);
        self.core
            .totals
            .appended_bytes
            .fetch_add(to - from, Ordering::Relaxed);
        if durability == Durability::Fsync {
            let end = Point {
                offset: end_offset,
                segment_base: segment.base_offset,
                position: to,
            };
            let part = DirtyPart {
                segment: Arc::clone(segment),
                file,
                from,
                to,
                ahead,
            };
            self.dirty.push(Dirty {
                log: Arc::clone(log),
                end,
                parts: vec![part],
                rows: placed.len() as u64,
                bytes: to - from,
                new_segment: false,
                new_folder: false,
            });
        }
        if wants_spill {
            // If it fails the entries stay in memory and go out next time.
            let _ = spill(self.core, log, true);
        }
    }

    /// Ends the active segment, if any, and begins one at `base_offset`.
    pub(crate) fn roll(
        &mut self,
        log: &Arc<Log>,
        base_offset: i64,
        durability: Durability,
    ) -> io::Result<Arc<Segment>> {
        if durability == Durability::Fsync {
            self.flush_page_cached(log)?;
        }
        let old = log.lock().active_segment().cloned();
        let folder = log.folder(&self.core.directory);
        let mut new_folder = false;
        match &old {
            Some(old) => self.end_segment(log, old),
            None => new_folder = make_folder(self.core, log)?,
        }
        let path = log.log_path(&self.core.directory, base_offset);
        let segment = self.core.new_segment(base_offset, 0);
        let file = self.core.files.get(segment.key, &path, OpenMode::Create)?;
        // What a failed roll before this one may have left.
        if file.len()? > 0 {
            file.truncate(0)?;
        }
        for extension in [INDEX, TIME_INDEX] {
            let stale = log.segment_path(&self.core.directory, base_offset, extension);
            match self.core.vfs.unlink(&stale) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let config = log.lock().config;
        if config.preallocate {
            // Advice: without the blocks the segment is merely slower.
            let _ = file.allocate(0, config.segment_bytes);
        }
        let mut inner = log.lock();
        if let Some(old) = old {
            inner.unsealed.push(old.base_offset);
            let log = Arc::clone(log);
            self.core.janitor.push(Chore::Seal { log, segment: old });
        }
        inner.segments.push(Arc::clone(&segment));
        inner.active = Some(Box::new(Active::new(base_offset, wall_ms())));
        drop(inner);
        if durability == Durability::Fsync {
            self.dirty_segment(log, &segment, file, new_folder);
        } else if new_folder {
            // Not for the data's sake: so that a crash leaves a folder that says whose it is.
            let synced = self.core.vfs.fsync_dir(&folder);
            self.core.synced(&log.name(), synced)?;
        }
        Ok(segment)
    }

    /// A file was made, and with it perhaps a folder, that must be there when its data is.
    fn dirty_segment(
        &mut self,
        log: &Arc<Log>,
        segment: &Arc<Segment>,
        file: Arc<dyn VfsFile>,
        new_folder: bool,
    ) {
        let end = Point {
            offset: log.written_end(),
            segment_base: segment.base_offset,
            position: 0,
        };
        let part = DirtyPart {
            segment: Arc::clone(segment),
            file,
            from: 0,
            to: 0,
            ahead: false,
        };
        self.dirty.push(Dirty {
            log: Arc::clone(log),
            end,
            parts: vec![part],
            rows: 0,
            bytes: 0,
            new_segment: true,
            new_folder,
        });
    }

    /// Completes the indexes of a segment that gets no more batches.
    fn end_segment(&mut self, log: &Arc<Log>, segment: &Arc<Segment>) {
        self.core.zeroes.clear_way(segment.key, 0, u64::MAX);
        if let Some(active) = log.lock().active.as_mut() {
            let _ = active.index.index_largest();
            segment.set_largest_timestamp(active.index.largest_timestamp());
        }
        if spill(self.core, log, false).is_err() {
            // Half an index would be slow for ever; none is rebuilt at the first need.
            remove_index_files(self.core, log, segment.base_offset);
        }
        let mut inner = log.lock();
        inner.active = None;
    }

    /// Takes note of how busy the log is, and has blocks written ahead of it where that pays.
    fn note_load(
        &self,
        log: &Arc<Log>,
        inner: &mut crate::log::Inner,
        segment: &Arc<Segment>,
        written: (u64, u64),
    ) {
        if self.core.strategy != crate::core::Strategy::Ahead {
            return;
        }
        let limit = inner.config.segment_bytes;
        let wanted = inner.load.note(written, Instant::now());
        let (Some(step), Some(active)) = (wanted, inner.active.as_mut()) else {
            return;
        };
        let Some((from, to)) = next_range(step, written.1, active.ahead) else {
            return;
        };
        let to = to.min(limit.min(i32::MAX as u64).next_multiple_of(4096));
        if from >= to || self.core.zeroes.is_busy(segment.key) || self.core.space.is_low() {
            return;
        }
        self.core.zeroes.request(crate::zeroer::ZeroRequest {
            log: Arc::clone(log),
            segment: Arc::clone(segment),
            from,
            to,
        });
    }
}
