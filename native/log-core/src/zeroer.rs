//! Writes blocks ahead of busy logs, so that their appends move no metadata.
//!
//! The zeros must never meet data. Only the writer thread asks for a range, always behind what it
//! has written, and before it writes anything it calls `clear_way`, which takes back a request
//! that has not begun and waits for one that has.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::core::Core;
use crate::log::{Log, Segment};
use crate::vfs::OpenMode;

pub struct ZeroRequest {
    pub log: Arc<Log>,
    pub segment: Arc<Segment>,
    pub from: u64,
    pub to: u64,
}

impl ZeroRequest {
    fn meets(&self, key: u64, from: u64, to: u64) -> bool {
        self.segment.key == key && self.from < to && from < self.to
    }
}

#[derive(Default)]
struct State {
    requests: VecDeque<ZeroRequest>,
    running: Option<(u64, u64, u64)>,
    closed: bool,
}

/// More logs than this are not served at the same time: they take the pool.
const REQUESTS_MAX: usize = 1024;

#[derive(Default)]
pub struct ZeroQueue {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
}

impl ZeroQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request for the segment is waiting or running.
    pub fn is_busy(&self, key: u64) -> bool {
        let state = self.lock();
        state.running.is_some_and(|running| running.0 == key)
            || state
                .requests
                .iter()
                .any(|request| request.segment.key == key)
    }

    pub fn request(&self, request: ZeroRequest) {
        let mut state = self.lock();
        if state.closed || state.requests.len() >= REQUESTS_MAX {
            return;
        }
        state.requests.push_back(request);
        drop(state);
        self.work.notify_one();
    }

    /// Returns when no zeros are or will be written into the range.
    pub fn clear_way(&self, key: u64, from: u64, to: u64) {
        let mut state = self.lock();
        if !state.requests.is_empty() {
            state
                .requests
                .retain(|request| !request.meets(key, from, to));
        }
        while state
            .running
            .is_some_and(|running| running.0 == key && running.1 < to && from < running.2)
        {
            state = self
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.requests.clear();
        drop(state);
        self.work.notify_all();
    }

    /// Ends all waiting, whatever is running.
    pub fn abandon(&self) {
        self.close();
        self.finished();
    }

    /// Waits until nothing is running.
    pub fn wait_idle(&self) {
        let mut state = self.lock();
        while state.running.is_some() {
            state = self
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take(&self) -> Option<ZeroRequest> {
        let mut state = self.lock();
        loop {
            if let Some(request) = state.requests.pop_front() {
                state.running = Some((request.segment.key, request.from, request.to));
                return Some(request);
            }
            if state.closed {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finished(&self) {
        self.lock().running = None;
        self.done.notify_all();
    }
}

/// The zeroing thread.
pub fn run(core: &Core) {
    while let Some(request) = core.zeroes.take() {
        let base_offset = request.segment.base_offset;
        let path = request.log.log_path(&core.directory, base_offset);
        // A description of its own: the kernel tells each of a failed write-back once, and the
        // flusher must hear of it as well. The name is the segment's: whoever changes it clears
        // the way first.
        let written = core.vfs.open(&path, OpenMode::ReadWrite).and_then(|file| {
            file.write_zeros(request.from, request.to - request.from)?;
            Ok(file)
        });
        if let Ok(Err(error)) = written.as_ref().map(|file| file.fdatasync()) {
            // It may have been data that failed.
            core.sync_failed(&request.log.name(), &error);
        } else if written.is_ok() {
            let mut inner = request.log.lock();
            let is_active = inner
                .active_segment()
                .is_some_and(|active| active.key == request.segment.key);
            if is_active && let Some(active) = inner.active.as_mut() {
                let joins = active.ahead.1 == request.from && active.ahead.0 < active.ahead.1;
                let from = if joins { active.ahead.0 } else { request.from };
                active.ahead = (from, request.to);
            }
        }
        // Zeros that cannot be written cost nothing but speed: the log goes on as a cold one.
        core.zeroes.finished();
    }
}
