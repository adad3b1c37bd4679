//! A bounded queue of work for the store's own threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

struct State<T> {
    tasks: VecDeque<T>,
    running: usize,
    closed: bool,
}

pub struct TaskQueue<T> {
    state: Mutex<State<T>>,
    work: Condvar,
    idle: Condvar,
    tasks_max: usize,
}

/// What `TaskQueue::take` found.
pub enum Taken<T> {
    Task(T),
    Timeout,
    Closed,
}

impl<T> TaskQueue<T> {
    pub fn new(tasks_max: usize) -> TaskQueue<T> {
        TaskQueue {
            state: Mutex::new(State {
                tasks: VecDeque::new(),
                running: 0,
                closed: false,
            }),
            work: Condvar::new(),
            idle: Condvar::new(),
            tasks_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the task back where the queue is full or closed.
    pub fn push(&self, task: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || state.tasks.len() >= self.tasks_max {
            return Err(task);
        }
        state.tasks.push_back(task);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Takes a task, or the turn of a timeout; whoever took it says `finished` when it is done.
    pub fn take(&self, timeout: Option<Duration>) -> Taken<T> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                state.running += 1;
                return Taken::Task(task);
            }
            if state.closed {
                return Taken::Closed;
            }
            match timeout {
                None => {
                    state = self
                        .work
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
                Some(timeout) => {
                    let waited = self.work.wait_timeout(state, timeout);
                    let (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
                    state = guard;
                    if result.timed_out() && state.tasks.is_empty() && !state.closed {
                        state.running += 1;
                        return Taken::Timeout;
                    }
                }
            }
        }
    }

    pub fn finished(&self) {
        let mut state = self.lock();
        state.running -= 1;
        if state.running == 0 && state.tasks.is_empty() {
            self.idle.notify_all();
        }
    }

    /// Waits until nothing is queued or running.
    pub fn wait_idle(&self) {
        let mut state = self.lock();
        while state.running > 0 || !state.tasks.is_empty() {
            state = self
                .idle
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the tasks at the front for which `fits` holds; they belong to the one that is
    /// running already.
    pub fn take_more(&self, mut fits: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.lock();
        let count = state.tasks.iter().take_while(|task| fits(task)).count();
        state.tasks.drain(..count).collect()
    }

    /// What is queued is still worked off; nothing new is taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
    }
}
