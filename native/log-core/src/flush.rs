//! Group commit: everything that was written while one flush ran shares the next.
//!
//! The writer hands over what it wrote (`FlushQueue::hand_over`); the flusher takes all of it as
//! one group, makes it durable (`sync_group`), and only then moves the logs' durable ends and
//! reports them. A flush that fails is never tried again.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{Event, LogId};
use crate::checkpoint::Point;
use crate::core::Core;
use crate::hold::HoldTuner;
use crate::log::{Log, Segment};
use crate::sync_group::SyncPool;
use crate::vfs::VfsFile;
use std::sync::atomic::Ordering;

/// Written bytes that wait for a flush, at which the writer waits too.
const BACKLOG_BYTES_MAX: u64 = 256 << 20;

/// A written range of one file.
#[derive(Clone)]
pub struct DirtyPart {
    pub segment: Arc<Segment>,
    pub file: Arc<dyn VfsFile>,
    pub from: u64,
    pub to: u64,
    /// The blocks of the range were written and synced before: only its data must get there.
    pub ahead: bool,
}

/// What was written to one log since its last flush.
pub struct Dirty {
    pub log: Arc<Log>,
    pub end: Point,
    pub parts: Vec<DirtyPart>,
    pub rows: u64,
    pub bytes: u64,
    /// A segment file was made: its folder must be synced too.
    pub new_segment: bool,
    /// The folder itself is new.
    pub new_folder: bool,
}

impl Dirty {
    fn merge(&mut self, later: Dirty) {
        self.end = later.end;
        self.rows += later.rows;
        self.bytes += later.bytes;
        self.new_segment |= later.new_segment;
        self.new_folder |= later.new_folder;
        for part in later.parts {
            match self.parts.last_mut() {
                Some(last)
                    if last.segment.key == part.segment.key
                        && last.ahead == part.ahead
                        && last.to == part.from =>
                {
                    last.to = part.to;
                }
                _ => self.parts.push(part),
            }
        }
    }
}

#[derive(Default)]
struct Pending {
    logs: Vec<Dirty>,
    by_log: HashMap<LogId, usize>,
    rows: u64,
    bytes: u64,
    /// Hand-overs so far; those that are durable; those that the running flush covers.
    handed: u64,
    done: u64,
    in_flight_bytes: u64,
    /// Somebody waits for the flush: do not hold.
    urgent: bool,
    flusher_waits: bool,
    /// The marks have become due since the flusher asked.
    marks_due: bool,
    closed: bool,
}

pub struct FlushQueue {
    pending: Mutex<Pending>,
    work: Condvar,
    done: Condvar,
    hold: Duration,
}

enum Next {
    Group(Vec<Dirty>, u64),
    /// Nothing was written for a moment: bring the durable marks up to date.
    Marks,
    /// When the marks are due has to be asked anew.
    Again,
    Closed,
}

