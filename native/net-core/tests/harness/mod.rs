//! A network under test, with the test in the place of the broker.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mantou_net_core::rows::{CloseReason, event_kind};
use mantou_net_core::{
    Arena, EventRow, FileRange, ListenOptions, Network, NetworkOptions, PinTable, PlanRow, Ring,
};

/// Nothing that works takes as long.
pub const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

/// Files pinned by number. Counts those that are still open.
#[derive(Default)]
pub struct Pins {
    files: Mutex<HashMap<u32, Arc<dyn FileRange>>>,
    pub open: Arc<AtomicUsize>,
}

struct PinnedFile {
    file: std::fs::File,
    open: Arc<AtomicUsize>,
}

impl FileRange for PinnedFile {
    fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for PinnedFile {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl PinTable for Pins {
    fn take(&self, pin: u32) -> Option<Arc<dyn FileRange>> {
        self.files.lock().unwrap().remove(&pin)
    }

    fn release(&self, pin: u32) {
        self.files.lock().unwrap().remove(&pin);
    }
}

impl Pins {
    pub fn add(&self, pin: u32, file: std::fs::File) {
        self.open.fetch_add(1, Ordering::SeqCst);
        let file = PinnedFile {
            file,
            open: Arc::clone(&self.open),
        };
        self.files.lock().unwrap().insert(pin, Arc::new(file));
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub connection: u32,
    pub generation: u32,
    pub offset: u32,
    pub length: u32,
    pub api: u32,
    pub correlation_id: u32,
    pub sequence: u32,
}

pub struct Net {
    pub arena: Arc<Arena>,
    pub ring: Arc<Ring>,
    pub network: Network,
    pub address: SocketAddr,
    pub pins: Pins,
    bell: Arc<Bell>,
    inbox: VecDeque<EventRow>,
    /// Rows taken with one drain.
    pub drain_rows: usize,
}

/// Options that no limit of gets in the way.
pub fn options() -> NetworkOptions {
    NetworkOptions {
        connections_max: 4096,
        connections_per_ip_max: 4096,
        idle_timeout_ms: 0,
        tick_us: 0,
        ..NetworkOptions::default()
    }
}

impl Net {
    pub fn new(options: NetworkOptions) -> Net {
        Net::with(options, 16 << 20, 1024, 1 << 20)
    }

    pub fn with(
        options: NetworkOptions,
        arena_bytes: usize,
        ring_rows: usize,
        frame_bytes_max: u32,
    ) -> Net {
        let arena = Arena::map(arena_bytes).unwrap();
        let ring = Arc::new(Ring::new(ring_rows));
        let bell = Arc::new(Bell::default());
        let ringer = Arc::clone(&bell);
        ring.set_bell(move || {
            *ringer.rung.lock().unwrap() = true;
            ringer.changed.notify_all();
        });
        let network = Network::start(options, Arc::clone(&arena), Arc::clone(&ring)).unwrap();
        let listen = ListenOptions {
            host: "127.0.0.1".into(),
            port: 0,
            listener_id: 7,
            frame_bytes_max,
        };
        let address = network.listen(&listen).unwrap();
        Net {
            arena,
            ring,
            network,
            address,
            pins: Pins::default(),
            bell,
            inbox: VecDeque::new(),
            drain_rows: 64,
        }
    }

    pub fn client(&self) -> TcpStream {
        connect(self.address)
    }

    /// A client and its connection's slot and generation.
    pub fn opened(&mut self) -> (TcpStream, u32, u32) {
        let client = self.client();
        let event = self.expect(event_kind::OPENED);
        assert_eq!(event.words[3], 7, "the listener's id");
        (client, event.connection(), event.generation())
    }

    /// The next event, waiting for it by the bell alone.
    pub fn next(&mut self) -> EventRow {
        self.next_within(DEADLINE).expect("no event came in time")
    }

    pub fn next_within(&mut self, time: Duration) -> Option<EventRow> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(event) = self.inbox.pop_front() {
                return Some(event);
            }
            self.wait_bell(deadline)?;
            self.drain_all();
        }
    }

    fn wait_bell(&self, deadline: Instant) -> Option<()> {
        let mut rung = self.bell.rung.lock().unwrap();
        while !*rung {
            let left = deadline.checked_duration_since(Instant::now())?;
            rung = self.bell.changed.wait_timeout(rung, left).unwrap().0;
        }
        *rung = false;
        Some(())
    }

    fn drain_all(&mut self) {
        let mut table = vec![EventRow::default(); self.drain_rows];
        loop {
            let count = self.ring.drain(&mut table);
            self.inbox.extend(&table[..count]);
            if count < table.len() {
                return;
            }
        }
    }

    pub fn expect(&mut self, kind: u32) -> EventRow {
        let event = self.next();
        assert_eq!(event.kind(), kind, "{event:?}");
        event
    }

    pub fn expect_closed(&mut self, connection: u32, generation: u32, reason: CloseReason) {
        let event = self.expect(event_kind::CLOSED);
        assert_eq!(
            (event.connection(), event.generation()),
            (connection, generation)
        );
        assert_eq!(event.words[4], reason as u32, "{reason:?} expected");
    }

    pub fn frame(&mut self) -> Frame {
        let [
            _,
            connection,
            generation,
            offset,
            length,
            api,
            correlation_id,
            sequence,
        ] = self.expect(event_kind::FRAME).words;
        Frame {
            connection,
            generation,
            offset,
            length,
            api,
            correlation_id,
            sequence,
        }
    }

    /// Waits until no event has come for a moment: for what must *not* happen.
    pub fn quiet(&mut self) {
        let event = self.next_within(Duration::from_millis(60));
        assert_eq!(event, None, "nothing should have happened");
    }

    pub fn bytes(&self, frame: &Frame) -> Vec<u8> {
        let mut bytes = vec![0; frame.length as usize];
        // SAFETY: the frame was not released yet, so its run stands.
        unsafe {
            let from = self.arena.base_ptr().add(frame.offset as usize);
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
        }
        bytes
    }

    pub fn submit(&self, rows: &[PlanRow], bytes: &[u8]) {
        self.network.submit(rows, bytes, &self.pins).unwrap();
    }

    pub fn release(&self, frame: &Frame) {
        self.submit(&[PlanRow::release(frame.offset)], &[]);
    }

    pub fn respond(&self, frame: &Frame, bytes: &[u8]) {
        let length = bytes.len() as u32;
        let rows = [
            PlanRow::respond(
                frame.connection,
                frame.generation,
                frame.sequence,
                1,
                length,
            ),
            PlanRow::segment_bytes(0, length),
        ];
        self.submit(&rows, bytes);
    }

    /// Answers with the frame's own bytes and releases it.
    pub fn echo(&self, frame: &Frame) {
        let bytes = self.bytes(frame);
        self.respond(frame, &bytes);
        self.release(frame);
    }

    /// Waits for a condition that no event announces.
    pub fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition() {
            assert!(Instant::now() < deadline, "{what} did not come true");
            std::thread::yield_now();
        }
    }

