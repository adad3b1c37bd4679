//! What waits to be told to TypeScript, and the doorbell.
//!
//! The network's rows wait in its own bounded [`Ring`]. The store's events wait here, unbounded,
//! because they may come on the JavaScript thread, which must not block on itself; they are
//! bounded by what TypeScript has asked for and not yet heard of.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mantou_log_core::{Event, EventSink, Reply, StoreDescription, StoreError};
use mantou_net_core::{EventRow, Ring};
use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

use crate::layout::locate_code;
use crate::pins::Pins;

/// Weak, so that it alone keeps no process alive; never released before its engine.
pub type Bell = ThreadsafeFunction<u32, (), u32, Status, false, true, 0>;

/// The answer of a cold call.
pub enum Answer {
    Reply(Reply),
    Opened(StoreDescription),
    /// Nobody's answer: what the store says in words about an event that follows.
    Words(String),
}

/// The request number of [`Answer::Words`].
const NO_REQUEST: u64 = 0;

/// A cold call that is over.
pub struct Completion {
    pub request: u64,
    pub result: Result<Answer, StoreError>,
}

enum Item {
    Event(Event),
    Completion(Completion),
}

pub struct Outbox {
    items: Mutex<VecDeque<Item>>,
    /// Completions that `drain` has come to, waiting to be fetched.
    completions: Mutex<VecDeque<Completion>>,
    armed: AtomicBool,
    bell: Bell,
}

/// What [`Outbox::drain`] moved.
pub struct Drained {
    pub rows: usize,
    pub has_completions: bool,
}

impl Outbox {
    pub fn new(bell: Bell) -> Outbox {
        Outbox {
            items: Mutex::new(VecDeque::new()),
            completions: Mutex::new(VecDeque::new()),
            armed: AtomicBool::new(true),
            bell,
        }
    }

    /// Rings unless it has rung since the last `drain`.
    pub fn ring(&self) {
        if self.armed.swap(false, Ordering::AcqRel) {
            self.bell.call(0, ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    pub fn complete(&self, completion: Completion) {
        self.items().push_back(Item::Completion(completion));
        self.ring();
    }

    /// Moves what waits into `rows`, the store's events first. Fewer rows than there is room for
    /// mean that nothing is left.
    pub fn drain(&self, rows: &mut [EventRow], ring: &Ring, pins: &Pins) -> Drained {
        // Armed before looking: what arrives behind the look rings again, at worst for nothing.
        self.armed.store(true, Ordering::Release);
        let mut filled = 0;
        let mut items = self.items();
        while filled < rows.len() {
            let Some(item) = items.pop_front() else { break };
            match item {
                Item::Completion(completion) => self.ready().push_back(completion),
                Item::Event(Event::Completed { request, result }) => {
                    let result = result.map(Answer::Reply);
                    self.ready().push_back(Completion { request, result });
                }
                Item::Event(event) => {
                    if let Some(words) = words_of(&event) {
                        let result = Ok(Answer::Words(words));
                        self.ready().push_back(Completion {
                            request: NO_REQUEST,
                            result,
                        });
                    }
                    if let Some(row) = row_of(event, pins) {
                        rows[filled] = row;
                        filled += 1;
                    }
                }
            }
        }
        drop(items);
        if filled < rows.len() {
            filled += ring.drain(&mut rows[filled..]);
        }
        Drained {
            rows: filled,
            has_completions: !self.ready().is_empty(),
        }
    }

    pub fn take_completion(&self) -> Option<Completion> {
        self.ready().pop_front()
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> MutexGuard<'_, VecDeque<Completion>> {
        self.completions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Outbox {
    fn event(&self, event: Event) {
        let mut items = self.items();
        if !merge(&mut items, &event) {
            items.push_back(Item::Event(event));
        }
    }

    fn burst_end(&self) {
        self.ring();
    }
}

/// Events that are looked through for one that a later one makes superfluous.
const MERGED_AMONG: usize = 64;

/// Whether a log's new end went into an event that tells its earlier one and is not read yet.
/// Only ends are passed over on the way there: what else is told keeps its place among them.
fn merge(items: &mut VecDeque<Item>, news: &Event) -> bool {
    let (log, end, is_durable) = match *news {
        Event::Written { log, end_offset } => (log, end_offset, false),
        Event::Durable { log, end_offset } => (log, end_offset, true),
        _ => return false,
    };
    for item in items.iter_mut().rev().take(MERGED_AMONG) {
        let (told, told_end, told_durable) = match item {
            Item::Event(Event::Written { log, end_offset }) => (*log, end_offset, false),
            Item::Event(Event::Durable { log, end_offset }) => (*log, end_offset, true),
            _ => return false,
        };
        if told == log && told_durable == is_durable {
            // A flush from before a log was left to the page cache may end after later writes.
            *told_end = end.max(*told_end);
            return true;
        }
    }
    false
}

/// What a person should read of an event.
fn words_of(event: &Event) -> Option<String> {
    match event {
        Event::LogFailed {
            log,
            code,
            offset,
            detail,
        } => Some(format!("log {log}: {code:?} at offset {offset}: {detail}")),
        Event::StoreState { code, detail } if !detail.is_empty() => {
            Some(format!("data directory: {code:?}: {detail}"))
        }
        _ => None,
    }
}

fn row_of(event: Event, pins: &Pins) -> Option<EventRow> {
    use mantou_log_core::Located;
    Some(match event {
        Event::Written { log, end_offset } => EventRow::written(log, end_offset as u64),
        Event::Durable { log, end_offset } => EventRow::durable(log, end_offset as u64),
        Event::LogFailed {
            log, code, offset, ..
        } => with_value(EventRow::log_failed(log, code as u32), offset as f64),
        Event::StoreState { code, .. } => EventRow::store_state(code as u32),
        Event::Located { log, tag, result } => match result {
            Located::Ready(pin) => {
                let (position, length) = (pin.position, pin.length);
                let pin = pins.add(pin);
                EventRow::located(log, locate_code::OK, tag, position, pin, length)
            }
            other => EventRow::located(log, code_of(&other), tag, 0, 0, 0),
        },
        // Taken out before; it is no row.
        Event::Completed { .. } => return None,
    })
}

/// The `LocateCode` of an answer.
pub fn code_of(located: &mantou_log_core::Located) -> u32 {
    use mantou_log_core::Located;
    match located {
        Located::Ready(_) | Located::Empty => locate_code::OK,
        Located::Pending => locate_code::PENDING,
        Located::OutOfRange => locate_code::OUT_OF_RANGE,
        Located::Corrupt => locate_code::CORRUPT,
        Located::Unavailable => locate_code::UNAVAILABLE,
    }
}

/// Puts a double where log rows have their offset.
fn with_value(mut row: EventRow, value: f64) -> EventRow {
    let bits = value.to_bits();
    let at = crate::layout::event::OFFSET_F64 * 2;
    row.words[at] = bits as u32;
    row.words[at + 1] = (bits >> 32) as u32;
    row
}