impl FlushQueue {
    pub fn new(hold_ms: f64) -> FlushQueue {
        let hold_ms = if hold_ms.is_finite() {
            hold_ms.clamp(0.0, 1000.0)
        } else {
            0.0
        };
        FlushQueue {
            pending: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
            hold: Duration::from_secs_f64(hold_ms / 1000.0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what was written. Waits where too much of it is not durable yet.
    pub fn hand_over(&self, dirty: &mut Vec<Dirty>) {
        if dirty.is_empty() {
            return;
        }
        let mut pending = self.lock();
        pending.handed += 1;
        for dirty in dirty.drain(..) {
            pending.rows += dirty.rows;
            pending.bytes += dirty.bytes;
            match pending.by_log.get(&dirty.log.id).copied() {
                // A log that was re-opened has the same id but is another log.
                Some(index) if Arc::ptr_eq(&pending.logs[index].log, &dirty.log) => {
                    pending.logs[index].merge(dirty);
                }
                _ => {
                    let index = pending.logs.len();
                    pending.by_log.insert(dirty.log.id, index);
                    pending.logs.push(dirty);
                }
            }
        }
        if pending.flusher_waits {
            self.work.notify_one();
        }
        while pending.bytes + pending.in_flight_bytes > BACKLOG_BYTES_MAX && !pending.closed {
            pending = self
                .done
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything handed over so far is durable, or never will be.
    pub fn barrier(&self) {
        let mut pending = self.lock();
        let target = pending.handed;
        while pending.done < target && !pending.closed {
            pending.urgent = true;
            self.work.notify_one();
            pending = self
                .done
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// There are marks to write, though nothing to flush.
    pub fn marks_due(&self) {
        let mut pending = self.lock();
        pending.marks_due = true;
        self.work.notify_one();
    }

    /// Ends the flusher once nothing is left.
    pub fn close(&self) {
        let mut pending = self.lock();
        pending.closed = true;
        self.work.notify_all();
        self.done.notify_all();
    }

    fn next(&self, tuner: &HoldTuner, marks_at: Option<Instant>) -> Next {
        let mut pending = self.lock();
        loop {
            let now = Instant::now();
            if pending.logs.is_empty() {
                if pending.closed {
                    return Next::Closed;
                }
                if std::mem::take(&mut pending.marks_due) {
                    return Next::Again;
                }
                let wait = marks_at.map(|at| at.saturating_duration_since(now));
                if wait == Some(Duration::ZERO) {
                    return Next::Marks;
                }
                pending = self.wait(pending, wait);
                continue;
            }
            let at = tuner.flush_at(pending.bytes, now);
            if pending.urgent || pending.closed || at <= now {
                let pending = &mut *pending;
                let group = std::mem::take(&mut pending.logs);
                pending.by_log.clear();
                pending.urgent = false;
                pending.in_flight_bytes = std::mem::take(&mut pending.bytes);
                pending.rows = 0;
                return Next::Group(group, pending.handed);
            }
            pending = self.wait(pending, Some(at - now));
        }
    }

    fn wait<'a>(
        &self,
        mut pending: MutexGuard<'a, Pending>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, Pending> {
        // During a hold only urgent callers need to wake us.
        pending.flusher_waits = pending.logs.is_empty();
        let mut pending = match timeout {
            None => self
                .work
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.work
                    .wait_timeout(pending, timeout)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        pending.flusher_waits = false;
        pending
    }

    fn finished(&self, handed: u64) {
        let mut pending = self.lock();
        pending.done = handed;
        pending.in_flight_bytes = 0;
        self.done.notify_all();
    }
}

/// The flusher thread.
pub fn run(core: &Core) {
    let mut tuner = HoldTuner::new(core.flush.hold, Instant::now());
    let pool = SyncPool::start();
    loop {
        match core.flush.next(&tuner, core.marks.due_at()) {
            Next::Group(group, handed) => {
                tuner.flushed(group.iter().map(|dirty| dirty.rows).sum(), Instant::now());
                flush_group(core, &pool, &group);
                // What is cut, rolled or deleted next may drop files; not while others wait.
                core.flush.finished(handed);
                drop(group);
            }
            // Told, where it fails.
            Next::Marks => drop(core.write_marks()),
            Next::Again => {}
            Next::Closed => return,
        }
    }
}

fn flush_group(core: &Core, pool: &SyncPool, group: &[Dirty]) {
    // After a failed sync nothing is ever durable again: the group is dropped unreported.
    if core.is_sync_failing() {
        return;
    }
    let started = Instant::now();
    match pool.sync(core, group) {
        Ok(flushes) => {
            let totals = &core.totals;
            totals.flush_micros.observe_micros(started.elapsed());
            totals.flushes.fetch_add(flushes, Ordering::Relaxed);
            totals.groups.fetch_add(1, Ordering::Relaxed);
            let batches = group.iter().map(|dirty| dirty.rows).sum();
            totals.group_batches.observe(batches);
            let bytes = group.iter().map(|dirty| dirty.bytes).sum();
            totals.group_bytes.observe(bytes);
        }
        Err((what, error)) => return core.sync_failed(&what, &error),
    }
    // Somebody else's sync may have met an error of these very pages.
    if core.is_sync_failing() {
        return;
    }
    for dirty in group {
        let log = &dirty.log;
        core.marks.note(log, dirty.end.offset);
        log.set_durable_end(dirty.end.offset);
        core.sink.event(Event::Durable {
            log: log.id,
            end_offset: dirty.end.offset,
        });
        // Last: from here on a cut does not wait for this flush any more.
        log.lock().synced = Some(dirty.end);
    }
    core.sink.burst_end();
}
