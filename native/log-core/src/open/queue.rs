//! Requests to open logs, and removals that must wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::open_logs;
use crate::api::{Command, LogId, LogSpec, StoreError};
use crate::core::Core;
use crate::tasks::{Taken, TaskQueue};
use crate::writer::Item;

const OPENS_MAX: usize = 65_536;

enum Task {
    Open {
        request: u64,
        specs: Vec<LogSpec>,
    },
    /// A removal that came while its log was being opened: nobody may rename a folder while
    /// its files are recovered by their names.
    Remove {
        request: u64,
        log: LogId,
    },
}

/// Requests to open logs; one at a time, each with threads of its own.
pub struct OpenQueue {
    tasks: TaskQueue<Task>,
    /// Logs that wait to be opened, or are being opened, each as often as it was asked for.
    opening: Mutex<HashMap<LogId, u32>>,
}

impl Default for OpenQueue {
    fn default() -> OpenQueue {
        OpenQueue {
            tasks: TaskQueue::new(OPENS_MAX),
            opening: Mutex::default(),
        }
    }
}

impl OpenQueue {
    /// Answers the request itself where too many are waiting.
    pub fn push(&self, core: &Core, request: u64, specs: Vec<LogSpec>) {
        for spec in &specs {
            *self.opening().entry(spec.log).or_default() += 1;
        }
        if let Err(task) = self.tasks.push(Task::Open { request, specs }) {
            if let Task::Open { specs, .. } = &task {
                self.opened(specs);
            }
            refuse(core, request);
        }
    }

    /// Has the log removed once it is open. False where it is not being opened. Asked by the
    /// writer, which also hands over the requests to open: none can come in between.
    pub fn remove_after(&self, core: &Core, request: u64, log: LogId) -> bool {
        let is_opening = self.opening().contains_key(&log);
        if is_opening && self.tasks.push(Task::Remove { request, log }).is_err() {
            refuse(core, request);
        }
        is_opening
    }

    fn opening(&self) -> MutexGuard<'_, HashMap<LogId, u32>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, specs: &[LogSpec]) {
        let mut opening = self.opening();
        for spec in specs {
            if let Some(count) = opening.get_mut(&spec.log) {
                *count -= 1;
                if *count == 0 {
                    opening.remove(&spec.log);
                }
            }
        }
    }

    pub fn close(&self) {
        self.tasks.close();
    }

    pub fn wait_idle(&self) {
        self.tasks.wait_idle();
    }
}

fn refuse(core: &Core, request: u64) {
    let text = "too many requests to open logs are waiting";
    core.complete(request, Err(StoreError::new("OVERLOADED", text)));
}

/// The opening thread.
pub fn run(core: &Core) {
    while let Taken::Task(task) = core.opens.tasks.take(None) {
        match task {
            Task::Open { request, specs } => {
                let result = core.check_open().and_then(|()| open_logs(core, &specs));
                core.opens.opened(&specs);
                core.complete(request, result);
            }
            Task::Remove { request, log } => {
                // To the writer again, which alone changes what a log has.
                let command = Command::Remove { log };
                let item = Item::Command {
                    request,
                    log,
                    command,
                };
                if core.queue.push(item).is_err() {
                    let error = StoreError::new("CLOSED", "the store is closed");
                    core.complete(request, Err(error));
                }
            }
        }
        core.sink.burst_end();
        core.opens.tasks.finished();
    }
}
