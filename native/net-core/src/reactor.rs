//! A reactor thread: waits for its sockets, moves bytes, tells what happened. See the README for
//! what belongs to whom.

mod accept;
mod connect;
mod memory;
mod stopping;
mod timeouts;
mod traffic;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::pace::Pacer;
use crate::poller::{Poller, Readiness, Watch};
use crate::rows::{CloseReason, EventRow};
use crate::shared::{Command, Mailbox, Shared, lock};
use crate::slots::{Seat, owner_of, signal, split_owner};
use crate::sys;

/// Poll tokens with generation 0 are listeners (by index) and this one.
const MAILBOX_TOKEN: u64 = owner_of(u32::MAX, 0);
/// Events and bytes after which the consumer is told in the middle of a tick.
const EVENTS_PER_FLUSH: usize = 64;
const BYTES_PER_FLUSH: u64 = 256 * 1024;
/// What is left over of a connection's last answers when CLOSE comes has this long to go out.
const CLOSING_MS: u64 = 5_000;
/// After a shutdown's deadline, how long its last events may wait for room in the ring.
const LAST_EVENTS_MS: u64 = 1_000;

pub(crate) struct Reactor {
    index: usize,
    shared: Arc<Shared>,
    poller: Box<dyn Poller>,
    /// By slot.
    connections: Vec<Option<Box<Connection>>>,
    live: usize,
    /// Slots of connections to visit.
    queue: VecDeque<u32>,
    /// What happened and is not in the ring yet. While the ring is full nothing is received.
    events: Vec<EventRow>,
    ring_full: bool,
    /// Seats of closed connections, free once their CLOSED is in the ring.
    left: Vec<Seat>,
    waiting: memory::Waiting,
    /// When to look at a connection again.
    timers: BinaryHeap<Reverse<(u64, u64)>>,
    scanned_at: u64,
    trimmed_at: u64,
    now: u64,
    /// Given up to be able to refuse a connection when descriptors run out.
    spare: Option<OwnedFd>,
    readiness: Vec<Readiness>,
    pacer: Pacer,
    /// Bytes received in this tick, and since the consumer was told last.
    tick_bytes: u64,
    unflushed_bytes: u64,
    /// Set by a shutdown: when to close whatever is left.
    stopping: Option<u64>,
    /// Whether requests without an answer may still get one.
    owes: bool,
}

