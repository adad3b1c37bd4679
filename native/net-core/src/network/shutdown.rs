//! The end of a network.

use std::time::Duration;

use super::Network;
use crate::shared::{Command, lock};

impl Network {
    /// Stops accepting and reading, sends what is queued and still owed within `grace`, closes
    /// everything (CLOSED with SHUTDOWN) and ends the threads. Blocks: call it on a thread that
    /// neither drains the ring nor submits. Doing it twice is harmless.
    pub fn shutdown(&self, grace: Duration) {
        self.stop(grace, true);
    }

    /// As `shutdown`, where nobody gives answers any more: what is queued is sent, and a request
    /// without an answer, such as a fetch that waits for records, keeps no connection open.
    pub fn close(&self, grace: Duration) {
        self.stop(grace, false);
    }

    fn stop(&self, grace: Duration, owes: bool) {
        self.shared.stop_accepting();
        lock(&self.lookups).take();
        let deadline = self.shared.now_ms() + grace.as_millis() as u64;
        for mailbox in &self.shared.mailboxes {
            mailbox.command(Command::Stop { deadline, owes });
        }
        for thread in lock(&self.threads).drain(..) {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
        self.shared.ring.set_on_space(None);
        self.shared.arena.observe(None);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}
