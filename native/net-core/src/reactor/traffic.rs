//! Receiving and sending on connections that stand.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Reactor;
use crate::connection::Connection;
use crate::output::{Sent, send_chunks};
use crate::reader::{Frame, Room, Rules, read_bytes};
use crate::rows::{CloseReason, EventRow};
use crate::sys::{self, Moved};

/// Bytes that one connection may move in one visit before others have their turn.
const RECEIVE_BUDGET: u64 = 512 * 1024;
const SEND_BUDGET: u64 = 4 << 20;

impl Reactor {
    /// Does for a connection what can be done now.
    pub(super) fn visit(&mut self, slot: u32) {
        let Some(mut connection) = self.connections[slot as usize].take() else {
            return;
        };
        connection.queued = false;
        if connection.connecting.is_some() {
            self.connections[slot as usize] = self.check_connect(connection);
            return;
        }
        match self.work(&mut connection) {
            Ok(more) => {
                self.connections[slot as usize] = Some(connection);
                if more {
                    self.enqueue(slot);
                }
            }
            Err(reason) => self.close(connection, reason),
        }
    }

    /// Sends for all connections that were asked to, and leaves the rest on the queue.
    pub(super) fn visit_flushes(&mut self) {
        for _ in 0..self.queue.len() {
            let Some(slot) = self.queue.pop_front() else {
                return;
            };
            let flush = self.connections[slot as usize]
                .as_deref()
                .is_some_and(|c| c.flush);
            if flush {
                self.visit(slot);
            } else {
                self.queue.push_back(slot);
            }
        }
    }

    /// Returns whether there is more to do at once.
    fn work(&mut self, connection: &mut Connection) -> Result<bool, CloseReason> {
        let mut more = false;
        if connection.flush {
            more |= self.send(connection)?;
        }
        let ending = connection.closing_deadline.is_some() || self.stopping.is_some();
        if connection.broken && ending {
            return Err(CloseReason::Peer);
        }
        if connection.closing_deadline.is_some() {
            return Ok(more);
        }
        if self.stopping.is_some() {
            return if self.is_settled(connection) {
                Err(CloseReason::Shutdown)
            } else {
                Ok(more)
            };
        }
        if connection.readable && !self.ring_full {
            more |= self.receive(connection)?;
        } else if connection.readable {
            more = true;
        }
        Ok(more)
    }

    /// Sends what is in order. Returns whether it stopped because of its budget.
    fn send(&mut self, connection: &mut Connection) -> Result<bool, CloseReason> {
        let shared = Arc::clone(&self.shared);
        let slot = &shared.slots[connection.seat.slot as usize];
        connection.flush = false;
        let mut moved = 0;
        let sent = loop {
            if connection.out.is_empty() {
                connection.out = slot.lock().take_ready();
                if connection.out.is_empty() {
                    break Sent::All;
                }
            }
            match send_chunks(connection.raw, &mut connection.out, SEND_BUDGET, &mut moved) {
                Sent::All => {}
                sent => break sent,
            }
        };
        if moved > 0 {
            connection.active_at = self.now;
            connection.blocked_since = None;
            slot.output_bytes.fetch_sub(moved, Ordering::SeqCst);
            shared
                .counters
                .sent_bytes
                .fetch_add(moved, Ordering::Relaxed);
        }
        match sent {
            Sent::All => {
                connection.blocked_since = None;
                if connection.closing_deadline.is_some() {
                    return Err(CloseReason::Requested);
                }
                Ok(false)
            }
            Sent::Some => {
                connection.flush = true;
                Ok(true)
            }
            Sent::Blocked => {
                connection.blocked_since.get_or_insert(self.now);
                Ok(false)
            }
            Sent::Failed(reason) => Err(reason),
        }
    }