impl Reactor {
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        mut poller: Box<dyn Poller>,
    ) -> std::io::Result<Self> {
        let event = shared.mailboxes[index].event.as_raw_fd();
        poller.add(event, MAILBOX_TOKEN, Watch::Readable)?;
        let slots = shared.slots.len();
        let distance = Duration::from_micros(u64::from(shared.options.tick_us));
        let pacer = Pacer::new(distance, Instant::now());
        Ok(Self {
            index,
            shared,
            poller,
            connections: (0..slots).map(|_| None).collect(),
            live: 0,
            queue: VecDeque::new(),
            events: Vec::new(),
            ring_full: false,
            left: Vec::new(),
            waiting: memory::Waiting::default(),
            timers: BinaryHeap::new(),
            scanned_at: 0,
            trimmed_at: 0,
            now: 0,
            spare: sys::spare_descriptor(),
            readiness: Vec::new(),
            pacer,
            tick_bytes: 0,
            unflushed_bytes: 0,
            stopping: None,
            owes: true,
        })
    }

    /// Runs until it is told to stop and nothing is left.
    pub(crate) fn run(&mut self) {
        sys::block_sigpipe();
        loop {
            let tick = Instant::now();
            self.turn();
            if self.is_done() {
                return;
            }
            self.pace(tick);
            self.wait();
        }
    }

    /// One tick: everything that is known to be possible, once.
    fn turn(&mut self) {
        self.now = self.shared.now_ms();
        self.tick_bytes = 0;
        self.obey();
        self.take_readiness();
        self.take_timers();
        if self.shared.mailboxes[self.index]
            .ring_freed
            .swap(false, Ordering::SeqCst)
        {
            self.flush_events();
        }
        self.serve_waiting();
        for _ in 0..self.queue.len() {
            let Some(slot) = self.queue.pop_front() else {
                break;
            };
            self.visit(slot);
            if self.events.len() >= EVENTS_PER_FLUSH || self.unflushed_bytes >= BYTES_PER_FLUSH {
                self.flush_events();
            }
        }
        self.scan();
        self.flush_events();
    }

    fn is_done(&self) -> bool {
        let Some(deadline) = self.stopping else {
            return false;
        };
        let told = self.events.is_empty() || self.now > deadline + LAST_EVENTS_MS;
        self.live == 0 && told && !self.mailbox().has_work()
    }

    fn mailbox(&self) -> &Mailbox {
        &self.shared.mailboxes[self.index]
    }

    /// Keeps a distance to the next tick where that pays. What others ask for is done meanwhile.
    fn pace(&mut self, tick: Instant) {
        let distance = self.pacer.tick(tick, self.tick_bytes);
        if distance.is_zero() || self.stopping.is_some() {
            return;
        }
        while let Some(left) = distance.checked_sub(tick.elapsed())
            && !left.is_zero()
        {
            let mailbox = self.mailbox();
            mailbox.sleeping.store(true, Ordering::SeqCst);
            if !mailbox.has_work() {
                sys::wait_raised(&mailbox.event, left);
            }
            if !mailbox.sleeping.swap(false, Ordering::SeqCst) {
                sys::lower(&mailbox.event);
            }
            if mailbox.has_work() {
                self.obey();
                self.visit_flushes();
            }
        }
    }

    /// Waits for sockets, mail, timers or the next scan.
    fn wait(&mut self) {
        let mailbox = &self.shared.mailboxes[self.index];
        mailbox.sleeping.store(true, Ordering::SeqCst);
        let busy = mailbox.has_work() || (!self.queue.is_empty() && !self.ring_full);
        let timeout = if busy {
            Some(Duration::ZERO)
        } else {
            self.until_next()
        };
        let result = self.poller.wait(&mut self.readiness, timeout);
        self.shared.mailboxes[self.index]
            .sleeping
            .store(false, Ordering::SeqCst);
        if let Err(error) = result {
            // Nothing can go on without it, and it fails only for a mistake of ours.
            panic!("waiting for sockets failed: {error}");
        }
    }

    /// Carries out commands and signals.
    fn obey(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mailbox = &shared.mailboxes[self.index];
        let commands = std::mem::take(&mut *lock(&mailbox.commands));
        for command in commands {
            self.carry_out(command);
        }
        let signalled = std::mem::take(&mut *lock(&mailbox.signalled));
        for slot in signalled {
            let bits = shared.slots[slot as usize]
                .signals
                .swap(0, Ordering::SeqCst);
            if shared.slots[slot as usize].reactor.load(Ordering::SeqCst) as usize != self.index {
                // The slot has moved to another reactor since it was signalled.
                shared.signal(slot, bits);
                continue;
            }
            self.heed(slot, bits);
        }
    }

    fn heed(&mut self, slot: u32, bits: u32) {
        let Some(connection) = self.connections[slot as usize].as_deref_mut() else {
            return;
        };
        connection.flush |= bits & signal::FLUSH != 0;
        if bits & signal::LOOK != 0 {
            let output = self.shared.slots[slot as usize].lock();
            connection.muted_until = connection.muted_until.max(output.muted_until);
            if output.closing && connection.closing_deadline.is_none() {
                connection.closing_deadline = Some(self.now + CLOSING_MS);
            }
            drop(output);
            if connection.muted_until > self.now && !connection.mute_timer {
                connection.mute_timer = true;
                self.timers
                    .push(Reverse((connection.muted_until, connection.owner())));
            }
            connection.flush |= connection.closing_deadline.is_some();
        }
        self.enqueue(slot);
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Listen(index) => self.watch_listener(index),
            Command::Adopt {
                socket,
                seat,
                peer,
                listener_id,
                frame_limit,
            } => {
                self.adopt(socket, seat, peer, listener_id, frame_limit);
            }
            Command::Connect {
                addresses,
                connect_id,
            } => self.connect(addresses, connect_id),
            Command::ConnectFailed { connect_id, errno } => {
                self.events
                    .push(EventRow::connect_failed(connect_id, errno as u32));
            }
            Command::Stop { deadline, owes } => self.stop(deadline, owes),
        }
    }

    /// Puts what the poller said onto the connections.
    fn take_readiness(&mut self) {
        let mut readiness = std::mem::take(&mut self.readiness);
        for ready in readiness.drain(..) {
            let (slot, generation) = split_owner(ready.token);
            if ready.token == MAILBOX_TOKEN {
                sys::lower(&self.mailbox().event);
                continue;
            }
            if generation == 0 {
                self.accept_some(slot as usize);
                continue;
            }
            let Some(connection) = self.connection_of(ready.token) else {
                continue;
            };
            connection.readable |= ready.readable || ready.broken;
            connection.ended |= ready.ended;
            connection.broken |= ready.broken;
            // Only what the socket refused before waits for this, and a connection on its way.
            let waits = connection.blocked_since.is_some() || connection.connecting.is_some();
            connection.flush |= ready.writable && waits;
            self.enqueue(slot);
        }
        self.readiness = readiness;
    }

    fn connection_of(&mut self, owner: u64) -> Option<&mut Connection> {
        let (slot, generation) = split_owner(owner);
        let connection = self.connections[slot as usize].as_deref_mut()?;
        (connection.seat.generation == generation).then_some(connection)
    }

    fn enqueue(&mut self, slot: u32) {
        if let Some(connection) = self.connections[slot as usize].as_deref_mut()
            && !connection.queued
        {
            connection.queued = true;
            self.queue.push_back(slot);
        }
    }

    /// Moves events to the ring; what does not fit waits, and nothing is received meanwhile.
    fn flush_events(&mut self) {
        let count = self.shared.ring.try_push_all(&self.events);
        self.events.drain(..count);
        self.ring_full = !self.events.is_empty();
        if !self.ring_full {
            self.unflushed_bytes = 0;
            for seat in self.left.drain(..) {
                self.shared.admission.leave(seat);
            }
        }
    }

    /// Ends a connection that was taken out of the table: gives everything back and says so.
    fn close(&mut self, mut connection: Box<Connection>, reason: CloseReason) {
        let Seat {
            slot, generation, ..
        } = connection.seat;
        if connection.connecting.is_some() {
            let errno = if reason == CloseReason::Idle {
                libc::ETIMEDOUT
            } else {
                libc::ESHUTDOWN
            };
            self.fail_connect(*connection, errno);
            return;
        }
        if reason == CloseReason::Requested || reason == CloseReason::Shutdown {
            // Closing with unread bytes resets the connection and may take the answer with it.
            sys::discard(connection.raw, 256 * 1024);
        }
        let output = self.shared.slots[slot as usize].lock().end();
        connection.reader.abandon(&self.shared.arena);
        if connection.waiting {
            self.stop_waiting(&connection);
        }
        self.events.push(EventRow::closed(slot, generation, reason));
        self.left.push(connection.seat);
        self.live -= 1;
        // Files and the socket, with no lock held.
        drop(output);
    }
}
