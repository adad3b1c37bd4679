//! Listeners, connections and the plans carried out on them.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::arena::Arena;
use crate::ring::Ring;
use crate::rows::PlanRow;

/// A file that ranges of are sent from. Dropped when its range went out or its connection ended.
pub trait FileRange: Send + Sync {
    fn raw_fd(&self) -> RawFd;
}

/// Resolves the pins of a plan. Both calls come on the thread that calls [`Network::submit`].
pub trait PinTable {
    /// Takes the pin over (SEGMENT_FILE). `None` when there is no such pin.
    fn take(&self, pin: u32) -> Option<Arc<dyn FileRange>>;
    /// Drops a pin that no response took over (RELEASE_PIN).
    fn release(&self, pin: u32);
}

/// A fault of the environment: `code` is the POSIX name (EADDRINUSE, EACCES, ...).
#[derive(Clone, Debug)]
pub struct NetError {
    pub code: &'static str,
    pub errno: i32,
    pub message: String,
}

/// A plan that contradicts itself or the connection: a mistake of whoever wrote it. Rows before
/// `row` were carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanError {
    pub row: usize,
    pub what: &'static str,
}

/// `ListenOptions` of ports.ts.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// A numeric address, or a name that is resolved (blocking) in the call.
    pub host: String,
    pub port: u16,
    pub listener_id: u32,
    pub frame_bytes_max: u32,
}

/// `NetworkOptions` of ports.ts, and what only the engine knows. `Default` gives the latter.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    pub connections_max: u32,
    pub connections_per_ip_max: u32,
    /// 0: never.
    pub idle_timeout_ms: u32,
    pub connection_quota_bytes: u32,
    pub output_quota_bytes: u32,

    /// Reactor threads.
    pub reactors: usize,
    /// Outbound connections, beside `connections_max`.
    pub outbound_max: u32,
    pub connect_timeout_ms: u32,
    /// Largest frame accepted on an outbound connection until a FRAME_LIMIT row changes it.
    pub outbound_frame_bytes_max: u32,
    /// Time in which a begun frame must be complete, plus its size at `frame_bytes_per_second`.
    pub frame_timeout_ms: u32,
    pub frame_bytes_per_second: u32,
    /// Requests of one connection without an answer at which it is no longer read.
    pub unanswered_max: u32,
    /// Shortest distance of two ticks under load, in microseconds. 0: none.
    pub tick_us: u32,
}

/// `ConnectionInfo` of ports.ts.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo {
    /// The listener's id; for outbound connections the `connect_id`.
    pub listener_id: u32,
    pub remote: SocketAddr,
}

/// `NetworkStats` of ports.ts.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkStats {
    pub connections: u64,
    pub accepted_total: u64,
    pub refused_total: u64,
    pub received_bytes_total: u64,
    pub sent_bytes_total: u64,
    pub arena_bytes_used: u64,
    pub arena_bytes_total: u64,
}

/// The reactor threads and all connections. All methods may be called from any thread, but
/// [`Network::submit`] from one at a time.
pub struct Network {}

impl Network {
    /// Starts the reactor threads.
    pub fn start(
        options: NetworkOptions,
        arena: Arc<Arena>,
        ring: Arc<Ring>,
    ) -> Result<Network, NetError> {
        let _ = (options, arena, ring);
        unreachable!("written in the next commit")
    }

    /// Binds and accepts; returns the bound address.
    pub fn listen(&self, options: &ListenOptions) -> Result<SocketAddr, NetError> {
        let _ = options;
        unreachable!("written in the next commit")
    }

    /// Starts an outbound connection. CONNECTED or CONNECT_FAILED follows, always.
    pub fn connect(&self, host: &str, port: u16, connect_id: u32) {
        let _ = (host, port, connect_id);
    }

    /// Carries out the rows in order. `bytes` is not used after the return. Rows for a dead
    /// generation are dropped, their pins released.
    pub fn submit(
        &self,
        rows: &[PlanRow],
        bytes: &[u8],
        pins: &dyn PinTable,
    ) -> Result<(), PlanError> {
        let _ = (rows, bytes, pins);
        Ok(())
    }

    /// Who is at the other end; `None` when that generation is gone.
    pub fn describe(&self, connection: u32, generation: u32) -> Option<ConnectionInfo> {
        let _ = (connection, generation);
        None
    }

    /// Stops accepting and closes the listening sockets; connections go on.
    pub fn stop_accepting(&self) {}

    pub fn stats(&self) -> NetworkStats {
        NetworkStats::default()
    }

    /// Stops accepting and reading, sends what is queued and still owed within `grace`, closes
    /// everything (CLOSED with SHUTDOWN) and ends the threads. Blocks: call it on a thread that
    /// neither drains the ring nor submits. Doing it twice is harmless.
    pub fn shutdown(&self, grace: Duration) {
        let _ = grace;
    }
}
