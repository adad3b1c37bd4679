//! What waits for the writer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::api::{AppendRow, Command, LogId, LogSpec};

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

pub(super) struct Taken {
    pub items: VecDeque<Item>,
    /// Number of the first row among `items`, and of the first that is not.
    pub first_row: u64,
    pub next_row: u64,
    pub bytes: u64,
    pub since: Option<Instant>,
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
    pub(super) fn take(&self, spare: VecDeque<Item>) -> Option<Taken> {
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
