//! Ending: what is still sent, and when a connection owes nothing more.

use std::sync::atomic::Ordering;

use super::Reactor;
use crate::connection::Connection;

impl Reactor {
    /// Begins to end: no more accepting and receiving, answers still go out.
    pub(super) fn stop(&mut self, deadline: u64, owes: bool) {
        self.stopping.get_or_insert(deadline);
        self.owes &= owes;
        let slots: Vec<u32> = self
            .connections
            .iter()
            .flatten()
            .map(|c| c.seat.slot)
            .collect();
        for slot in slots {
            // From here on whoever answers a frame tells us.
            self.shared.slots[slot as usize]
                .stalled
                .store(true, Ordering::SeqCst);
            self.enqueue(slot);
        }
    }

    /// Whether nothing is owed to a connection any more.
    pub(super) fn is_settled(&self, connection: &Connection) -> bool {
        let slot = &self.shared.slots[connection.seat.slot as usize];
        if self.owes {
            let bytes = slot.output_bytes.load(Ordering::SeqCst);
            return bytes == 0 && slot.unanswered.load(Ordering::SeqCst) == 0;
        }
        // What came early waits for an answer that will not be given.
        connection.out.is_empty() && slot.lock().is_sent()
    }
}
