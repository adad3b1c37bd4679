//! One member of a group and its connection: one request at a time is under way.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

/// What a member waits for an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    Join,
    Sync,
    Heartbeat,
    Leave,
}

pub struct Member {
    stream: TcpStream,
    received: Vec<u8>,
    /// Empty until the coordinator has given one.
    pub id: String,
    pub asked: Asked,
    /// The generation that it joined last.
    pub generation: i32,
    /// The generation that it has an assignment of.
    pub assigned: i32,
}

impl Member {
    pub fn connect(address: SocketAddr) -> Result<Member> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Member {
            stream,
            received: Vec::new(),
            id: String::new(),
            asked: Asked::Nothing,
            generation: 0,
            assigned: 0,
        })
    }

    pub fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Requests are far smaller than what a socket takes at once.
    pub fn ask(&mut self, what: Asked, frame: &[u8]) -> Result<()> {
        self.asked = what;
        self.stream.write_all(frame)
    }

    /// Reads what has come. Gives the answer, size prefix included, once it is whole.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Vec<u8>>> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(Error::other("the broker closed a member's connection")),
                Ok(count) => {
                    self.received.extend(&buffer[..count]);
                    // Less than there was room for: nothing is left, and an edge tells of more.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let Some(prefix) = self.received.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix) as usize;
        let is_whole = self.received.len() >= 4 + length;
        Ok(is_whole.then(|| std::mem::take(&mut self.received)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn an_answer_in_pieces_is_given_once_it_is_whole() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut member = Member::connect(listener.local_addr().unwrap()).unwrap();
        let (mut broker, _) = listener.accept().unwrap();
        let mut buffer = [0; 64];
        let end = Instant::now() + Duration::from_secs(30);
        broker.write_all(&[0, 0]).unwrap();
        while member.received.len() < 2 && Instant::now() < end {
            assert_eq!(member.receive(&mut buffer).unwrap(), None);
        }
        broker.write_all(&[0, 3, 7, 8, 9]).unwrap();
        let mut whole = None;
        while whole.is_none() && Instant::now() < end {
            whole = member.receive(&mut buffer).unwrap();
        }
        assert_eq!(whole.unwrap(), [0, 0, 0, 3, 7, 8, 9]);
        drop(broker);
        let mut told = false;
        while !told && Instant::now() < end {
            told = member.receive(&mut buffer).is_err();
        }
        assert!(told, "a closed connection is an error");
    }
}
