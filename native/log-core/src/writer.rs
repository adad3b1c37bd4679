//! The writer thread: takes queued rows and commands in order, groups rows by log, writes them.
//!
//! It is the only one that changes which bytes a log has. Everything of a log happens in the
//! order of the queue: rows that wait are written before a command on their log is carried out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::api::{AppendRow, Command, Event, LogId, LogSpec, StoreCode};
use crate::append::Fault;
use crate::core::Core;
use crate::flush::Dirty;
use crate::log::{Log, Status};
use crate::space::{Admission, METADATA_TOPIC};

/// Bytes that are collected before they are written, so that memory comes back steadily.
const PASS_BYTES_MAX: u64 = 8 << 20;

pub enum Item {
    Append(AppendRow),
    Command {
        request: u64,
        log: LogId,
        command: Command,
    },
    /// Opens logs, behind everything that was queued before.
    Open {
        request: u64,
        specs: Vec<LogSpec>,
    },
    /// Everything before it has been carried out: ends the thread.
    Close {
        request: u64,
    },
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Rows ever queued: numbers the next one.
    rows: u64,
    bytes: u64,
    /// When the oldest row that waits was queued.
    since: Option<Instant>,
    writer_waits: bool,
    closed: bool,
    abandoned: bool,
}

#[derive(Default)]
pub struct WriteQueue {
    queue: Mutex<Queue>,
    work: Condvar,
}

struct Taken {
    items: VecDeque<Item>,
    /// Number of the first row among `items`, and of the first that is not.
    first_row: u64,
    next_row: u64,
    bytes: u64,
    since: Option<Instant>,
}

impl WriteQueue {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all rows over. False where the store is closed: the rows are left.
    pub fn append(&self, rows: &mut Vec<AppendRow>) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            return false;
        }
        queue.rows += rows.len() as u64;
        if queue.since.is_none() && !rows.is_empty() {
            queue.since = Some(Instant::now());
        }
        for mut row in rows.drain(..) {
            queue.bytes += row.payload.bytes_mut().len() as u64;
            queue.items.push_back(Item::Append(row));
        }
        self.wake(queue);
        true
    }

    /// Gives the item back where the store is closed.
    pub fn push(&self, item: Item) -> Result<(), Item> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(item);
        }
        queue.closed = matches!(item, Item::Close { .. });
        queue.items.push_back(item);
        self.wake(queue);
        Ok(())
    }

    /// Drops what waits and ends the thread.
    pub fn abandon(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.abandoned = true;
        let items = std::mem::take(&mut queue.items);
        self.wake(queue);
        // Payloads may call back into their owner when they are dropped.
        drop(items);
    }

    fn wake(&self, queue: MutexGuard<'_, Queue>) {
        let waits = queue.writer_waits;
        drop(queue);
        if waits {
            self.work.notify_one();
        }
    }

    /// None: the store was abandoned.
    fn take(&self, spare: VecDeque<Item>) -> Option<Taken> {
        let mut queue = self.lock();
        while queue.items.is_empty() {
            if queue.abandoned {
                return None;
            }
            queue.writer_waits = true;
            queue = self
                .work
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        queue.writer_waits = false;
        let items = std::mem::replace(&mut queue.items, spare);
        let count = items
            .iter()
            .filter(|item| matches!(item, Item::Append(_)))
            .count() as u64;
        let bytes = std::mem::take(&mut queue.bytes);
        let since = queue.since.take();
        Some(Taken {
            items,
            first_row: queue.rows - count,
            next_row: queue.rows,
            bytes,
            since,
        })
    }
}

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
