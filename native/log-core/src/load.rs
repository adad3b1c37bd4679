//! Tells busy logs from cold ones: only where many small groups follow each other does it pay
//! to write blocks ahead.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(2);
/// Writes in a window from which a log is busy. Few: among a thousand logs that share a disk's
/// flushes none has many.
const WRITES_MIN: u32 = 8;
/// How soon so many writes end a window. Until blocks are there each write costs a flush of its own,
/// which many logs that start together pay for dearly; a mistake costs a few zeros.
const EARLY_WINDOW: Duration = Duration::from_millis(10);
/// Mean bytes of a write from which the metadata commit no longer matters.
const WRITE_BYTES_MAX: u64 = 512 << 10;
/// How long what is written ahead at a time should last.
const STEP: Duration = Duration::from_secs(2);
const STEP_BYTES_MIN: u64 = 256 << 10;
const STEP_BYTES_MAX: u64 = 4 << 20;
/// The first blocks are few, so that they are there soon.
const FIRST_SHARE: u64 = 8;
const FIRST_BYTES_MIN: u64 = STEP_BYTES_MIN;
/// They begin a little way off, or the writer would run into the zeros at once.
const GAP_SHARE: u64 = 32;

/// The range to write ahead next, where a log's data ends at `written` and the blocks of `ahead`
/// were written or asked for; None while those last: a step, or as much as there has been of them.
///
/// Pieces grow from the first one on. Logs become busy together and run out together, and whoever's
/// turn comes last must still have some of its last piece by then.
pub fn next_range(step: u64, written: u64, ahead: (u64, u64)) -> Option<(u64, u64)> {
    if ahead.1 <= written {
        let from = (written + step / GAP_SHARE).next_multiple_of(4096);
        return Some((from, from + (step / FIRST_SHARE).max(FIRST_BYTES_MIN)));
    }
    let piece = (ahead.1 - ahead.0).clamp(FIRST_BYTES_MIN, (step / 2).max(FIRST_BYTES_MIN));
    let piece = piece.next_multiple_of(4096);
    (ahead.1 - written < 2 * piece).then_some((ahead.1, ahead.1 + piece))
}

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
        let early = self.writes >= WRITES_MIN && lasted >= EARLY_WINDOW;
        if lasted >= WINDOW || (early && self.step.is_none()) {
            let recent = lasted < 2 * WINDOW;
            let mean = self.bytes / u64::from(self.writes);
            let busy = recent && self.writes >= WRITES_MIN && mean < WRITE_BYTES_MAX;
            // What the window brought in the time of a step.
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
        assert_eq!(after(100, ms(300), 1000), None);
        assert_eq!(after(100, ms(200), 1000), Some(STEP_BYTES_MIN));
        assert_eq!(after(2000, ms(50), 16 << 10), Some(1 << 20));
        assert_eq!(after(5000, ms(1), 16 << 10), Some(STEP_BYTES_MAX));
        assert_eq!(after(5000, ms(1), 1 << 20), None);
    }

    #[test]
    fn a_burst_is_busy_before_the_window_ends() {
        let ms = Duration::from_millis;
        assert_eq!(after(7, ms(2), 16 << 10), None);
        assert_eq!(after(9, ms(2), 16 << 10), Some(STEP_BYTES_MAX));
        assert_eq!(after(9, ms(1), 16 << 10), None);
        assert_eq!(after(12, ms(1), 100), Some(STEP_BYTES_MIN));
    }

    #[test]
    fn the_first_range_is_short_and_a_little_way_off() {
        let step = 4 << 20;
        assert_eq!(next_range(step, 0, (0, 0)), Some((128 << 10, 640 << 10)));
        // The zeros were not there in time.
        let (from, to) = next_range(step, 1_000_001, (4096, 1_000_001)).expect("a range");
        assert!(from >= 1_000_001 + step / GAP_SHARE && from % 4096 == 0);
        assert_eq!(to - from, step / FIRST_SHARE);
        let least = next_range(STEP_BYTES_MIN, 0, (0, 0));
        assert_eq!(least, Some((8 << 10, (8 << 10) + FIRST_BYTES_MIN)));
    }

    #[test]
    fn pieces_grow_until_a_step_is_always_left() {
        let step = 4 << 20;
        let mut ahead = (0, 512 << 10);
        let mut pieces = Vec::new();
        while let Some((from, to)) = next_range(step, 100, ahead) {
            assert_eq!(from, ahead.1);
            pieces.push((to - from) >> 10);
            ahead.1 = to;
        }
        assert_eq!(pieces, [512, 1024, 2048, 2048]);
        assert!(next_range(step, ahead.1 - step, ahead).is_none());
        assert!(next_range(step, ahead.1 - step + 1, ahead).is_some());
    }
}
