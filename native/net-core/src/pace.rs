//! Whether ticks keep a distance under load.
//!
//! Waiting a moment at the source makes every later stage find more to do at once, which saves
//! processor time. It only works where bytes come on their own schedule: a client that has sent
//! all it may have in flight is merely slowed down by it. So pacing is tried against not pacing,
//! in alternating trials, and kept where as many bytes come in.

use std::time::{Duration, Instant};

/// Bytes received in a tick from which on it may be paced.
pub(crate) const PACED_BYTES_MIN: u64 = 32 * 1024;
/// Length of a trial.
const TRIAL: Duration = Duration::from_millis(50);
/// A pause this long makes what was measured before it worthless.
const STALE: Duration = Duration::from_millis(500);
/// Trials of the way that won, for each one of the other.
const WINNER_TRIALS: u32 = 20;
/// Pacing must let through this share of what comes without it.
const KEEP_SHARE: f64 = 0.93;
/// Fewer large ticks in a trial say nothing.
const LARGE_TICKS_MIN: u32 = 10;

/// Decides for one reactor. Is told the time, so that it can be tested.
#[derive(Debug)]
pub(crate) struct Pacer {
    distance: Duration,
    /// What the current trial tries, and what won last.
    pacing: bool,
    winner_paces: bool,
    trial_start: Instant,
    trial_bytes: u64,
    large_ticks: u32,
    winner_trials: u32,
    /// Bytes a second in the latest trial without pacing, and with.
    rates: [Option<f64>; 2],
    last_tick: Instant,
}

impl Pacer {
    /// `distance` from the start of one tick to the next, where ticks are paced; 0: never.
    pub(crate) fn new(distance: Duration, now: Instant) -> Self {
        Self {
            distance,
            pacing: false,
            winner_paces: false,
            trial_start: now,
            trial_bytes: 0,
            large_ticks: 0,
            winner_trials: 0,
            rates: [None; 2],
            last_tick: now,
        }
    }

    /// A tick that began at `start` received `bytes`. Returns how far from its start the next one
    /// should begin.
    pub(crate) fn tick(&mut self, start: Instant, bytes: u64) -> Duration {
        if self.distance.is_zero() {
            return Duration::ZERO;
        }
        if start.saturating_duration_since(self.last_tick) > STALE {
            self.begin_trial(start);
            self.rates = [None; 2];
        }
        self.last_tick = start;
        if start.saturating_duration_since(self.trial_start) >= TRIAL {
            self.end_trial(start);
        }
        self.trial_bytes += bytes;
        if bytes < PACED_BYTES_MIN {
            return Duration::ZERO;
        }
        self.large_ticks += 1;
        if self.pacing {
            self.distance
        } else {
            Duration::ZERO
        }
    }

    fn end_trial(&mut self, now: Instant) {
        let seconds = now
            .saturating_duration_since(self.trial_start)
            .as_secs_f64();
        if self.large_ticks >= LARGE_TICKS_MIN {
            self.rates[usize::from(self.pacing)] = Some(self.trial_bytes as f64 / seconds);
            if let [Some(without), Some(with)] = self.rates {
                self.winner_paces = with >= KEEP_SHARE * without;
            }
            self.choose();
        }
        self.begin_trial(now);
    }

    fn choose(&mut self) {
        if self.rates.contains(&None) {
            self.pacing = self.rates[1].is_none();
            return;
        }
        self.winner_trials += 1;
        if self.winner_trials > WINNER_TRIALS {
            self.winner_trials = 0;
            self.pacing = !self.winner_paces;
        } else {
            self.pacing = self.winner_paces;
        }
    }

    fn begin_trial(&mut self, now: Instant) {
        self.trial_start = now;
        self.trial_bytes = 0;
        self.large_ticks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISTANCE: Duration = Duration::from_micros(500);

    /// Runs two seconds of ticks; `bytes_of` says what one receives, and how long it lasts, given
    /// the time since the last one began. Returns the share of ticks that were paced lately.
    fn paced_share(
        pacer: &mut Pacer,
        now: &mut Instant,
        load: impl Fn(Duration) -> (u64, Duration),
    ) -> f64 {
        let (mut paced, mut all) = (0, 0);
        let end = *now + Duration::from_secs(2);
        let mut distance = Duration::ZERO;
        while *now < end {
            let (bytes, lasts) = load(distance);
            distance = pacer.tick(*now, bytes);
            if end - *now < Duration::from_secs(1) {
                all += 1;
                paced += u32::from(!distance.is_zero());
            }
            distance = distance.max(lasts);
            *now += distance;
        }
        f64::from(paced) / f64::from(all)
    }

    #[test]
    fn an_open_load_is_paced() {
        let mut now = Instant::now();
        let mut pacer = Pacer::new(DISTANCE, now);
        // 400 MB/s come in whatever we do.
        let share = paced_share(&mut pacer, &mut now, |since| {
            let lasts = Duration::from_micros(150);
            ((since.max(lasts).as_micros() * 400) as u64, lasts)
        });
        assert!(share > 0.8, "{share}");
    }

    #[test]
    fn a_closed_loop_is_not_slowed_down() {
        let mut now = Instant::now();
        let mut pacer = Pacer::new(DISTANCE, now);
        // 80 KB in flight, there again after 60 µs or at the next tick.
        let closed = |_| (80_000, Duration::from_micros(60));
        assert!(paced_share(&mut pacer, &mut now, closed) < 0.05);
        // It finds out when the load changes, in both directions.
        let open = |since: Duration| {
            let lasts = Duration::from_micros(150);
            ((since.max(lasts).as_micros() * 400) as u64, lasts)
        };
        paced_share(&mut pacer, &mut now, open);
        assert!(paced_share(&mut pacer, &mut now, open) > 0.8);
        paced_share(&mut pacer, &mut now, closed);
        assert!(paced_share(&mut pacer, &mut now, closed) < 0.05);
    }

    #[test]
    fn small_ticks_are_never_paced() {
        let mut now = Instant::now();
        let mut pacer = Pacer::new(DISTANCE, now);
        let share = paced_share(&mut pacer, &mut now, |_| {
            (20_000, Duration::from_micros(100))
        });
        assert_eq!(share, 0.0);
    }
}
