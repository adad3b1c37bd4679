//! What all threads of a network share, and how they wake a reactor.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::arena::{Arena, ArenaObserver};
use crate::network::NetworkOptions;
use crate::ring::Ring;
use crate::slots::{Admission, Seat, Slot, signal, split_owner};
use crate::sys;

/// What a reactor is asked to do beside carrying out plans.
pub(crate) enum Command {
    /// Watch the listener with this index.
    Listen(usize),
    /// Take over a connection that another reactor accepted.
    Adopt {
        socket: OwnedFd,
        seat: Seat,
        peer: SocketAddr,
        listener_id: u32,
        frame_limit: u32,
    },
    /// Connect to the first of these addresses that answers.
    Connect {
        addresses: Vec<SocketAddr>,
        connect_id: u32,
    },
    /// A name did not resolve.
    ConnectFailed { connect_id: u32, errno: i32 },
    /// Send what is owed until the deadline (in the network's milliseconds), then end.
    Stop { deadline: u64, owes: bool },
}

pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) listener_id: u32,
    pub(crate) frame_limit: u32,
}

/// The mailbox of a reactor.
pub(crate) struct Mailbox {
    pub(crate) event: OwnedFd,
    /// The reactor waits, or is about to: whoever adds work raises the event.
    pub(crate) sleeping: AtomicBool,
    /// Slots with signals set.
    pub(crate) signalled: Mutex<Vec<u32>>,
    pub(crate) commands: Mutex<Vec<Command>>,
    /// Some of its connections wait for arena memory; and some came free.
    pub(crate) wants_memory: AtomicBool,
    pub(crate) memory_freed: AtomicBool,
    /// The ring had no room for all of its events; and now has.
    pub(crate) ring_freed: AtomicBool,
}

impl Mailbox {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            event: sys::event_descriptor()?,
            sleeping: AtomicBool::new(false),
            signalled: Mutex::new(Vec::new()),
            commands: Mutex::new(Vec::new()),
            wants_memory: AtomicBool::new(false),
            memory_freed: AtomicBool::new(false),
            ring_freed: AtomicBool::new(false),
        })
    }

    pub(crate) fn command(&self, command: Command) {
        lock(&self.commands).push(command);
        self.wake();
    }

    /// Call it after the work is in place: the reactor announces its sleep before it looks.
    pub(crate) fn wake(&self) {
        if self.sleeping.swap(false, Ordering::SeqCst) {
            sys::raise(&self.event);
        }
    }

    /// Whether there is something to do. Only meaningful to the reactor itself.
    pub(crate) fn has_work(&self) -> bool {
        self.memory_freed.load(Ordering::SeqCst)
            || self.ring_freed.load(Ordering::SeqCst)
            || !lock(&self.signalled).is_empty()
            || !lock(&self.commands).is_empty()
    }
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) memory_waits: AtomicU64,
}

pub(crate) struct Shared {
    pub(crate) options: NetworkOptions,
    pub(crate) arena: Arc<Arena>,
    pub(crate) ring: Arc<Ring>,
    pub(crate) slots: Box<[Slot]>,
    pub(crate) admission: Admission,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) listeners: Mutex<Vec<Option<Listener>>>,
    pub(crate) counters: Counters,
    /// Where the next connection goes.
    pub(crate) turn: AtomicU32,
    pub(crate) started: Instant,
}

impl Shared {
    /// Milliseconds since the start.
    pub(crate) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Sets bits of a slot and tells its reactor.
    pub(crate) fn signal(&self, index: u32, bits: u32) {
        let slot = &self.slots[index as usize];
        if slot.signals.fetch_or(bits, Ordering::SeqCst) == 0 {
            let mailbox = &self.mailboxes[slot.reactor.load(Ordering::SeqCst) as usize];
            lock(&mailbox.signalled).push(index);
            mailbox.wake();
        }
    }

    /// The reactor whose turn it is to get a connection.
    pub(crate) fn next_reactor(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) as usize % self.mailboxes.len()
    }

    /// Closes the listening sockets.
    pub(crate) fn stop_accepting(&self) {
        for listener in lock(&self.listeners).iter_mut() {
            *listener = None;
        }
    }

    pub(crate) fn ring_has_space(&self) {
        for mailbox in &self.mailboxes {
            mailbox.ring_freed.store(true, Ordering::SeqCst);
            mailbox.wake();
        }
    }

    /// The limit for frames that the arena can keep.
    pub(crate) fn clamp_frame_limit(&self, bytes: u32) -> u32 {
        let largest = self.arena.largest_run() as u32 - crate::reader::PREFIX_BYTES;
        bytes.min(largest).min(i32::MAX as u32)
    }
}

impl ArenaObserver for Shared {
    fn credit(&self, owner: u64, bytes: u32) {
        let (index, generation) = split_owner(owner);
        let slot = &self.slots[index as usize];
        slot.credit(generation, bytes);
        if slot.stalled.load(Ordering::SeqCst) {
            self.signal(index, signal::RESUME);
        }
    }

    fn freed(&self) {
        for mailbox in &self.mailboxes {
            if mailbox.wants_memory.load(Ordering::SeqCst) {
                mailbox.memory_freed.store(true, Ordering::SeqCst);
                mailbox.wake();
            }
        }
    }
}

/// A lock that a panicking thread cannot poison: such a panic ends the process anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
