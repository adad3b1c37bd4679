//! How long a group of small appends is held open before it is flushed.
//!
//! A flush costs the same for one batch as for ten, so under steady small batches waiting a
//! moment saves processor time. It helps only where batches come on their own schedule: clients
//! that wait for their answers before they send more are merely slowed down. So the hold is
//! tried against no hold, in alternating windows, and kept where as many batches go through.
//! When nothing was flushed lately a group goes at once.

use std::time::{Duration, Instant};

/// Length of a trial.
const TRIAL: Duration = Duration::from_millis(60);
/// Trials with the winner for each trial of the other way.
const WINNER_TRIALS: u32 = 24;
/// The hold must let through this share of what passes without it.
const KEEP_SHARE: f64 = 0.93;
/// A group of so many bytes is worth a flush of its own.
const BYTES_ENOUGH: u64 = 512 << 10;
/// Fewer batches in a trial say nothing.
const TRIAL_BATCHES_MIN: u64 = 16;

/// Decides the hold; told the time, so that it can be tested.
#[derive(Debug)]
pub struct HoldTuner {
    hold: Duration,
    /// Whether the current trial holds.
    holding: bool,
    /// Which way won last.
    winner_holds: bool,
    trial_start: Instant,
    trial_batches: u64,
    winner_trials: u32,
    /// Batches a second of the latest trial with hold and without, 0: none yet.
    rates: [f64; 2],
    last_flush: Option<Instant>,
}

impl HoldTuner {
    pub fn new(hold: Duration, now: Instant) -> HoldTuner {
        HoldTuner {
            hold,
            holding: false,
            winner_holds: false,
            trial_start: now,
            trial_batches: 0,
            winner_trials: 0,
            rates: [0.0; 2],
            last_flush: None,
        }
    }

    /// When a group of `bytes` that is ready now should be flushed. May be in the past.
    pub fn flush_at(&self, bytes: u64, now: Instant) -> Instant {
        match self.last_flush {
            Some(last) if self.holding && bytes < BYTES_ENOUGH => last + self.hold,
            _ => now,
        }
    }

    /// A flush of `batches` begins.
    pub fn flushed(&mut self, batches: u64, now: Instant) {
        if self.hold.is_zero() {
            return;
        }
        let idle = self
            .last_flush
            .is_some_and(|last| now - last > 4 * self.hold);
        self.last_flush = Some(now);
        if idle {
            // A pause says nothing about either way: begin the trial anew.
            self.begin_trial(now);
            return;
        }
        self.trial_batches += batches;
        let lasted = now - self.trial_start;
        if lasted < TRIAL {
            return;
        }
        if self.trial_batches >= TRIAL_BATCHES_MIN {
            self.rates[usize::from(self.holding)] =
                self.trial_batches as f64 / lasted.as_secs_f64();
            self.next_trial();
        }
        self.begin_trial(now);
    }

    fn begin_trial(&mut self, now: Instant) {
        self.trial_start = now;
        self.trial_batches = 0;
    }

    fn next_trial(&mut self) {
        if self.holding != self.winner_holds || self.rates[usize::from(!self.holding)] == 0.0 {
            let [without, with] = self.rates;
            if without > 0.0 && with > 0.0 {
                self.winner_holds = with >= without * KEEP_SHARE;
                self.holding = self.winner_holds;
                self.winner_trials = 0;
            } else {
                self.holding = !self.holding;
            }
            return;
        }
        self.winner_trials += 1;
        if self.winner_trials >= WINNER_TRIALS {
            self.winner_trials = 0;
            self.holding = !self.winner_holds;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_millis(2);

    /// Runs a load for two seconds: `arrivals` gives the batches that a group started at one
    /// time and flushed at another holds. Returns the share of groups that were held.
    fn run(mut batches: impl FnMut(Duration) -> u64) -> f64 {
        let start = Instant::now();
        let mut now = start;
        let mut tuner = HoldTuner::new(HOLD, now);
        let (mut groups, mut held) = (0, 0);
        while now - start < Duration::from_secs(3) {
            let at = tuner.flush_at(16 << 10, now).max(now);
            if now - start > Duration::from_secs(1) {
                groups += 1;
                held += u32::from(at > now);
            }
            let waited = at - now;
            tuner.flushed(batches(waited), at);
            now = at + Duration::from_micros(300);
        }
        f64::from(held) / f64::from(groups)
    }

    #[test]
    fn paced_batches_are_held() {
        // One batch every 200 microseconds, whatever the flush does.
        let mut backlog = 0.0;
        let share = run(|waited| {
            backlog += (waited + Duration::from_micros(300)).as_secs_f64() / 200e-6;
            let whole = backlog as u64;
            backlog -= whole as f64;
            whole
        });
        assert!(share > 0.7, "held {share}");
    }

    #[test]
    fn clients_that_wait_for_their_answers_are_not_slowed() {
        // Five batches in flight, all of them waiting for the flush.
        let share = run(|_| 5);
        assert!(share < 0.15, "held {share}");
    }

    #[test]
    fn an_idle_store_flushes_at_once() {
        let now = Instant::now();
        let mut tuner = HoldTuner::new(HOLD, now);
        tuner.holding = true;
        tuner.flushed(1, now);
        let later = now + Duration::from_millis(50);
        assert!(tuner.flush_at(100, later) <= later);
        let soon = now + Duration::from_millis(1);
        assert_eq!(tuner.flush_at(100, soon), now + HOLD);
        assert_eq!(tuner.flush_at(BYTES_ENOUGH, soon), soon);
    }
}
