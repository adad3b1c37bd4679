//! A network under hostile clients for a while: `soak [seconds]`. Prints what it holds over time,
//! and fails if anything is left when the clients are gone.
//!
//! The clients run in a process of their own (the same program), so that the numbers are the
//! network's: storms of connections that are reset at any point, frames that stop half-way,
//! absurd sizes, readers that stop reading, and decent producers that are killed now and then.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mantou_net_core::rows::event_kind;
use mantou_net_core::{
    Arena, EventRow, FileRange, ListenOptions, Network, NetworkOptions, PinTable, PlanRow, Ring,
    arena,
};

/// Asks for bytes of the file; any other api key is a produce that gets a short answer.
const FETCH: u32 = 1 << 16;
const FILE_BYTES: u32 = 4 << 20;

struct Pinned {
    file: Arc<File>,
    open: Arc<AtomicUsize>,
}

impl FileRange for Pinned {
    fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Every pin is the same file.
struct Pins {
    file: Arc<File>,
    open: Arc<AtomicUsize>,
    given: Mutex<HashMap<u32, Arc<dyn FileRange>>>,
    next: AtomicU32,
}

impl Pins {
    fn add(&self) -> u32 {
        self.open.fetch_add(1, Ordering::SeqCst);
        let pin = self.next.fetch_add(1, Ordering::SeqCst);
        let range = Pinned {
            file: Arc::clone(&self.file),
            open: Arc::clone(&self.open),
        };
        self.given.lock().unwrap().insert(pin, Arc::new(range));
        pin
    }
}

impl PinTable for Pins {
    fn take(&self, pin: u32) -> Option<Arc<dyn FileRange>> {
        self.given.lock().unwrap().remove(&pin)
    }

    fn release(&self, pin: u32) {
        self.given.lock().unwrap().remove(&pin);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, address, seconds] = &arguments[..]
        && role == "clients"
    {
        return clients(address.parse().unwrap(), seconds.parse().unwrap());
    }
    let seconds: u64 = arguments.get(1).map_or(30, |text| text.parse().unwrap());
    let arena = Arena::map(arena::DEFAULT_BYTES).unwrap();
    let ring = Arc::new(Ring::new(mantou_net_core::ring::DEFAULT_ROWS));
    let bell = Arc::new((Mutex::new(false), Condvar::new()));
    let ringer = Arc::clone(&bell);
    ring.set_bell(move || {
        *ringer.0.lock().unwrap() = true;
        ringer.1.notify_one();
    });
    let options = NetworkOptions {
        idle_timeout_ms: 3_000,
        frame_timeout_ms: 2_000,
        ..Default::default()
    };
    let network = Network::start(options, Arc::clone(&arena), Arc::clone(&ring)).unwrap();
    let listen = ListenOptions {
        host: "127.0.0.1".into(),
        port: 0,
        listener_id: 1,
        frame_bytes_max: 100 << 20,
    };
    let address = network.listen(&listen).unwrap();
    let pins = Pins {
        file: Arc::new(file()),
        open: Arc::default(),
        given: Mutex::default(),
        next: AtomicU32::new(1),
    };
    let descriptors = count_descriptors();
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args(["clients", &address.to_string(), &seconds.to_string()])
        .spawn()
        .unwrap();

