//! Waiting for sockets, behind a trait so that another mechanism can take epoll's place.

use std::io::Result;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::sys;

/// What became possible on a descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    pub(crate) token: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer has sent its last byte; those before it can still be read.
    pub(crate) ended: bool,
    /// Reset, or gone both ways.
    pub(crate) broken: bool,
}

/// How a descriptor is watched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Reported once when it becomes readable or writable; whoever stops half-way remembers so.
    Edges,
    /// Reported as long as it is readable.
    Readable,
}

/// Watches descriptors for one thread. A closed descriptor leaves by itself.
pub(crate) trait Poller: Send {
    fn add(&mut self, fd: RawFd, token: u64, watch: Watch) -> Result<()>;
    /// Appends what happened; waits up to `timeout` (`None`: for ever) when nothing did yet.
    fn wait(&mut self, ready: &mut Vec<Readiness>, timeout: Option<Duration>) -> Result<()>;
}

const EVENTS_PER_WAIT: usize = 512;

pub(crate) struct EpollPoller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl EpollPoller {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: no pointers; the descriptor is fresh.
        let epoll = unsafe {
            let raw = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if raw < 0 {
                return Err(std::io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(raw)
        };
        Ok(Self {
            epoll,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_WAIT],
        })
    }
}

impl Poller for EpollPoller {
    fn add(&mut self, fd: RawFd, token: u64, watch: Watch) -> Result<()> {
        let flags = match watch {
            Watch::Edges => libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET,
            Watch::Readable => libc::EPOLLIN,
        };
        let mut event = libc::epoll_event {
            events: flags as u32,
            u64: token,
        };
        // SAFETY: the event is read before the call returns.
        let result =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
        if result < 0 {
            Err(std::io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    fn wait(&mut self, ready: &mut Vec<Readiness>, timeout: Option<Duration>) -> Result<()> {
        // Rounded up: a timer must not find that its time has not come yet.
        let timeout_ms = timeout.map_or(-1, |time| {
            i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        // SAFETY: the buffer has room for the count given.
        let count = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS_PER_WAIT as i32,
                timeout_ms,
            )
        };
        if count < 0 {
            return match sys::errno() {
                libc::EINTR => Ok(()),
                errno => Err(std::io::Error::from_raw_os_error(errno)),
            };
        }
        ready.extend(self.events[..count as usize].iter().map(|event| {
            let flags = event.events as i32;
            Readiness {
                token: event.u64,
                readable: flags & (libc::EPOLLIN | libc::EPOLLRDHUP) != 0,
                writable: flags & libc::EPOLLOUT != 0,
                ended: flags & libc::EPOLLRDHUP != 0,
                broken: flags & (libc::EPOLLERR | libc::EPOLLHUP) != 0,
            }
        }));
        Ok(())
    }
}
