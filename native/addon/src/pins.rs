//! File ranges that TypeScript holds by number until a response takes them over.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mantou_log_core::Pin;
use mantou_net_core::{FileRange, PinTable};

#[derive(Default)]
struct Table {
    held: HashMap<u32, Pin>,
    last: u32,
}

#[derive(Default)]
pub struct Pins(Mutex<Table>);

impl Pins {
    /// Names a pin. Numbers come round only after 2^32 pins, so a late mistake meets no other's.
    pub fn add(&self, pin: Pin) -> u32 {
        let mut table = self.lock();
        loop {
            table.last = table.last.wrapping_add(1);
            let number = table.last;
            if number != 0 && !table.held.contains_key(&number) {
                table.held.insert(number, pin);
                return number;
            }
        }
    }

    pub fn clear(&self) {
        self.lock().held.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct PinnedFile {
    fd: RawFd,
    /// Keeps the descriptor open.
    _pin: Pin,
}

impl FileRange for PinnedFile {
    fn raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl PinTable for Pins {
    fn take(&self, pin: u32) -> Option<Arc<dyn FileRange>> {
        let pin = self.lock().held.remove(&pin)?;
        Some(Arc::new(PinnedFile {
            fd: pin.raw_fd()?,
            _pin: pin,
        }))
    }

    fn release(&self, pin: u32) {
        self.lock().held.remove(&pin);
    }
}