    println!("   s  RSS MB  arena MB  connections  accepted  refused  frames  in MB  out MB  pins");
    let started = Instant::now();
    let mut report = Report {
        started,
        next: started,
        frames: 0,
        opened: 0,
        closed: 0,
    };
    let mut ended = None;
    while ended.is_none_or(|at: Instant| at.elapsed() < Duration::from_secs(6)) {
        let rung = bell.0.lock().unwrap();
        let wait = Duration::from_millis(200);
        let (mut rung, _) = bell
            .1
            .wait_timeout_while(rung, wait, |rung| !*rung)
            .unwrap();
        *rung = false;
        drop(rung);
        serve(&network, &ring, &pins, &arena, &mut report);
        report.print(&network, &arena, &pins);
        if ended.is_none() && child.try_wait().unwrap().is_some() {
            ended = Some(Instant::now());
        }
    }
    child.wait().unwrap();
    report.next = started;
    report.print(&network, &arena, &pins);
    assert_eq!(report.opened, report.closed, "connections without an end");
    assert_eq!(arena.used(), 0, "arena bytes leaked");
    assert_eq!(pins.open.load(Ordering::SeqCst), 0, "pins leaked");
    assert_eq!(network.stats().connections, 0);
    assert_eq!(count_descriptors(), descriptors, "descriptors leaked");
    println!("nothing left behind; {descriptors} descriptors before and after");
}

/// The broker: answers everything at once.
fn serve(network: &Network, ring: &Ring, pins: &Pins, arena: &Arena, report: &mut Report) {
    let mut table = [EventRow::default(); 512];
    loop {
        let count = ring.drain(&mut table);
        let mut rows = Vec::new();
        for event in &table[..count] {
            let [kind, c, g, offset, _, api, _, sequence] = event.words;
            match kind {
                event_kind::OPENED => report.opened += 1,
                event_kind::CLOSED => report.closed += 1,
                event_kind::FRAME => {
                    report.frames += 1;
                    // SAFETY: one byte of a frame that was not released yet.
                    let last = unsafe { arena.base_ptr().add(offset as usize + 7).read() };
                    if api == FETCH {
                        let length = FILE_BYTES >> (last % 8);
                        rows.push(PlanRow::respond(c, g, sequence, 2, length + 8));
                        rows.push(PlanRow::segment_bytes(0, 8));
                        rows.push(PlanRow::segment_file(pins.add(), 0, length));
                    } else {
                        rows.push(PlanRow::respond(c, g, sequence, 1, 60));
                        rows.push(PlanRow::segment_bytes(0, 60));
                    }
                    rows.push(PlanRow::release(offset));
                }
                _ => {}
            }
        }
        network.submit(&rows, &[7; 60], pins).unwrap();
        if count < table.len() {
            return;
        }
    }
}

struct Report {
    started: Instant,
    next: Instant,
    frames: u64,
    opened: u64,
    closed: u64,
}

impl Report {
    fn print(&mut self, network: &Network, arena: &Arena, pins: &Pins) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + Duration::from_secs(5);
        let stats = network.stats();
        println!(
            "{:4} {:7.1} {:9.1} {:12} {:9} {:8} {:7} {:6} {:7} {:5}",
            self.started.elapsed().as_secs(),
            resident_bytes() as f64 / 1e6,
            arena.used() as f64 / 1e6,
            stats.connections,
            stats.accepted_total,
            stats.refused_total,
            self.frames,
            stats.received_bytes_total / 1_000_000,
            stats.sent_bytes_total / 1_000_000,
            pins.open.load(Ordering::SeqCst),
        );
    }
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn count_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn file() -> File {
    let path = std::env::temp_dir().join(format!("net-core-soak-{}", std::process::id()));
    std::fs::write(&path, vec![9; FILE_BYTES as usize]).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

fn clients(address: SocketAddr, seconds: u64) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let kinds = [
        storm,
        storm,
        producer,
        producer,
        fetcher,
        half_sender,
        slow_reader,
    ];
    let threads: Vec<_> = kinds
        .into_iter()
        .enumerate()
        .map(|(seed, kind)| {
            std::thread::spawn(move || {
                let mut random = Random(seed as u64 * 7919 + 1);
                while Instant::now() < deadline {
                    // Every error is one that the client has asked for.
                    let _ = kind(address, &mut random);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

fn request(api: u32, id: u32, bytes: usize) -> Vec<u8> {
    let mut request = (8 + bytes as u32).to_be_bytes().to_vec();
    request.extend(api.to_be_bytes());
    request.extend(id.to_be_bytes());
    request.resize(12 + bytes, 5);
    request
}

fn reset(stream: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the value lives through the call.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        );
    }
}

/// A connection that ends at some point, politely or not.
fn storm(address: SocketAddr, random: &mut Random) -> std::io::Result<()> {
    let mut stream = connect(address)?;
    let bytes = match random.below(4) {
        0 => request(0, 1, 100),
        1 => request(FETCH, random.below(8) as u32, 0),
        2 => (random.below(1 << 32) as u32).to_be_bytes().to_vec(),
        _ => request(0, 1, 100_000),
    };
    let cut = random.below(bytes.len() as u64 + 1) as usize;
    stream.write_all(&bytes[..cut])?;
    if random.below(2) == 0 {
        reset(stream);
    }
    Ok(())
}

/// Five requests of 64 KiB in flight, some hundred times, then gone.
fn producer(address: SocketAddr, random: &mut Random) -> std::io::Result<()> {
    let mut stream = connect(address)?;
    let bytes = request(0, 1, 65_536 + random.below(600) as usize);
    let mut answer = [0; 64];
    for _ in 0..5 {
        stream.write_all(&bytes)?;
    }
    for _ in 0..random.below(400) {
        stream.read_exact(&mut answer)?;
        stream.write_all(&bytes)?;
    }
    reset(stream);
    Ok(())
}

fn fetcher(address: SocketAddr, random: &mut Random) -> std::io::Result<()> {
    let mut stream = connect(address)?;
    let mut answer = vec![0; FILE_BYTES as usize];
    for _ in 0..random.below(100) {
        stream.write_all(&request(FETCH, random.below(8) as u32, 0))?;
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix)?;
        let length = u32::from_be_bytes(prefix) as usize;
        answer.resize(length, 0);
        stream.read_exact(&mut answer)?;
    }
    Ok(())
}

/// Twenty frames of up to 10 MB that stop half-way, until they are given up.
fn half_sender(address: SocketAddr, random: &mut Random) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(address)?;
        let length = 100 << random.below(17);
        stream.write_all(&request(0, 1, length)[..length / 2])?;
        streams.push(stream);
    }
    for mut stream in streams {
        stream.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

/// Twenty readers that ask for more than they take, until they are given up.
fn slow_reader(address: SocketAddr, random: &mut Random) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(address)?;
        for _ in 0..random.below(200) {
            stream.write_all(&request(FETCH, 0, 0))?;
        }
        streams.push(stream);
    }
    let mut some = vec![0; 100_000];
    for _ in 0..10 {
        for stream in &mut streams {
            let _ = stream.read(&mut some);
        }
    }
    std::thread::sleep(Duration::from_secs(4));
    Ok(())
}
