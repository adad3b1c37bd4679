//! What happens because time passes.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Reactor;
use crate::connection::Connection;
use crate::rows::CloseReason;
use crate::slots::split_owner;
use crate::sys;

/// Longest and shortest distance of two looks at all connections.
const SCAN_MS_MAX: u64 = 1_000;
const SCAN_MS_MIN: u64 = 5;
/// Distance of two attempts to give arena pages back.
const TRIM_MS: u64 = 5_000;
/// While others wait for memory, a begun frame may pause no longer than this.
const PAUSE_MS_MAX: u64 = 2_000;

impl Reactor {
    /// How long nothing needs to be done unless something happens.
    pub(super) fn until_next(&self) -> Option<Duration> {
        let now = self.shared.now_ms();
        let scan = (self.live > 0).then(|| self.scanned_at + self.scan_distance());
        let trim =
            (self.index == 0 && self.shared.arena.may_trim()).then(|| self.trimmed_at + TRIM_MS);
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let next = [scan, trim, timer, self.stopping]
            .into_iter()
            .flatten()
            .min()?;
        Some(Duration::from_millis(next.saturating_sub(now)))
    }

    fn scan_distance(&self) -> u64 {
        let options = &self.shared.options;
        let mut shortest = u64::from(options.frame_timeout_ms);
        if options.idle_timeout_ms > 0 {
            shortest = shortest.min(options.idle_timeout_ms.into());
        }
        (shortest / 4).clamp(SCAN_MS_MIN, SCAN_MS_MAX)
    }

    pub(super) fn take_timers(&mut self) {
        while let Some(Reverse((at, owner))) = self.timers.peek().copied() {
            if at > self.now {
                return;
            }
            self.timers.pop();
            let now = self.now;
            let Some(connection) = self.connection_of(owner) else {
                continue;
            };
            let muted_until = connection.muted_until;
            connection.mute_timer = muted_until > now;
            if muted_until > now {
                self.timers.push(Reverse((muted_until, owner)));
            }
            self.enqueue(split_owner(owner).0);
        }
    }

    /// Looks at every connection, when it is time to.
    pub(super) fn scan(&mut self) {
        if self.index == 0 && self.now - self.trimmed_at >= TRIM_MS {
            self.trimmed_at = self.now;
            self.shared.arena.trim();
        }
        let elapsed = self.now - self.scanned_at;
        let stopped = self.stopping.is_some_and(|deadline| self.now >= deadline);
        if elapsed < self.scan_distance() && !stopped {
            return;
        }
        self.scanned_at = self.now;
        for slot in 0..self.connections.len() {
            let Some(mut connection) = self.connections[slot].take() else {
                continue;
            };
            let reason = if stopped {
                Some(CloseReason::Shutdown)
            } else {
                self.overdue(&mut connection, elapsed)
            };
            match reason {
                Some(reason) => self.close(connection, reason),
                None => self.connections[slot] = Some(connection),
            }
        }
    }

    /// Why a connection is to be closed now, if it is.
    fn overdue(&self, connection: &mut Connection, elapsed: u64) -> Option<CloseReason> {
        if connection.connecting.is_some() {
            return None;
        }
        if connection
            .closing_deadline
            .is_some_and(|deadline| self.now >= deadline)
        {
            return Some(CloseReason::Requested);
        }
        let options = &self.shared.options;
        let idle_ms = u64::from(options.idle_timeout_ms);
        if let Some(since) = connection.blocked_since {
            // The socket takes more only when a good part of it is empty; the peer may be reading
            // all the same.
            let unsent = sys::unsent_bytes(connection.raw);
            if std::mem::replace(&mut connection.unsent, unsent) != unsent {
                connection.blocked_since = Some(self.now);
            } else if idle_ms > 0 && self.now - since >= idle_ms {
                return Some(CloseReason::Idle);
            }
        }
        let held = self.is_held(connection) || self.ring_full;
        if self.is_frame_overdue(connection, elapsed, held) {
            return Some(CloseReason::Idle);
        }
        if self.now - connection.received_at >= SCAN_MS_MAX {
            connection.reader.rest(&self.shared.arena);
        }
        let slot = &self.shared.slots[connection.seat.slot as usize];
        let owed = slot.unanswered.load(Ordering::SeqCst) > 0
            || slot.output_bytes.load(Ordering::SeqCst) > 0;
        if held || owed || connection.outbound {
            connection.active_at = self.now;
        }
        (idle_ms > 0 && self.now - connection.active_at >= idle_ms).then_some(CloseReason::Idle)
    }

    /// Whether a begun frame has been coming in for too long, not counting the time in which we
    /// did not receive: whoever sends slowly must not keep the arena from others.
    fn is_frame_overdue(&self, connection: &mut Connection, elapsed: u64, held: bool) -> bool {
        let partial = u64::from(connection.reader.partial());
        if partial == 0 || connection.partial_of != connection.sequence {
            connection.partial_ms = 0;
            connection.partial_of = connection.sequence;
            return false;
        }
        if held {
            return false;
        }
        connection.partial_ms += elapsed;
        let options = &self.shared.options;
        let rate = u64::from(options.frame_bytes_per_second.max(1));
        let allowed = u64::from(options.frame_timeout_ms) + partial * 1000 / rate;
        let paused = self.now - connection.received_at;
        connection.partial_ms > allowed || (self.shared.arena.is_wanted() && paused >= PAUSE_MS_MAX)
    }
}