    /// Stops the network and checks that nothing is left behind.
    pub fn finish(mut self) {
        self.network.shutdown(Duration::ZERO);
        self.drain_all();
        for event in std::mem::take(&mut self.inbox) {
            if event.kind() == event_kind::FRAME {
                self.arena.release(event.words[3]);
            }
        }
        assert_eq!(self.arena.used(), 0, "arena bytes leaked");
        assert_eq!(self.pins.open.load(Ordering::SeqCst), 0, "pins leaked");
        assert_eq!(self.network.stats().connections, 0);
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A request of `body_bytes` behind its header, with its prefix.
pub fn request(api: u32, correlation_id: u32, body_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12 + body_bytes);
    bytes.extend((8 + body_bytes as u32).to_be_bytes());
    bytes.extend(api.to_be_bytes());
    bytes.extend(correlation_id.to_be_bytes());
    bytes.extend((0..body_bytes).map(|at| (at as u32 * 31 + correlation_id) as u8));
    bytes
}

pub fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).unwrap();
    let mut bytes = vec![0; u32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads until the other side is gone.
pub fn read_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

pub fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// Closes with a reset.
pub fn reset(stream: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the value lives through the call.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
    drop(stream);
}

pub fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}

/// A file of `bytes` pseudo-random bytes that has no name any more, and its content.
pub fn file(bytes: usize, seed: u64) -> (std::fs::File, Vec<u8>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut content = Vec::with_capacity(bytes + 8);
    let mut state = seed | 1;
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend(state.to_le_bytes());
    }
    content.truncate(bytes);
    let name = format!(
        "net-core-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::SeqCst)
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, &content).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    (file, content)
}
