//! SIGTERM ends the window early: whoever started this knows better when it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static ASKED: AtomicBool = AtomicBool::new(false);
const LOOK_EVERY: Duration = Duration::from_millis(20);

extern "C" fn remember(_signal: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

/// From here on SIGTERM is remembered and does not kill.
pub fn listen() {
    let handler: extern "C" fn(libc::c_int) = remember;
    // SAFETY: the handler only stores to an atomic, which is allowed in one.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
}

pub fn is_over(end: Instant) -> bool {
    ASKED.load(Ordering::Relaxed) || Instant::now() >= end
}

/// Sleeps until a moment; shorter when it was asked to stop, or when `is_done` says so.
pub fn sleep_until(moment: Instant, is_done: impl Fn() -> bool) {
    while !is_over(moment) && !is_done() {
        let left = moment.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}
