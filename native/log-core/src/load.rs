//! Tells busy logs from cold ones: only where many small groups follow each other does it pay
//! to write blocks ahead.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(500);
/// Writes in a window from which a log is busy.
const WRITES_MIN: u32 = 10;
/// So many writes end a window early, once it says something: a burst need not wait.
const WRITES_ENOUGH: u32 = 32;
const EARLY_WINDOW: Duration = Duration::from_millis(50);
/// Mean bytes of a write from which the metadata commit no longer matters.
const WRITE_BYTES_MAX: u64 = 512 << 10;
/// How long what is written ahead at a time should last.
const STEP: Duration = Duration::from_millis(125);
const STEP_BYTES_MIN: u64 = 1 << 20;
const STEP_BYTES_MAX: u64 = 4 << 20;

/// Recent writes of one log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    window_start: Option<Instant>,
    writes: u32,
    bytes: u64,
    /// Bytes that should be written ahead at a time; None: the log is cold.
    step: Option<u64>,
}

impl Load {
    /// Takes note of a write of [from, to); gives the step in bytes while the log is busy.
    pub fn note(&mut self, written: (u64, u64), now: Instant) -> Option<u64> {
        let start = *self.window_start.get_or_insert(now);
        self.writes += 1;
        self.bytes += written.1 - written.0;
        let lasted = now - start;
        let early = self.writes >= WRITES_ENOUGH && lasted >= EARLY_WINDOW;
        if lasted >= WINDOW || (early && self.step.is_none()) {
            let recent = lasted < 2 * WINDOW;
            let mean = self.bytes / u64::from(self.writes);
            let busy = recent && self.writes >= WRITES_MIN && mean < WRITE_BYTES_MAX;
            // What the window brought in an eighth of a second.
            let share = STEP.as_secs_f64() / lasted.as_secs_f64();
            let step = ((self.bytes as f64 * share) as u64).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
            self.step = busy.then(|| step.next_power_of_two());
            *self = Load {
                window_start: Some(now),
                step: self.step,
                ..Load::default()
            };
        }
        self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(writes: u32, every: Duration, bytes: u64) -> Option<u64> {
        let mut load = Load::default();
        let mut now = Instant::now();
        let mut step = None;
        for _ in 0..writes {
            now += every;
            step = load.note((0, bytes), now);
        }
        step
    }

    #[test]
    fn only_many_small_writes_are_busy() {
        let ms = Duration::from_millis;
        assert_eq!(after(9, ms(1), 1000), None);
        assert_eq!(after(2000, ms(1), 16 << 10), Some(2 << 20));
        assert_eq!(after(2000, ms(5), 1000), Some(STEP_BYTES_MIN));
        assert_eq!(after(100, ms(100), 1000), None);
        assert_eq!(after(2000, ms(1), 1 << 20), None);
    }

    #[test]
    fn a_burst_is_busy_before_the_window_ends() {
        let ms = Duration::from_millis;
        assert_eq!(after(30, ms(2), 16 << 10), None);
        assert_eq!(after(40, ms(2), 16 << 10), Some(2 << 20));
        assert_eq!(after(40, ms(1), 16 << 10), None);
        assert_eq!(after(60, ms(1), 100 << 10), Some(STEP_BYTES_MAX));
    }
}
