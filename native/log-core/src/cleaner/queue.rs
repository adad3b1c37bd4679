//! Runs that wait for the cleaning thread, its pace, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::fault::CleanFault;
use super::spec::{CleanOutcome, CleanSpec, CleanerStats};
use crate::api::StoreError;
use crate::core::Core;
use crate::log::Log;
use crate::tasks::{Taken, TaskQueue};

/// Runs that may wait; the caller asks for one at a time.
const TASKS_MAX: usize = 1024;
/// Bytes after which the pace is looked at.
const STEP_BYTES: u64 = 64 << 10;

pub struct CleanTask {
    pub request: u64,
    pub log: Arc<Log>,
    pub spec: Box<CleanSpec>,
}

#[derive(Default)]
struct Totals {
    runs: AtomicU64,
    failures: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    last_run_ms: AtomicU64,
    last_map_bytes: AtomicU64,
}

pub struct CleanQueue {
    tasks: TaskQueue<CleanTask>,
    stopping: Mutex<bool>,
    stop: Condvar,
    totals: Totals,
}

impl Default for CleanQueue {
    fn default() -> CleanQueue {
        CleanQueue {
            tasks: TaskQueue::new(TASKS_MAX),
            stopping: Mutex::new(false),
            stop: Condvar::new(),
            totals: Totals::default(),
        }
    }
}

impl CleanQueue {
    /// Answers the request itself where too many are waiting.
    pub fn push(&self, core: &Core, task: CleanTask) {
        if let Err(task) = self.tasks.push(task) {
            let text = "too many logs wait to be cleaned";
            core.complete(task.request, Err(StoreError::new("OVERLOADED", text)));
        }
    }

    pub fn take(&self) -> Option<CleanTask> {
        match self.tasks.take(None) {
            Taken::Task(task) => Some(task),
            Taken::Timeout | Taken::Closed => None,
        }
    }

    pub fn finished(&self) {
        self.tasks.finished();
    }

    /// The run under way ends at its next step, those that wait end at once.
    pub fn close(&self) {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.notify_all();
        self.tasks.close();
    }

    pub fn wait_idle(&self) {
        self.tasks.wait_idle();
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps; false where the store stops meanwhile.
    fn pause(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        let mut stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stopping {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.stop.wait_timeout(stopping, left);
            stopping = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    pub fn count(&self, outcome: &Result<CleanOutcome, CleanFault>, took: Duration) {
        let totals = &self.totals;
        totals.runs.fetch_add(1, Ordering::Relaxed);
        let took = took.as_millis() as u64;
        totals.last_run_ms.store(took, Ordering::Relaxed);
        if outcome.is_err() {
            totals.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn note_map(&self, bytes: u64) {
        self.totals.last_map_bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn stats(&self) -> CleanerStats {
        let totals = &self.totals;
        CleanerStats {
            runs_total: totals.runs.load(Ordering::Relaxed),
            failures_total: totals.failures.load(Ordering::Relaxed),
            read_bytes_total: totals.read_bytes.load(Ordering::Relaxed),
            written_bytes_total: totals.written_bytes.load(Ordering::Relaxed),
            last_run_ms: totals.last_run_ms.load(Ordering::Relaxed),
            last_map_bytes: totals.last_map_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Keeps a run to its bytes per second, and ends it when the store stops.
pub struct Pace<'a> {
    queue: &'a CleanQueue,
    bytes_per_second: u64,
    began: Instant,
    spent: u64,
    since_look: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
}

impl<'a> Pace<'a> {
    pub fn new(queue: &'a CleanQueue, bytes_per_second: u64) -> Pace<'a> {
        Pace {
            queue,
            bytes_per_second,
            began: Instant::now(),
            spent: 0,
            since_look: 0,
            read_bytes: 0,
            written_bytes: 0,
        }
    }

    pub fn read(&mut self, bytes: u64) -> Result<(), CleanFault> {
        self.read_bytes += bytes;
        let total = &self.queue.totals.read_bytes;
        total.fetch_add(bytes, Ordering::Relaxed);
        self.spend(bytes)
    }

    pub fn wrote(&mut self, bytes: u64) -> Result<(), CleanFault> {
        self.written_bytes += bytes;
        let total = &self.queue.totals.written_bytes;
        total.fetch_add(bytes, Ordering::Relaxed);
        self.spend(bytes)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), CleanFault> {
        self.spent += bytes;
        self.since_look += bytes;
        if self.since_look < STEP_BYTES {
            return Ok(());
        }
        self.since_look = 0;
        if self.bytes_per_second == 0 {
            return if self.queue.is_stopping() {
                Err(CleanFault::Stopped)
            } else {
                Ok(())
            };
        }
        let due = self.spent as f64 / self.bytes_per_second as f64;
        let ahead = due - self.began.elapsed().as_secs_f64();
        // Below a millisecond it is made up for at the next look.
        let pause = if ahead < 0.001 { 0.0 } else { ahead };
        if self.queue.pause(Duration::from_secs_f64(pause)) {
            Ok(())
        } else {
            Err(CleanFault::Stopped)
        }
    }
}
