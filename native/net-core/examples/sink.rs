//! The smallest broker there can be: takes Produce 8 and forgets it, answers Fetch 11 with one file
//! range. What `loadgen` measures against it is what the network alone costs.
//!
//! `sink [host:port] [tick µs] [file of batches]`

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Condvar, Mutex};

use mantou_net_core::rows::event_kind;
use mantou_net_core::{
    Arena, EventRow, FileRange, ListenOptions, Network, NetworkOptions, PinTable, PlanRow, Ring,
    arena,
};

struct Range(File);

impl FileRange for Range {
    fn raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Any pin is the one file.
struct OneFile(Option<Arc<dyn FileRange>>);

impl PinTable for OneFile {
    fn take(&self, _: u32) -> Option<Arc<dyn FileRange>> {
        self.0.clone()
    }

    fn release(&self, _: u32) {}
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let address = arguments.get(1).map_or("127.0.0.1:9092", String::as_str);
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let tick_us = arguments
        .get(2)
        .map_or(500, |text| text.parse().expect("microseconds"));
    let file = arguments
        .get(3)
        .map(|path| File::open(path).expect("the file of batches"));
    let length = file
        .as_ref()
        .map_or(0, |file| file.metadata().expect("its size").len()) as u32;
    let pins = OneFile(file.map(|file| Arc::new(Range(file)) as Arc<dyn FileRange>));

    let arena = Arena::map(arena::DEFAULT_BYTES).expect("the arena");
    let ring = Arc::new(Ring::new(mantou_net_core::ring::DEFAULT_ROWS));
    let bell = Arc::new((Mutex::new(false), Condvar::new()));
    let ringer = Arc::clone(&bell);
    ring.set_bell(move || {
        *ringer.0.lock().unwrap() = true;
        ringer.1.notify_one();
    });
    let options = NetworkOptions {
        tick_us,
        ..Default::default()
    };
    let network = Network::start(options, Arc::clone(&arena), Arc::clone(&ring)).expect("network");
    let listen = ListenOptions {
        host: host.to_owned(),
        port: port.parse().expect("a port"),
        listener_id: 0,
        frame_bytes_max: 100 << 20,
    };
    println!("{}", network.listen(&listen).expect("listening"));
    let mut table = vec![EventRow::default(); 1024];
    let mut rows = Vec::new();
    let mut bytes = Vec::new();
    loop {
        let rung = bell.0.lock().unwrap();
        *bell.1.wait_while(rung, |rung| !*rung).unwrap() = false;
        loop {
            let count = ring.drain(&mut table);
            rows.clear();
            bytes.clear();
            for event in table[..count]
                .iter()
                .filter(|event| event.kind() == event_kind::FRAME)
            {
                answer(event, &arena, length, &mut rows, &mut bytes);
            }
            network
                .submit(&rows, &bytes, &pins)
                .expect("a plan that makes sense");
            if count < table.len() {
                break;
            }
        }
    }
}

fn answer(
    event: &EventRow,
    arena: &Arena,
    file: u32,
    rows: &mut Vec<PlanRow>,
    bytes: &mut Vec<u8>,
) {
    let [_, c, g, offset, length, api, correlation, sequence] = event.words;
    // SAFETY: the frame is ours until it is released; we trust our own load generator's lengths.
    let frame = unsafe {
        std::slice::from_raw_parts(arena.base_ptr().add(offset as usize), length as usize)
    };
    let at = bytes.len() as u32;
    bytes.extend(correlation.to_be_bytes());
    // Behind the header (10 bytes and the client's id) and what stands before the topics.
    let client = 10 + u16_at(frame, 8) as usize;
    if api >> 16 == 0 {
        let topic = client + 12;
        let name = topic + 2 + u16_at(frame, topic) as usize;
        bytes.extend(1u32.to_be_bytes());
        bytes.extend(&frame[topic..name]);
        // As many partitions as there were; their indexes do not matter to the generator.
        let count = &frame[name..name + 4];
        bytes.extend(count);
        for _ in 0..u32::from_be_bytes(count.try_into().unwrap()) {
            bytes.extend([0; 4 + 2 + 24 + 4]);
            bytes.extend((-1i16).to_be_bytes());
        }
        bytes.extend([0; 4]);
        let total = bytes.len() as u32 - at;
        rows.push(PlanRow::respond(c, g, sequence, 1, total));
        rows.push(PlanRow::segment_bytes(at, total));
    } else if api >> 16 != 1 {
        rows.push(PlanRow::close(c, g));
    } else {
        let topic = client + 29;
        let name = topic + 2 + u16_at(frame, topic) as usize;
        bytes.extend([0; 10]);
        bytes.extend(1u32.to_be_bytes());
        bytes.extend(&frame[topic..name]);
        bytes.extend(1u32.to_be_bytes());
        bytes.extend(&frame[name + 4..name + 8]);
        bytes.extend([0; 2 + 24 + 4]);
        bytes.extend((-1i32).to_be_bytes());
        bytes.extend(file.to_be_bytes());
        let total = bytes.len() as u32 - at;
        rows.push(PlanRow::respond(c, g, sequence, 2, total + file));
        rows.push(PlanRow::segment_bytes(at, total));
        rows.push(PlanRow::segment_file(0, 0, file));
    }
    rows.push(PlanRow::release(offset));
}

fn u16_at(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}
