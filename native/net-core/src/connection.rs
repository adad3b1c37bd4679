//! The part of a connection that only its reactor sees.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};

use crate::output::Chunk;
use crate::reader::Reader;
use crate::slots::{Seat, owner_of};

/// An outbound connection on its way.
pub(crate) struct Connecting {
    pub(crate) socket: OwnedFd,
    /// Where it is being made to, and where else it can be.
    pub(crate) address: SocketAddr,
    pub(crate) others: VecDeque<SocketAddr>,
    pub(crate) deadline: u64,
}

pub(crate) struct Connection {
    pub(crate) seat: Seat,
    pub(crate) raw: RawFd,
    pub(crate) outbound: bool,
    /// The listener it came by, or the caller's id of an outbound one.
    pub(crate) listener_id: u32,
    /// `Some` until it stands.
    pub(crate) connecting: Option<Connecting>,
    pub(crate) reader: Reader,
    /// Chunks taken from the slot's output, being sent.
    pub(crate) out: VecDeque<Chunk>,
    /// Frames received.
    pub(crate) sequence: u32,

    /// The socket may have something to receive; the peer will send no more.
    pub(crate) readable: bool,
    pub(crate) ended: bool,
    pub(crate) broken: bool,
    /// The reactor is asked to send; the socket took no more, since this time.
    pub(crate) flush: bool,
    pub(crate) blocked_since: Option<u64>,
    /// Bytes that the kernel still held for the peer when we looked last.
    pub(crate) unsent: i32,
    /// On the reactor's list of connections to visit.
    pub(crate) queued: bool,
    /// In the arena's queue for memory.
    pub(crate) waiting: bool,
    /// Not read before this time; and whether a timer is set for it.
    pub(crate) muted_until: u64,
    pub(crate) mute_timer: bool,
    /// Closed as soon as everything in order is sent, at the latest at this time.
    pub(crate) closing_deadline: Option<u64>,

    pub(crate) received_at: u64,
    /// When the peer last did something, or was owed something by us.
    pub(crate) active_at: u64,
    /// How long the frame with sequence `partial_of` has been coming in, without the time in
    /// which we did not read.
    pub(crate) partial_ms: u64,
    pub(crate) partial_of: u32,
}

impl Connection {
    pub(crate) fn new(seat: Seat, raw: RawFd, outbound: bool, listener_id: u32, now: u64) -> Self {
        Self {
            seat,
            raw,
            outbound,
            listener_id,
            connecting: None,
            reader: Reader::default(),
            out: VecDeque::new(),
            sequence: 0,
            readable: false,
            ended: false,
            broken: false,
            flush: false,
            blocked_since: None,
            unsent: 0,
            queued: false,
            waiting: false,
            muted_until: 0,
            mute_timer: false,
            closing_deadline: None,
            received_at: now,
            active_at: now,
            partial_ms: 0,
            partial_of: 0,
        }
    }

    /// What its arena runs are charged to, and its token with the poller.
    pub(crate) fn owner(&self) -> u64 {
        owner_of(self.seat.slot, self.seat.generation)
    }
}
