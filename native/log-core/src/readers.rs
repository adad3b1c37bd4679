//! The threads on which reads may wait for a disk.

use std::sync::Arc;

use crate::api::{Command, Event, LocateRequest, Located, LogId, Reply, StoreError};
use crate::core::Core;
use crate::locate::locate_on_disk;
use crate::log::Log;
use crate::lookup;
use crate::tasks::{Taken, TaskQueue};

/// Threads, and reads that may wait for one of them.
pub const READER_THREADS: usize = 2;
const READS_MAX: usize = 16_384;

pub enum Read {
    Locate(LocateRequest),
    Command {
        request: u64,
        log: Arc<Log>,
        command: Command,
    },
}

pub struct ReadQueue {
    tasks: TaskQueue<Read>,
}

impl Default for ReadQueue {
    fn default() -> ReadQueue {
        ReadQueue {
            tasks: TaskQueue::new(READS_MAX),
        }
    }
}

impl ReadQueue {
    /// False where too many reads are waiting.
    pub fn locate(&self, request: LocateRequest) -> bool {
        self.tasks.push(Read::Locate(request)).is_ok()
    }

    /// Answers the request itself where too many reads are waiting.
    pub fn command(&self, core: &Core, request: u64, log: Arc<Log>, command: Command) {
        if self
            .tasks
            .push(Read::Command {
                request,
                log,
                command,
            })
            .is_err()
        {
            let text = "too many reads are waiting for the disk";
            core.complete(request, Err(StoreError::new("OVERLOADED", text)));
        }
    }

    pub fn close(&self) {
        self.tasks.close();
    }

    pub fn wait_idle(&self) {
        self.tasks.wait_idle();
    }
}

/// One of the reader threads.
pub fn run(core: &Core) {
    while let Taken::Task(task) = core.readers.tasks.take(None) {
        match task {
            Read::Locate(request) => {
                let result = locate_on_disk(core, &request);
                let (log, tag) = (request.log, request.tag);
                debug_assert!(!matches!(result, Located::Pending));
                core.sink.event(Event::Located { log, tag, result });
            }
            Read::Command {
                request,
                log,
                command,
            } => {
                core.complete(request, answer_retrying(core, &log, &command));
            }
        }
        core.sink.burst_end();
        core.readers.tasks.finished();
    }
}

/// Whether a command only reads batches.
pub fn is_read(command: &Command) -> Option<LogId> {
    match command {
        Command::FindTimestamp { log, .. }
        | Command::FindMaxTimestamp { log, .. }
        | Command::ReadHeaders { log, .. }
        | Command::Read { log, .. }
        | Command::Segments { log } => Some(*log),
        _ => None,
    }
}

/// How often segments may be replaced by cleaned ones while a command reads them.
const REPLACED_MAX: usize = 16;

fn answer_retrying(core: &Core, log: &Arc<Log>, command: &Command) -> Result<Reply, StoreError> {
    for _ in 0..REPLACED_MAX {
        let version = log.lock().version;
        let answer = answer(core, log, command.clone());
        let is_gone = matches!(&answer, Err(error) if error.code == "ENOENT");
        if !is_gone {
            return answer;
        }
        // Once whoever renames is done, another version of the log is there to be read, or not.
        drop(log.hold_segment_files());
        if log.lock().version == version {
            break;
        }
    }
    answer(core, log, command.clone())
}

fn answer(core: &Core, log: &Arc<Log>, command: Command) -> Result<Reply, StoreError> {
    match command {
        Command::FindTimestamp {
            timestamp, limit, ..
        } => lookup::find_timestamp(core, log, timestamp, limit),
        Command::FindMaxTimestamp { limit, .. } => lookup::find_max_timestamp(core, log, limit),
        Command::ReadHeaders { from, rows_max, .. } => {
            lookup::read_headers(core, log, from, rows_max)
        }
        Command::Read {
            from, bytes_max, ..
        } => lookup::read(core, log, from, bytes_max),
        Command::Segments { .. } => lookup::segments(core, log),
        other => Err(StoreError::new("INVALID", format!("{other:?} is no read"))),
    }
}
