//! Listeners, connections and the plans carried out on them.

mod shutdown;

use std::any::Any;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::arena::Arena;
use crate::plan::Plan;
use crate::poller::EpollPoller;
use crate::reactor::Reactor;
use crate::ring::Ring;
use crate::rows::PlanRow;
use crate::shared::{Command, Counters, Listener, Mailbox, Shared, lock};
use crate::slots::{Admission, Slot};
use crate::sys;

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
    /// Requests of one connection without an answer at which it is no longer read. Clients keep
    /// about five on their way; a peer that sends tiny requests and reads nothing must not make
    /// the broker keep an answer for each of them.
    pub unanswered_max: u32,
    /// Distance of two ticks under load, in microseconds, where it slows nobody down. 0: none.
    pub tick_us: u32,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            connections_max: u32::MAX,
            connections_per_ip_max: u32::MAX,
            idle_timeout_ms: 600_000,
            connection_quota_bytes: 4 << 20,
            output_quota_bytes: 16 << 20,
            reactors: 1,
            outbound_max: 1_024,
            connect_timeout_ms: 10_000,
            outbound_frame_bytes_max: 100 << 20,
            frame_timeout_ms: 30_000,
            frame_bytes_per_second: 256 << 10,
            unanswered_max: 128,
            tick_us: 500,
        }
    }
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
    /// Times that a connection was not read because the arena had no room.
    pub memory_waits_total: u64,
    pub arena_bytes_used: u64,
    pub arena_bytes_total: u64,
}

/// Connections that the kernel holds for us before they are accepted.
const BACKLOG: i32 = 1_024;
/// Descriptors left to everything that is not a connection.
const OTHER_DESCRIPTORS: u64 = 64;

type Lookup = (String, u16, u32);

/// The reactor threads and all connections. All methods may be called from any thread, but
/// [`Network::submit`] from one at a time.
pub struct Network {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// To the thread that resolves names; started with the first name.
    lookups: Mutex<Option<mpsc::Sender<Lookup>>>,
    /// Connections that the current plan touched; kept to save the allocation.
    touched: Mutex<Vec<u32>>,
}

