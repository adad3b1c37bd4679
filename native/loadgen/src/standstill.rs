//! Tells when processors stood still. On each, a thread that goes before all others sleeps and
//! looks at the clock: where it comes late, nobody ran there, whatever the broker did. A virtual
//! machine whose host takes its processors away shows so.

use std::io::{Error, Result, Write, stdout};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Short enough that no stop of twice this length is missed, and cheap.
const SLEEP: Duration = Duration::from_millis(10);
/// What is later than this is told.
const LATE: Duration = Duration::from_millis(5);
const PRIORITY: libc::c_int = 50;

/// Prints a line for each time that a processor stood still: its number, when that was over (Unix
/// time) and how long it took, both in milliseconds. Goes on until it is killed or nobody reads.
pub fn run() -> Result<()> {
    let processors = thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..processors)
        .map(|processor| thread::spawn(move || watch(processor)))
        .collect();
    for thread in threads {
        thread.join().expect("a watcher does not panic")?;
    }
    Ok(())
}

fn watch(processor: usize) -> Result<()> {
    go_first_on(processor)?;
    let mut before = Instant::now();
    loop {
        thread::sleep(SLEEP);
        let now = Instant::now();
        if let Some(stop) = stood_still(now - before) {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH);
            let ended_ms = unix.map_err(Error::other)?.as_secs_f64() * 1e3;
            let ms = stop.as_secs_f64() * 1e3;
            let mut out = stdout().lock();
            writeln!(out, "{processor} {ended_ms:.1} {ms:.1}")?;
            out.flush()?;
        }
        before = now;
    }
}

/// How much longer than asked a sleep took, if that is worth telling.
fn stood_still(slept: Duration) -> Option<Duration> {
    let late = slept.saturating_sub(SLEEP);
    (late > LATE).then_some(late)
}

/// Pins the calling thread and lets it run before all that have no priority of this kind.
fn go_first_on(processor: usize) -> Result<()> {
    // SAFETY: a set of processors is plain bits, for which zeros are a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: checked by the library against the size of the set.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: 0 is the calling thread; the set is as long as told.
    let pinned = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    let priority = libc::sched_param {
        sched_priority: PRIORITY,
    };
    // SAFETY: 0 is the calling thread; the parameter outlives the call.
    let raised = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
    if pinned == 0 && raised == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_takes_a_little_longer_is_no_stop() {
        assert_eq!(stood_still(SLEEP), None);
        assert_eq!(stood_still(SLEEP + LATE), None);
        let stop = Duration::from_millis(30);
        assert_eq!(stood_still(SLEEP + stop), Some(stop));
    }
}