    /// Receives while there is room. Returns whether it stopped because of its budget.
    fn receive(&mut self, connection: &mut Connection) -> Result<bool, CloseReason> {
        let shared = Arc::clone(&self.shared);
        let arena = &shared.arena;
        let owner = connection.owner();
        let mut received = 0;
        let result = loop {
            if self.is_held(connection) {
                // Nobody is left to resume it for, and what it still sends is lost anyway.
                break if connection.broken {
                    Err(CloseReason::Peer)
                } else {
                    Ok(false)
                };
            }
            if received >= RECEIVE_BUDGET {
                break Ok(true);
            }
            let rules = self.rules(connection);
            let (moved, asked, prefix) = match connection.reader.room(arena, owner, &rules) {
                Room::Wanted(_) => {
                    self.want_memory(connection);
                    continue;
                }
                Room::Prefix => {
                    let room = connection.reader.prefix_room();
                    let asked = room.len();
                    // SAFETY: the reader's own bytes.
                    let moved = unsafe { sys::receive(connection.raw, room.as_mut_ptr(), asked) };
                    (moved, asked, true)
                }
                Room::Arena { offset, length } => {
                    let asked = length as usize;
                    assert!(
                        offset as usize + asked <= arena.len(),
                        "receiving outside the arena"
                    );
                    // SAFETY: the rest of a run that this connection's reader holds; nobody else
                    // looks at it before its frame is complete.
                    let moved = unsafe {
                        let to = arena.base_ptr().add(offset as usize);
                        sys::receive(connection.raw, to, asked)
                    };
                    (moved, asked, false)
                }
            };
            match moved {
                Moved::Bytes(0) => break Err(CloseReason::Peer),
                Moved::Bytes(count) => {
                    received += count as u64;
                    if let Err(reason) = self.parse(connection, count as u32, prefix, &rules) {
                        break Err(reason);
                    }
                    // A short count means that the socket is empty; the next bytes are an edge.
                    connection.readable = count == asked || connection.ended || connection.broken;
                }
                Moved::Blocked => connection.readable = false,
                Moved::Failed(libc::ECONNRESET | libc::ETIMEDOUT) => break Err(CloseReason::Peer),
                Moved::Failed(_) => break Err(CloseReason::Io),
            }
            if !connection.readable {
                connection.reader.drained(arena);
                break Ok(false);
            }
        };
        if received > 0 {
            connection.received_at = self.now;
            connection.active_at = self.now;
            self.tick_bytes += received;
            self.unflushed_bytes += received;
            shared
                .counters
                .received_bytes
                .fetch_add(received, Ordering::Relaxed);
        }
        result
    }

    pub(super) fn rules(&self, connection: &Connection) -> Rules {
        let slot = &self.shared.slots[connection.seat.slot as usize];
        Rules {
            frame_bytes_max: slot.frame_limit.load(Ordering::Relaxed),
            outbound: connection.outbound,
            run_bytes_max: self.shared.options.connection_quota_bytes / 2,
        }
    }

    /// Hands received bytes to the reader and makes events of the frames that are complete.
    fn parse(
        &mut self,
        connection: &mut Connection,
        count: u32,
        prefix: bool,
        rules: &Rules,
    ) -> Result<(), CloseReason> {
        let shared = Arc::clone(&self.shared);
        let arena = &shared.arena;
        let owner = connection.owner();
        if prefix {
            return connection
                .reader
                .prefix_received(count, arena, owner, rules);
        }
        let slot = &shared.slots[connection.seat.slot as usize];
        let Connection {
            seat,
            outbound,
            sequence,
            reader,
            ..
        } = connection;
        reader.received(count, arena, owner, rules, |frame: Frame| {
            slot.charge(frame.length + crate::reader::PREFIX_BYTES);
            let (api, correlation_id) = if *outbound {
                (0, read_word(arena, frame.offset))
            } else {
                slot.unanswered.fetch_add(1, Ordering::SeqCst);
                (
                    read_word(arena, frame.offset),
                    read_word(arena, frame.offset + 4),
                )
            };
            self.events.push(EventRow::frame(
                seat.slot,
                seat.generation,
                frame.offset,
                frame.length,
                api,
                correlation_id,
                *sequence,
            ));
            *sequence = sequence.wrapping_add(1);
        })
    }

    /// Whether a connection may not be read now. If somebody else can change that, they were told
    /// to say so.
    pub(super) fn is_held(&self, connection: &Connection) -> bool {
        if connection.waiting || connection.muted_until > self.now {
            return true;
        }
        let slot = &self.shared.slots[connection.seat.slot as usize];
        let options = &self.shared.options;
        let is_over = || {
            slot.held_bytes() >= options.connection_quota_bytes
                || slot.output_bytes.load(Ordering::SeqCst) >= options.output_quota_bytes.into()
                || slot.unanswered.load(Ordering::SeqCst) >= options.unanswered_max
        };
        if is_over() {
            slot.stalled.store(true, Ordering::SeqCst);
            if is_over() {
                return true;
            }
        }
        // While it ends, a connection is told of every answer.
        slot.stalled
            .store(self.stopping.is_some(), Ordering::SeqCst);
        false
    }
}

/// Four bytes as on the wire.
fn read_word(arena: &crate::arena::Arena, offset: u32) -> u32 {
    let mut bytes = [0; 4];
    read_bytes(arena, offset, &mut bytes);
    u32::from_be_bytes(bytes)
}