impl Network {
    /// Starts the reactor threads. One network per arena and ring.
    pub fn start(
        options: NetworkOptions,
        arena: Arc<Arena>,
        ring: Arc<Ring>,
    ) -> Result<Network, NetError> {
        let fault = |error: std::io::Error| NetError::new(&error, "cannot start the network");
        let reactors = options.reactors.max(1);
        // More connections than descriptors cannot be, and each slot costs memory.
        let possible = sys::descriptors_max()
            .saturating_sub(OTHER_DESCRIPTORS)
            .max(16) as u32;
        let outbound_max = options.outbound_max.min(possible / 4).max(1);
        let inbound_max = options.connections_max.min(possible - outbound_max);
        let admission = Admission::new(inbound_max, outbound_max, options.connections_per_ip_max);
        let mailboxes: std::io::Result<Vec<Mailbox>> =
            (0..reactors).map(|_| Mailbox::new()).collect();
        let shared = Arc::new(Shared {
            slots: (0..admission.slots_max())
                .map(|_| Slot::default())
                .collect(),
            admission,
            mailboxes: mailboxes.map_err(fault)?,
            options,
            arena,
            ring,
            listeners: Mutex::new(Vec::new()),
            counters: Counters::default(),
            turn: AtomicU32::new(0),
            started: Instant::now(),
        });
        let network = Network {
            shared: Arc::clone(&shared),
            threads: Mutex::new(Vec::new()),
            lookups: Mutex::new(None),
            touched: Mutex::new(Vec::new()),
        };
        for index in 0..reactors {
            let poller = Box::new(EpollPoller::new().map_err(fault)?);
            let reactor = Reactor::new(index, Arc::clone(&shared), poller).map_err(fault)?;
            let thread = std::thread::Builder::new()
                .name(format!("reactor-{index}"))
                .spawn(move || run_guarded(reactor))
                .map_err(fault)?;
            lock(&network.threads).push(thread);
        }
        shared.arena.observe(Some(Arc::clone(&shared) as Arc<_>));
        let weak = Arc::downgrade(&shared);
        shared.ring.set_on_space(Some(Arc::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.ring_has_space();
            }
        })));
        Ok(network)
    }

    /// Binds and accepts; returns the bound address. An empty host is every IPv4 address.
    pub fn listen(&self, options: &ListenOptions) -> Result<SocketAddr, NetError> {
        let name = format!("{}:{}", options.host, options.port);
        let fault = |error: std::io::Error| NetError::new(&error, &format!("cannot bind {name}"));
        let host = if options.host.is_empty() {
            "0.0.0.0"
        } else {
            &options.host
        };
        let address = resolve(host, options.port)
            .map_err(fault)?
            .first()
            .copied()
            .ok_or_else(|| fault(std::io::Error::from_raw_os_error(libc::EADDRNOTAVAIL)))?;
        let socket = sys::stream_socket(&address).map_err(fault)?;
        sys::set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(fault)?;
        sys::bind_and_listen(&socket, &address, BACKLOG).map_err(fault)?;
        let bound = sys::local_address(&socket).map_err(fault)?;
        let mut listeners = lock(&self.shared.listeners);
        listeners.push(Some(Listener {
            socket,
            listener_id: options.listener_id,
            frame_limit: options.frame_bytes_max,
        }));
        let index = listeners.len() - 1;
        drop(listeners);
        self.shared.mailboxes[0].command(Command::Listen(index));
        Ok(bound)
    }

    /// Starts an outbound connection; names are resolved on a thread of their own. CONNECTED or
    /// CONNECT_FAILED follows, unless `shutdown` has returned before.
    ///
    /// `errno` of the latter: EHOSTUNREACH also for a name that does not resolve, EMFILE at
    /// `outbound_max`, ETIMEDOUT after `connect_timeout_ms`.
    pub fn connect(&self, host: &str, port: u16, connect_id: u32) {
        let mailbox = &self.shared.mailboxes[self.shared.next_reactor()];
        if let Ok(ip) = host.parse::<IpAddr>() {
            let addresses = vec![SocketAddr::new(ip, port)];
            mailbox.command(Command::Connect {
                addresses,
                connect_id,
            });
            return;
        }
        let mut lookups = lock(&self.lookups);
        if lookups.is_none() {
            *lookups = start_resolver(Arc::downgrade(&self.shared));
        }
        let lookup = (host.to_owned(), port, connect_id);
        let sent = lookups
            .as_ref()
            .is_some_and(|lookups| lookups.send(lookup).is_ok());
        if !sent {
            mailbox.command(Command::ConnectFailed {
                connect_id,
                errno: libc::EAGAIN,
            });
        }
    }

    /// Carries out the rows in order. `bytes` is not used after the return. Rows for a dead
    /// generation are dropped, their pins released. Answers of bytes leave before the return
    /// where the connection takes them at once.
    ///
    /// # Panics
    /// On a RELEASE of what is not held, see [`Arena::release`].
    pub fn submit(
        &self,
        rows: &[PlanRow],
        bytes: &[u8],
        pins: &dyn PinTable,
    ) -> Result<(), PlanError> {
        let mut touched = lock(&self.touched);
        Plan {
            shared: &self.shared,
            rows,
            bytes,
            pins,
            touched: &mut touched,
        }
        .run()
    }

    /// Who is at the other end; `None` when that generation is gone.
    pub fn describe(&self, connection: u32, generation: u32) -> Option<ConnectionInfo> {
        let output = self.shared.slots.get(connection as usize)?.lock();
        (output.generation == generation && generation != 0).then_some(output.peer)?
    }

    /// Stops accepting and closes the listening sockets; connections go on.
    pub fn stop_accepting(&self) {
        self.shared.stop_accepting();
    }

    pub fn stats(&self) -> NetworkStats {
        let counters = &self.shared.counters;
        NetworkStats {
            connections: self.shared.admission.count().into(),
            accepted_total: counters.accepted.load(Ordering::Relaxed),
            refused_total: counters.refused.load(Ordering::Relaxed),
            received_bytes_total: counters.received_bytes.load(Ordering::Relaxed),
            sent_bytes_total: counters.sent_bytes.load(Ordering::Relaxed),
            memory_waits_total: counters.memory_waits.load(Ordering::Relaxed),
            arena_bytes_used: self.shared.arena.used() as u64,
            arena_bytes_total: self.shared.arena.len() as u64,
        }
    }
}

impl NetError {
    fn new(error: &std::io::Error, what: &str) -> Self {
        let errno = error.raw_os_error().unwrap_or(libc::EADDRNOTAVAIL);
        Self {
            code: sys::error_name(errno),
            errno,
            message: format!("{what}: {error}"),
        }
    }
}

impl std::fmt::Display for NetError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for NetError {}

fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(vec![SocketAddr::new(ip, port)]),
        Err(_) => Ok((host, port).to_socket_addrs()?.collect()),
    }
}

/// Resolving blocks, so it has a thread, which ends with the network.
fn start_resolver(shared: Weak<Shared>) -> Option<mpsc::Sender<Lookup>> {
    let (sender, receiver) = mpsc::channel::<Lookup>();
    let work = move || {
        while let Ok((host, port, connect_id)) = receiver.recv() {
            let addresses = resolve(&host, port).unwrap_or_default();
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let command = if addresses.is_empty() {
                Command::ConnectFailed {
                    connect_id,
                    errno: libc::EHOSTUNREACH,
                }
            } else {
                Command::Connect {
                    addresses,
                    connect_id,
                }
            };
            shared.mailboxes[shared.next_reactor()].command(command);
        }
    };
    let spawned = std::thread::Builder::new()
        .name("resolver".into())
        .spawn(work);
    spawned.ok().map(|_| sender)
}

/// A panic in a reactor leaves connections in an unknown state: the process says so and ends.
fn run_guarded(mut reactor: Reactor) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| reactor.run())) {
        eprintln!(
            "mantou: fatal: a reactor thread panicked: {}",
            panic_text(&*panic)
        );
        std::process::abort();
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}
