//! Outbound connections, from an address to a slot.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use super::Reactor;
use super::accept::{install, prepare};
use crate::connection::{Connecting, Connection};
use crate::poller::Watch;
use crate::rows::EventRow;
use crate::slots::owner_of;
use crate::sys;
use std::cmp::Reverse;
use std::collections::VecDeque;

impl Reactor {
    /// Starts a connection to the first of `addresses`; the others are tried in turn.
    pub(super) fn connect(&mut self, addresses: Vec<SocketAddr>, connect_id: u32) {
        if self.stopping.is_some() {
            self.events
                .push(EventRow::connect_failed(connect_id, libc::ESHUTDOWN as u32));
            return;
        }
        let Some(seat) = self.shared.admission.enter_outbound() else {
            self.events
                .push(EventRow::connect_failed(connect_id, libc::EMFILE as u32));
            return;
        };
        let mut connection = Connection::new(seat, -1, true, connect_id, self.now);
        let deadline = self.now + u64::from(self.shared.options.connect_timeout_ms);
        match self.attempt(
            addresses.into(),
            owner_of(seat.slot, seat.generation),
            deadline,
        ) {
            Ok(connecting) => {
                connection.raw = connecting.socket.as_raw_fd();
                connection.connecting = Some(connecting);
                self.timers.push(Reverse((deadline, connection.owner())));
                self.keep(connection);
            }
            Err(errno) => {
                self.live += 1;
                self.fail_connect(connection, errno);
            }
        }
    }

    /// Begins to connect to the first address that does not fail at once.
    fn attempt(
        &mut self,
        mut addresses: VecDeque<SocketAddr>,
        token: u64,
        deadline: u64,
    ) -> Result<Connecting, i32> {
        let mut errno = libc::EHOSTUNREACH;
        while let Some(address) = addresses.pop_front() {
            let begun = sys::stream_socket(&address).and_then(|socket| {
                prepare(&socket, address.ip());
                sys::connect(&socket, &address)?;
                self.poller.add(socket.as_raw_fd(), token, Watch::Edges)?;
                Ok(socket)
            });
            match begun {
                Ok(socket) => {
                    return Ok(Connecting {
                        socket,
                        address,
                        others: addresses,
                        deadline,
                    });
                }
                Err(error) => errno = error.raw_os_error().unwrap_or(errno),
            }
        }
        Err(errno)
    }

    /// Looks whether a connection on its way stands. Returns it, unless it has failed for good.
    pub(super) fn check_connect(
        &mut self,
        mut connection: Box<Connection>,
    ) -> Option<Box<Connection>> {
        let Some(connecting) = connection.connecting.take() else {
            return Some(connection);
        };
        if self.stopping.is_some() {
            self.fail_connect(*connection, libc::ESHUTDOWN);
            return None;
        }
        if self.now >= connecting.deadline {
            self.fail_connect(*connection, libc::ETIMEDOUT);
            return None;
        }
        if !std::mem::take(&mut connection.flush) && !connection.broken {
            connection.connecting = Some(connecting);
            return Some(connection);
        }
        let errno = sys::take_error(connecting.socket.as_raw_fd());
        if errno == 0 && !connection.broken {
            self.establish(&mut connection, connecting);
            return Some(connection);
        }
        connection.broken = false;
        connection.readable = false;
        connection.ended = false;
        match self.attempt(connecting.others, connection.owner(), connecting.deadline) {
            Ok(connecting) => {
                connection.raw = connecting.socket.as_raw_fd();
                connection.connecting = Some(connecting);
                Some(connection)
            }
            Err(later) => {
                let errno = if later == libc::EHOSTUNREACH && errno != 0 {
                    errno
                } else {
                    later
                };
                self.fail_connect(*connection, errno);
                None
            }
        }
    }

    fn establish(&mut self, connection: &mut Connection, connecting: Connecting) {
        let limit = self.shared.options.outbound_frame_bytes_max;
        let Connecting {
            socket, address, ..
        } = connecting;
        install(&self.shared, self.index, connection, socket, address, limit);
        connection.received_at = self.now;
        connection.active_at = self.now;
        // What arrived together with the connection was reported with it.
        connection.readable = true;
        let seat = connection.seat;
        let row = EventRow::connected(seat.slot, seat.generation, connection.listener_id);
        self.events.push(row);
    }

    /// Ends a connection that never stood.
    pub(super) fn fail_connect(&mut self, connection: Connection, errno: i32) {
        self.events.push(EventRow::connect_failed(
            connection.listener_id,
            errno as u32,
        ));
        self.left.push(connection.seat);
        self.live -= 1;
    }
}
