//! Connections that wait for memory of the arena.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Reactor;
use crate::connection::Connection;
use crate::reader::Room;

/// Who waits, and what was done about it.
#[derive(Default)]
pub(super) struct Waiting {
    /// First come first.
    pub(super) owners: VecDeque<u64>,
    /// In this turn all connections gave back what they do not need.
    rested: bool,
}

impl Reactor {
    /// Queues a connection for arena memory, then tries at once.
    pub(super) fn want_memory(&mut self, connection: &mut Connection) {
        let shared = Arc::clone(&self.shared);
        let arena = &shared.arena;
        arena.wait(connection.owner());
        connection.waiting = true;
        self.waiting.owners.push_back(connection.owner());
        self.mailbox().wants_memory.store(true, Ordering::SeqCst);
        // Once in a turn: with thousands that wait, each looking at all would take the whole turn.
        if !std::mem::replace(&mut self.waiting.rested, true) {
            for other in self.connections.iter_mut().flatten() {
                other.reader.rest(arena);
            }
        }
        if !self.grant(connection) {
            let waits = &shared.counters.memory_waits;
            waits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns whether it got what it waits for.
    fn grant(&mut self, connection: &mut Connection) -> bool {
        let shared = Arc::clone(&self.shared);
        let arena = &shared.arena;
        let owner = connection.owner();
        let rules = self.rules(connection);
        let Room::Wanted(bytes) = connection.reader.room(arena, owner, &rules) else {
            unreachable!("a connection waits for memory that it does not want");
        };
        let Some(run) = arena.take_run_waiting(bytes as usize, owner) else {
            return false;
        };
        connection.reader.granted(arena, run);
        connection.waiting = false;
        self.forget_waiting(owner);
        true
    }

    /// Gives memory that came free to the connections that wait for it, first come first.
    pub(super) fn serve_waiting(&mut self) {
        self.waiting.rested = false;
        if !self.mailbox().memory_freed.swap(false, Ordering::SeqCst) {
            return;
        }
        let owners: Vec<u64> = self.waiting.owners.iter().copied().collect();
        let mut failed = 0;
        for owner in owners {
            let slot = owner as u32;
            let Some(mut connection) = self.connections[slot as usize].take() else {
                continue;
            };
            if self.grant(&mut connection) {
                failed = 0;
            } else {
                failed += 1;
            }
            self.connections[slot as usize] = Some(connection);
            self.enqueue(slot);
            // Whoever comes behind finds no more than these did, but for small differences.
            if failed == 4 {
                return;
            }
        }
    }

    pub(super) fn stop_waiting(&mut self, connection: &Connection) {
        self.forget_waiting(connection.owner());
        self.shared.arena.stop_waiting(connection.owner());
    }

    fn forget_waiting(&mut self, owner: u64) {
        let owners = &mut self.waiting.owners;
        if owners.front() == Some(&owner) {
            owners.pop_front();
        } else {
            owners.retain(|waiting| *waiting != owner);
        }
        self.mailbox()
            .wants_memory
            .store(!self.waiting.owners.is_empty(), Ordering::SeqCst);
    }
}
