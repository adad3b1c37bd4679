//! One connection: bytes out, frames in, nothing waited for.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Result};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::options::Options;

/// A request on its way.
pub struct InFlight {
    pub correlation: u32,
    /// When it was due; the same as when it was sent in a closed loop.
    pub due: Instant,
    pub bytes: usize,
}

pub struct Lane {
    pub stream: TcpStream,
    pub in_flight: VecDeque<InFlight>,
    pub next_correlation: u32,
    received: Vec<u8>,
    filled: usize,
    parsed: usize,
}

/// So many at once, so that no listener's queue overflows: the kernel would wait a second then.
const CONNECT_BURST: u32 = 25;
const BURST_PAUSE: Duration = Duration::from_millis(4);

/// Connects all, before anything is measured: for every thread its connections' numbers and lanes.
pub fn connect_all(options: &Options) -> Result<Vec<Vec<(u32, Lane)>>> {
    let connect = |connection| {
        if connection % CONNECT_BURST == CONNECT_BURST - 1 {
            std::thread::sleep(BURST_PAUSE);
        }
        Ok((connection, Lane::connect(options.address)?))
    };
    (0..options.threads)
        .map(|thread| options.connections_of(thread).map(connect).collect())
        .collect()
}

impl Lane {
    pub fn connect(address: SocketAddr) -> Result<Lane> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Lane {
            stream,
            in_flight: VecDeque::new(),
            next_correlation: 0,
            received: vec![0; 64 * 1024],
            filled: 0,
            parsed: 0,
        })
    }

    /// Sends what is left of `pieces` behind their first `sent` bytes. Returns how many bytes
    /// are sent in all.
    pub fn send(&self, pieces: &[&[u8]], sent: usize) -> Result<usize> {
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut at = sent;
        while at < total {
            let mut buffers = Vec::with_capacity(pieces.len());
            let mut skip = at;
            for piece in pieces {
                let from = skip.min(piece.len());
                skip -= from;
                if from < piece.len() {
                    buffers.push(libc::iovec {
                        iov_base: piece[from..].as_ptr().cast_mut().cast(),
                        iov_len: piece.len() - from,
                    });
                }
            }
            // SAFETY: an all-zero msghdr is valid; the pieces outlive the call.
            let result = unsafe {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = buffers.as_mut_ptr();
                message.msg_iovlen = buffers.len().min(1024) as _;
                libc::sendmsg(self.stream.as_raw_fd(), &message, libc::MSG_NOSIGNAL)
            };
            if result < 0 {
                let error = Error::last_os_error();
                return match error.kind() {
                    ErrorKind::WouldBlock => Ok(at),
                    ErrorKind::Interrupted => continue,
                    _ => Err(error),
                };
            }
            at += result as usize;
        }
        Ok(at)
    }

    /// Receives more. Returns false when there is nothing at the moment.
    pub fn receive(&mut self) -> Result<bool> {
        if self.parsed > 0 {
            self.received.copy_within(self.parsed..self.filled, 0);
            self.filled -= self.parsed;
            self.parsed = 0;
        }
        let wanted = self.frame_length().map_or(0, |length| length + 4);
        if self.received.len() < wanted.max(self.filled + 1) {
            self.received.resize(wanted.max(2 * self.filled), 0);
        }
        loop {
            match self.stream.read(&mut self.received[self.filled..]) {
                Ok(0) => return Err(Error::new(ErrorKind::UnexpectedEof, "connection closed")),
                Ok(count) => {
                    self.filled += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next whole frame, if there is one.
    pub fn frame(&mut self) -> Option<&[u8]> {
        let length = self.frame_length()?;
        let start = self.parsed + 4;
        if self.filled < start + length {
            return None;
        }
        self.parsed = start + length;
        Some(&self.received[start..start + length])
    }

    fn frame_length(&self) -> Option<usize> {
        let prefix = self.received[..self.filled].get(self.parsed..self.parsed + 4)?;
        Some(u32::from_be_bytes(prefix.try_into().ok()?) as usize)
    }
}

/// The request that a frame answers: answers come in order.
pub fn settle(in_flight: &mut VecDeque<InFlight>, frame: &[u8]) -> Result<InFlight> {
    let wrong = |what| Error::new(ErrorKind::InvalidData, what);
    let id = frame
        .get(..4)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes);
    match in_flight.pop_front() {
        Some(request) if id == Some(request.correlation) => Ok(request),
        Some(_) => Err(wrong("an answer out of order")),
        None => Err(wrong("an answer to nothing")),
    }
}
