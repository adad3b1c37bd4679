//! Events from many threads to one consumer: a bounded ring of rows with one doorbell.
//!
//! The doorbell is rung when rows arrive while it is armed, which disarms it; a `drain` that
//! empties the ring arms it again. So the consumer is called once per burst, and never misses one.
//! A mutex, since a whole tick's rows go in with one lock: it is not where the time goes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use crate::rows::EventRow;

/// Rows of a ring unless told otherwise (2 MiB).
pub const DEFAULT_ROWS: usize = 64 * 1024;

type Call = Arc<dyn Fn() + Send + Sync>;

struct State {
    rows: VecDeque<EventRow>,
    armed: bool,
    /// Threads in `push` that wait for space.
    blocked: usize,
    /// A `try_push_all` left rows over: its caller wants to hear about space.
    starved: bool,
}

/// See the module. Share it as `Arc<Ring>`.
pub struct Ring {
    state: Mutex<State>,
    space: Condvar,
    bell: RwLock<Option<Call>>,
    on_space: RwLock<Option<Call>>,
    capacity: usize,
}

impl Ring {
    /// A ring of `capacity` rows, at least 8. One eighth of it is kept for [`Ring::push`].
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(8);
        let rows = VecDeque::with_capacity(capacity);
        Self {
            state: Mutex::new(State {
                rows,
                armed: true,
                blocked: 0,
                starved: false,
            }),
            space: Condvar::new(),
            bell: RwLock::new(None),
            on_space: RwLock::new(None),
            capacity,
        }
    }

    /// Names the doorbell, replacing an earlier one, and rings it if rows are waiting already.
    /// It is called on the pushing thread, with no lock held that `drain` needs.
    pub fn set_bell(&self, bell: impl Fn() + Send + Sync + 'static) {
        *self.bell.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(bell));
        let mut state = self.lock();
        let waiting = !state.rows.is_empty();
        state.armed &= !waiting;
        drop(state);
        if waiting {
            call(&self.bell);
        }
    }

    /// Adds a row and waits while the ring is full: nothing is ever lost. For the log store's
    /// threads. Never call it on the consumer's thread, nor with a lock held that the consumer
    /// may want: it would wait for itself.
    pub fn push(&self, row: EventRow) {
        self.push_all(&[row]);
    }

    /// As [`Ring::push`], several rows with one lock and at most one bell.
    pub fn push_all(&self, rows: &[EventRow]) {
        let mut left = rows;
        while !left.is_empty() {
            let mut state = self.lock();
            while state.rows.len() == self.capacity {
                state.blocked += 1;
                state = self
                    .space
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.blocked -= 1;
            }
            let fits = left.len().min(self.capacity - state.rows.len());
            state.rows.extend(&left[..fits]);
            left = &left[fits..];
            self.ring(state);
        }
    }

    /// As [`Ring::push`], but rings no bell: for rows that can wait until something else happens.
    pub fn push_quietly(&self, row: EventRow) {
        let mut state = self.lock();
        if state.rows.len() < self.capacity {
            state.rows.push_back(row);
        } else {
            drop(state);
            self.push(row);
        }
    }

    /// Adds as many rows as fit below the share kept for `push`, in order; returns how many. For
    /// the reactor, which stops reading sockets while rows are left over and is told when there
    /// is space again.
    pub fn try_push_all(&self, rows: &[EventRow]) -> usize {
        if rows.is_empty() {
            return 0;
        }
        let mut state = self.lock();
        let limit = self.capacity - self.capacity / 8;
        let fits = rows.len().min(limit.saturating_sub(state.rows.len()));
        state.starved |= fits < rows.len();
        if fits == 0 {
            return 0;
        }
        state.rows.extend(&rows[..fits]);
        self.ring(state);
        fits
    }

    /// Moves rows, oldest first, into `out`; returns how many. A return below `out.len()` means
    /// that none are left, and arms the bell. One consumer only.
    pub fn drain(&self, out: &mut [EventRow]) -> usize {
        let mut state = self.lock();
        let count = out.len().min(state.rows.len());
        for (to, from) in out.iter_mut().zip(state.rows.drain(..count)) {
            *to = from;
        }
        if count < out.len() {
            state.armed = true;
        }
        let blocked = state.blocked != 0 && count != 0;
        let starved = state.starved && count != 0;
        state.starved &= !starved;
        drop(state);
        if blocked {
            self.space.notify_all();
        }
        if starved {
            call(&self.on_space);
        }
        count
    }

    /// Names what is called, on the consumer's thread, when there is space again after
    /// `try_push_all` left rows over. `None` takes it back.
    pub(crate) fn set_on_space(&self, on_space: Option<Call>) {
        *self
            .on_space
            .write()
            .unwrap_or_else(PoisonError::into_inner) = on_space;
    }

    fn ring(&self, mut state: MutexGuard<'_, State>) {
        let armed = std::mem::replace(&mut state.armed, false);
        drop(state);
        if armed {
            call(&self.bell);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn call(slot: &RwLock<Option<Call>>) {
    let target = slot.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(target) = target {
        target();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn whoever_found_no_room_hears_of_it_once() {
        let ring = Ring::new(16);
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        ring.set_on_space(Some(Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        })));
        let mut table = [EventRow::default(); 4];
        let rows = [EventRow::default(); 20];
        ring.try_push_all(&rows[..14]);
        ring.drain(&mut table);
        assert_eq!(calls.load(Ordering::SeqCst), 0, "everything had room");
        assert_eq!(ring.try_push_all(&rows[..5]), 4);
        for expected in [1, 1] {
            ring.drain(&mut table);
            assert_eq!(calls.load(Ordering::SeqCst), expected);
        }
    }
}
