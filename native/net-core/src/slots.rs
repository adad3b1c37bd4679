//! The part of a connection that several threads see, and who may have one.
//!
//! A slot's number and generation name a connection. The thread that submits plans and the
//! reactor that owns the connection meet in `Slot::output`; the counters beside it are how they
//! tell each other, without the lock, whether the connection may be read on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::network::ConnectionInfo;
use crate::output::Output;

/// What a reactor is asked to do about a slot: bits of `Slot::signals`.
pub(crate) mod signal {
    /// Send what is queued.
    pub(crate) const FLUSH: u32 = 1;
    /// A reason not to read may be gone.
    pub(crate) const RESUME: u32 = 2;
    /// Look at `Output::closing` and `Output::muted_until`.
    pub(crate) const LOOK: u32 = 4;
}

/// Names a connection in one number: what its arena runs are charged to, and its poll token.
pub(crate) const fn owner_of(slot: u32, generation: u32) -> u64 {
    (generation as u64) << 32 | slot as u64
}

pub(crate) fn split_owner(owner: u64) -> (u32, u32) {
    (owner as u32, (owner >> 32) as u32)
}

#[derive(Default)]
pub(crate) struct Slot {
    /// Generation in the high half; in the low one the frame bytes that it has not released.
    account: AtomicU64,
    /// Frames that have no answer yet.
    pub(crate) unanswered: AtomicU32,
    /// Bytes of answers that are not sent, in order or not.
    pub(crate) output_bytes: AtomicU64,
    pub(crate) frame_limit: AtomicU32,
    /// Set while the connection is not read for a reason that somebody else can lift. Whoever
    /// lifts one looks here *afterwards*; the reactor sets it *before* it looks at the reasons.
    pub(crate) stalled: AtomicBool,
    /// The reactor that owns the connection.
    pub(crate) reactor: AtomicU32,
    pub(crate) signals: AtomicU32,
    output: Mutex<Output>,
}

impl Slot {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a generation's account.
    pub(crate) fn open_account(&self, generation: u32) {
        self.account
            .store(u64::from(generation) << 32, Ordering::SeqCst);
        self.unanswered.store(0, Ordering::SeqCst);
        self.output_bytes.store(0, Ordering::SeqCst);
        self.stalled.store(false, Ordering::SeqCst);
    }

    pub(crate) fn held_bytes(&self) -> u32 {
        self.account.load(Ordering::SeqCst) as u32
    }

    pub(crate) fn charge(&self, bytes: u32) {
        self.account.fetch_add(u64::from(bytes), Ordering::SeqCst);
    }

    /// Takes back a charge, unless the generation is over.
    pub(crate) fn credit(&self, generation: u32, bytes: u32) {
        let _ = self
            .account
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |account| {
                let current = (account >> 32) as u32 == generation;
                current.then(|| account - u64::from(bytes))
            });
    }
}

/// Which slots are free, and how many connections there are of each kind.
pub(crate) struct Admission {
    inner: Mutex<Tally>,
    inbound_max: u32,
    outbound_max: u32,
    per_ip_max: u32,
}

struct Tally {
    /// Free slots with the generation that each had last. The most recent one is reused first.
    free: Vec<(u32, u32)>,
    /// Slots at and above this were never used.
    fresh: u32,
    inbound: u32,
    outbound: u32,
    per_ip: HashMap<IpAddr, u32>,
}

/// Permission to be a connection; goes back with [`Admission::leave`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    /// The peer that an inbound connection is counted for.
    ip: Option<IpAddr>,
}

impl Admission {
    pub(crate) fn new(inbound_max: u32, outbound_max: u32, per_ip_max: u32) -> Self {
        let inner = Mutex::new(Tally {
            free: Vec::new(),
            fresh: 0,
            inbound: 0,
            outbound: 0,
            per_ip: HashMap::new(),
        });
        Self {
            inner,
            inbound_max,
            outbound_max,
            per_ip_max,
        }
    }

    pub(crate) fn slots_max(&self) -> u32 {
        self.inbound_max + self.outbound_max
    }

    pub(crate) fn enter_inbound(&self, ip: IpAddr) -> Option<Seat> {
        let mut tally = self.lock();
        if tally.inbound >= self.inbound_max {
            return None;
        }
        let of_ip = tally.per_ip.get(&ip).copied().unwrap_or(0);
        if of_ip >= self.per_ip_max {
            return None;
        }
        tally.per_ip.insert(ip, of_ip + 1);
        tally.inbound += 1;
        Some(tally.seat(Some(ip)))
    }

    pub(crate) fn enter_outbound(&self) -> Option<Seat> {
        let mut tally = self.lock();
        if tally.outbound >= self.outbound_max {
            return None;
        }
        tally.outbound += 1;
        Some(tally.seat(None))
    }

    pub(crate) fn leave(&self, seat: Seat) {
        let mut tally = self.lock();
        match seat.ip {
            None => tally.outbound -= 1,
            Some(ip) => {
                tally.inbound -= 1;
                if let Some(count) = tally.per_ip.get_mut(&ip) {
                    *count -= 1;
                    if *count == 0 {
                        tally.per_ip.remove(&ip);
                    }
                }
            }
        }
        tally.free.push((seat.slot, seat.generation));
    }

    /// Connections of both kinds.
    pub(crate) fn count(&self) -> u32 {
        let tally = self.lock();
        tally.inbound + tally.outbound
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn seat(&mut self, ip: Option<IpAddr>) -> Seat {
        let (slot, last) = self.free.pop().unwrap_or_else(|| {
            self.fresh += 1;
            (self.fresh - 1, 0)
        });
        // 0 stands for "none".
        Seat {
            slot,
            generation: last.wrapping_add(1).max(1),
            ip,
        }
    }
}

/// What `describe` tells, kept with the output.
pub(crate) type Peer = Option<ConnectionInfo>;
