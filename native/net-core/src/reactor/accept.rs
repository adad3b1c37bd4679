//! Inbound connections: from a listener to a slot, or to the door.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Reactor;
use crate::connection::Connection;
use crate::network::ConnectionInfo;
use crate::poller::Watch;
use crate::rows::EventRow;
use crate::shared::{Command, Shared, lock};
use crate::slots::{Seat, owner_of};
use crate::sys;

/// Connections accepted in one tick, so that a storm does not starve those that stand.
const ACCEPTS_PER_TICK: usize = 64;
/// Pause after an accept that failed for want of descriptors with none left to give up.
const NO_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(5);

impl Reactor {
    pub(super) fn watch_listener(&mut self, index: usize) {
        let listeners = lock(&self.shared.listeners);
        if let Some(Some(listener)) = listeners.get(index) {
            let token = owner_of(index as u32, 0);
            if let Err(error) = self
                .poller
                .add(listener.socket.as_raw_fd(), token, Watch::Readable)
            {
                panic!("watching a listener failed: {error}");
            }
        }
    }

    pub(super) fn accept_some(&mut self, index: usize) {
        let shared = Arc::clone(&self.shared);
        for _ in 0..ACCEPTS_PER_TICK {
            // Under the lock a listener is not closed, so its descriptor is still its own.
            let listeners = lock(&shared.listeners);
            let Some(Some(listener)) = listeners.get(index) else {
                return;
            };
            let (listener_id, frame_limit) = (listener.listener_id, listener.frame_limit);
            let accepted = sys::accept(listener.socket.as_raw_fd());
            match accepted.map_err(|error| error.raw_os_error().unwrap_or(0)) {
                Ok((socket, peer)) => {
                    drop(listeners);
                    self.admit(socket, peer, listener_id, frame_limit);
                }
                Err(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                    let listener = listener.socket.as_raw_fd();
                    self.refuse_without_descriptors(listener);
                    return;
                }
                Err(libc::EAGAIN) => return,
                // The peer went away while it was in the backlog, or a network error of its own.
                Err(_) => {}
            }
        }
    }

    /// With the spare descriptor given up for a moment, the connection can be accepted and closed
    /// instead of waiting in the backlog for ever (and keeping the listener readable).
    fn refuse_without_descriptors(&mut self, listener: i32) {
        if self.spare.take().is_none() {
            std::thread::sleep(NO_DESCRIPTORS_PAUSE);
        }
        if let Ok(accepted) = sys::accept(listener) {
            drop(accepted);
            self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.spare = sys::spare_descriptor();
    }

    fn admit(&mut self, socket: OwnedFd, peer: SocketAddr, listener_id: u32, frame_limit: u32) {
        let Some(seat) = self.shared.admission.enter_inbound(peer.ip()) else {
            self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.shared
            .counters
            .accepted
            .fetch_add(1, Ordering::Relaxed);
        let target = self.shared.next_reactor();
        if target == self.index {
            self.adopt(socket, seat, peer, listener_id, frame_limit);
        } else {
            let command = Command::Adopt {
                socket,
                seat,
                peer,
                listener_id,
                frame_limit,
            };
            self.shared.mailboxes[target].command(command);
        }
    }

    /// Makes an accepted socket a connection of this reactor.
    pub(super) fn adopt(
        &mut self,
        socket: OwnedFd,
        seat: Seat,
        peer: SocketAddr,
        listener_id: u32,
        frame_limit: u32,
    ) {
        prepare(&socket, peer.ip());
        let raw = socket.as_raw_fd();
        let connection = Connection::new(seat, raw, false, listener_id, self.now);
        if self
            .poller
            .add(raw, connection.owner(), Watch::Edges)
            .is_err()
        {
            // Out of watches (fs.epoll.max_user_watches) or of kernel memory.
            self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            self.shared.admission.leave(seat);
            return;
        }
        install(
            &self.shared,
            self.index,
            &connection,
            socket,
            peer,
            frame_limit,
        );
        self.events
            .push(EventRow::opened(seat.slot, seat.generation, listener_id));
        self.keep(connection);
    }

    /// Puts a connection in its place in the table.
    pub(super) fn keep(&mut self, connection: Connection) {
        let slot = connection.seat.slot;
        let place = &mut self.connections[slot as usize];
        assert!(place.is_none(), "two connections in slot {slot}");
        *place = Some(Box::new(connection));
        self.live += 1;
        self.enqueue(slot);
    }
}

/// In every kernel, and allowed to everybody.
const PLAIN_CONGESTION_CONTROL: &str = "reno";

/// Small answers leave at once; a peer that vanished is noticed one day. Nothing is paced on its
/// way to a peer on this machine: where BBR is the system's default, its timers cost more than
/// the transfer (docs/adr/0010-no-pacing-to-local-peers.md).
pub(super) fn prepare(socket: &OwnedFd, peer: IpAddr) {
    // None of it can fail on a TCP socket in a way that matters for correctness.
    if is_local(socket, peer) {
        let _ = sys::use_congestion_control(socket, PLAIN_CONGESTION_CONTROL);
    }
    let _ = sys::set_option(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    let _ = sys::set_option(socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
}

/// Whether the other end is on this machine. A socket has no address before it is connected.
fn is_local(socket: &OwnedFd, peer: IpAddr) -> bool {
    let own = |own: SocketAddr| own.ip().to_canonical() == peer;
    peer.is_loopback() || sys::local_address(socket).is_ok_and(own)
}

/// Opens the slot for plans.
pub(super) fn install(
    shared: &Shared,
    reactor: usize,
    connection: &Connection,
    socket: OwnedFd,
    peer: SocketAddr,
    frame_limit: u32,
) {
    let slot = &shared.slots[connection.seat.slot as usize];
    slot.reactor.store(reactor as u32, Ordering::SeqCst);
    slot.open_account(connection.seat.generation);
    slot.frame_limit
        .store(shared.clamp_frame_limit(frame_limit), Ordering::SeqCst);
    let mut output = slot.lock();
    output.generation = connection.seat.generation;
    output.socket = Some(socket);
    output.outbound = connection.outbound;
    output.peer = Some(ConnectionInfo {
        listener_id: connection.listener_id,
        remote: peer,
    });
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    fn congestion_control(fd: &OwnedFd) -> String {
        let mut name = [0u8; 16];
        let mut size = name.len() as libc::socklen_t;
        // SAFETY: the buffer is as large as `size` says.
        let result = unsafe {
            libc::getsockopt(
                fd.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_CONGESTION,
                name.as_mut_ptr().cast(),
                &mut size,
            )
        };
        assert_eq!(result, 0);
        CStr::from_bytes_until_nul(&name)
            .unwrap()
            .to_string_lossy()
            .into_owned()
    }

    #[test]
    fn nothing_is_paced_to_a_peer_on_this_machine() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let outbound = OwnedFd::from(TcpStream::connect(address).unwrap());
        let default = congestion_control(&outbound);
        let (accepted, peer) = sys::accept(listener.as_raw_fd()).unwrap();
        prepare(&accepted, peer.ip());
        assert_eq!(congestion_control(&accepted), PLAIN_CONGESTION_CONTROL);
        // Elsewhere the system's choice stands.
        prepare(&outbound, Ipv4Addr::new(192, 0, 2, 1).into());
        assert_eq!(congestion_control(&outbound), default);
    }
}
