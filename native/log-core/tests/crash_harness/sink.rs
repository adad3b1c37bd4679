//! Collects what the store says.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mantou_log_core::{Event, EventSink, Located, LogId, Reply, StoreCode, StoreError};

/// An answer that takes longer never comes.
const DEADLINE: Duration = Duration::from_secs(20);

pub type Answer = Result<Reply, StoreError>;

#[derive(Default)]
struct State {
    completions: HashMap<u64, Answer>,
    durable: HashMap<LogId, i64>,
    written: HashMap<LogId, i64>,
    failures: Vec<(LogId, StoreCode, i64, String)>,
    store: Vec<(StoreCode, String)>,
    located: HashMap<u32, Located>,
}

/// Called with a log and its durable end.
pub type Watch = Box<dyn Fn(LogId, i64) + Send>;

#[derive(Default)]
pub struct Sink {
    state: Mutex<State>,
    changed: Condvar,
    /// Called with every durable end before it is noted.
    pub watch: Mutex<Option<Watch>>,
}

impl Sink {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` gives something.
    fn wait<T>(&self, what: &str, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        let mut state = self.state();
        loop {
            if let Some(found) = ready(&mut state) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no answer: {what}");
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    pub fn completion(&self, request: u64, what: &str) -> Answer {
        self.wait(what, |state| state.completions.remove(&request))
    }

    /// Waits until the log is durable up to `end`, or until it is known that it will not be.
    pub fn durable(&self, log: LogId, end: i64) -> Result<(), String> {
        self.wait(&format!("log {log} durable to {end}"), |state| {
            if state
                .durable
                .get(&log)
                .is_some_and(|durable| *durable >= end)
            {
                return Some(Ok(()));
            }
            if let Some(failure) = state.failures.iter().find(|failure| failure.0 == log) {
                return Some(Err(format!("{failure:?}")));
            }
            let fatal = state
                .store
                .iter()
                .find(|state| state.0 == StoreCode::SyncFailed);
            fatal.map(|state| Err(format!("{state:?}")))
        })
    }

    pub fn durable_ends(&self) -> Vec<(LogId, i64)> {
        self.state()
            .durable
            .iter()
            .map(|(log, end)| (*log, *end))
            .collect()
    }

    /// After a truncation, earlier acknowledgements hold up to its end only.
    pub fn limit_durable(&self, log: LogId, end: i64) {
        if let Some(durable) = self.state().durable.get_mut(&log) {
            *durable = end.min(*durable);
        }
    }

    pub fn failures(&self) -> Vec<(LogId, StoreCode, i64, String)> {
        self.state().failures.clone()
    }

    /// Waits until the store says that it is well again.
    pub fn well(&self) {
        self.wait("the store is well again", |state| {
            let last = state.store.last()?;
            (last.0 == StoreCode::Ok).then_some(())
        });
    }

    pub fn clear_failures(&self) {
        self.state().failures.clear();
    }

    pub fn store_states(&self) -> Vec<(StoreCode, String)> {
        self.state().store.clone()
    }
}

impl EventSink for Sink {
    fn event(&self, event: Event) {
        if let Event::Durable { log, end_offset } = &event {
            let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(watch) = &*watch {
                watch(*log, *end_offset);
            }
        }
        let mut state = self.state();
        match event {
            Event::Written { log, end_offset } => {
                state.written.insert(log, end_offset);
            }
            Event::Durable { log, end_offset } => {
                state.durable.insert(log, end_offset);
            }
            Event::LogFailed {
                log,
                code,
                offset,
                detail,
            } => {
                state.failures.push((log, code, offset, detail));
            }
            Event::Located { tag, result, .. } => {
                state.located.insert(tag, result);
            }
            Event::StoreState { code, detail } => state.store.push((code, detail)),
            Event::Completed { request, result } => {
                state.completions.insert(request, result);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}
