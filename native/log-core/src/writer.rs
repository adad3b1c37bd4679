//! The writer thread: takes queued rows and commands in order, groups rows by log, writes them.
//!
//! It is the only one that changes which bytes a log has. Everything of a log happens in the
//! order of the queue: rows that wait are written before a command on their log is carried out.

mod queue;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::api::{AppendRow, Event, LogId, StoreCode};
use crate::append::Fault;
use crate::core::Core;
use crate::flush::Dirty;
use crate::log::{Log, Status};
use crate::space::{Admission, METADATA_TOPIC};

pub use queue::{Item, WriteQueue};

/// Bytes that are collected before they are written, so that memory comes back steadily.
const PASS_BYTES_MAX: u64 = 8 << 20;

/// A row with its number in the queue.
pub(crate) struct Row {
    pub row: AppendRow,
    pub number: u64,
}

struct LogRows {
    log: Arc<Log>,
    rows: Vec<Row>,
}

pub(crate) struct Writer<'a> {
    pub core: &'a Core,
    pending: Vec<LogRows>,
    by_log: HashMap<LogId, usize>,
    pending_bytes: u64,
    /// Vectors that held rows, to be used again.
    spare: Vec<Vec<Row>>,
    /// Logs that rows named and that are not open: reported once for each pass.
    unknown: Vec<LogId>,
    pub dirty: Vec<Dirty>,
}

/// The writer thread. Returns the request that closed the store, or None where it was abandoned.
pub fn run(core: &Core) -> Option<u64> {
    let mut writer = Writer {
        core,
        pending: Vec::new(),
        by_log: HashMap::new(),
        pending_bytes: 0,
        spare: Vec::new(),
        unknown: Vec::new(),
        dirty: Vec::new(),
    };
    let mut spare = VecDeque::new();
    loop {
        let mut taken = core.queue.take(spare)?;
        if taken.bytes > 0 {
            core.space.about_to_write(taken.bytes, taken.next_row);
        }
        let mut number = taken.first_row;
        let mut closing = None;
        for item in taken.items.drain(..) {
            match item {
                Item::Append(row) => {
                    writer.collect(row, number);
                    number += 1;
                }
                Item::Command {
                    request,
                    log,
                    command,
                } => {
                    writer.write_log(log);
                    writer.execute(request, log, command);
                }
                Item::Open { request, specs } => {
                    writer.write_all();
                    core.opens.push(core, request, specs);
                }
                Item::Close { request } => closing = Some(request),
            }
        }
        writer.write_all();
        if let Some(since) = taken.since {
            core.totals.append_micros.observe_micros(since.elapsed());
        }
        if let Some(request) = closing {
            return Some(request);
        }
        spare = taken.items;
    }
}

impl Writer<'_> {
    fn collect(&mut self, mut row: AppendRow, number: u64) {
        let id = row.log;
        let bytes = row.payload.bytes_mut().len() as u64;
        let index = match self.by_log.get(&id) {
            Some(index) => *index,
            None => {
                let Some(log) = self.core.log(id) else {
                    if !self.unknown.contains(&id) {
                        self.unknown.push(id);
                        self.refuse_unknown(id);
                    }
                    return;
                };
                let index = self.pending.len();
                let rows = self.spare.pop().unwrap_or_default();
                self.pending.push(LogRows { log, rows });
                self.by_log.insert(id, index);
                index
            }
        };
        self.pending[index].rows.push(Row { row, number });
        self.pending_bytes += bytes;
        if self.pending_bytes > PASS_BYTES_MAX {
            self.write_all();
        }
    }

    fn refuse_unknown(&self, log: LogId) {
        let detail = format!("log {log} is not open");
        self.core.sink.event(Event::LogFailed {
            log,
            code: StoreCode::Closed,
            offset: -1,
            detail,
        });
    }

    /// Writes what waits for one log, before a command on it.
    fn write_log(&mut self, id: LogId) {
        if let Some(index) = self.by_log.get(&id).copied() {
            let log = Arc::clone(&self.pending[index].log);
            let mut rows = std::mem::take(&mut self.pending[index].rows);
            self.write_admitted(&log, &mut rows);
            self.pending[index].rows = rows;
        }
    }

    /// Writes all that waits, hands it to the flusher and rings the bell.
    pub fn write_all(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        self.by_log.clear();
        self.pending_bytes = 0;
        for LogRows { log, mut rows } in pending.drain(..) {
            self.write_admitted(&log, &mut rows);
            self.spare.push(rows);
        }
        self.spare.truncate(256);
        self.pending = pending;
        self.unknown.clear();
        self.hand_over();
        self.core.sink.burst_end();
    }

    pub fn hand_over(&mut self) {
        self.core.flush.hand_over(&mut self.dirty);
    }

    /// Waits until what was written is durable, or never will be.
    pub fn barrier(&mut self) {
        self.hand_over();
        self.core.flush.barrier();
    }

    fn write_admitted(&mut self, log: &Arc<Log>, rows: &mut Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        let status = log.lock().status;
        match (status, self.core.fault()) {
            (Status::Online, None) => self.write_online(log, rows),
            (Status::Online, Some(code)) => {
                let detail = "the data directory failed; nothing is appended to it".to_owned();
                self.core.fail_log(log, code, detail);
            }
            (Status::Offline(code), _) => self.refuse(log, code),
            (Status::Removed, _) => self.refuse(log, StoreCode::Closed),
        }
        // Gives the memory of written and of refused rows back.
        rows.clear();
    }

    /// Rows that met a log which had failed before: whoever sent them may not have known.
    fn refuse(&self, log: &Log, code: StoreCode) {
        let (log, offset) = (log.id, log.written_end());
        let detail = "the log is offline until it is opened again".to_owned();
        self.core.sink.event(Event::LogFailed {
            log,
            code,
            offset,
            detail,
        });
    }

    fn write_online(&mut self, log: &Arc<Log>, rows: &mut Vec<Row>) {
        let is_metadata = &*log.topic == METADATA_TOPIC;
        let space = &self.core.space;
        let refused = rows
            .iter()
            .position(|row| !is_metadata && space.admit(row.number) == Admission::Refuse);
        if let Some(refused) = refused {
            rows.truncate(refused);
        }
        let written = if rows.is_empty() {
            Ok(())
        } else {
            self.write_rows(log, rows)
        };
        let fault = match written {
            Err(fault) => fault,
            Ok(()) if refused.is_some() => Fault {
                code: StoreCode::LowSpace,
                detail: "free space is below its floor".to_owned(),
            },
            Ok(()) => return,
        };
        // What was written before the fault is told to be durable before the fault is told.
        self.barrier();
        self.core.fail_log(log, fault.code, fault.detail);
    }
}
