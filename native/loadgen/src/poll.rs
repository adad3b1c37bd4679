//! Waiting for sockets with a precision below a millisecond.

use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new() -> Result<Poll> {
        // SAFETY: no pointers; the descriptor is fresh.
        let epoll = unsafe {
            let raw = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if raw < 0 {
                return Err(Error::last_os_error());
            }
            OwnedFd::from_raw_fd(raw)
        };
        Ok(Poll {
            epoll,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; 256],
        })
    }

    /// Watches a socket for both directions, edge-triggered.
    pub fn add(&self, fd: RawFd, token: usize) -> Result<()> {
        let flags = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        let mut event = libc::epoll_event {
            events: flags as u32,
            u64: token as u64,
        };
        // SAFETY: the event is read before the call returns.
        let result =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
        if result < 0 {
            Err(Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Tokens of sockets on which something happened, within `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Result<impl Iterator<Item = usize>> {
        let time = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: the buffer has room for the count given; the time outlives the call.
        let count = unsafe {
            libc::epoll_pwait2(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as i32,
                &time,
                std::ptr::null(),
            )
        };
        if count < 0 && Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return Err(Error::last_os_error());
        }
        let events = &self.events[..count.max(0) as usize];
        Ok(events.iter().map(|event| event.u64 as usize))
    }
}
