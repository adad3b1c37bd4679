//! Producing: closed loop, or at a fixed rate.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::batch;
use crate::lane::{InFlight, Lane, settle};
use crate::options::Options;
use crate::poll::Poll;
use crate::report::Tally;
use crate::stamp::{Clock, Stamper};
use crate::{stop, wire};

/// Different contents, so that nothing can compress or cache them into one.
const TEMPLATES: u64 = 4;
/// How long answers are waited for behind the end.
const LATE: Duration = Duration::from_secs(5);

struct Producer {
    lane: Lane,
    /// The request without its batches, and how much of the one being sent is out.
    pieces: Vec<Vec<u8>>,
    sending: Option<usize>,
    next_partition: u32,
    template: usize,
    /// The stamped beginnings of the batches being sent; empty ones without stamps.
    heads: Vec<Vec<u8>>,
}

struct Thread<'a> {
    options: &'a Options,
    templates: Vec<Vec<u8>>,
    records: u64,
    producers: Vec<Producer>,
    tally: Tally,
    begin: Instant,
    end: Instant,
    stamper: Option<Stamper>,
    clock: Clock,
    /// Bytes that this thread may still send.
    left: u64,
}

pub fn run(
    options: &Options,
    lanes: Vec<(u32, Lane)>,
    begin: Instant,
    end: Instant,
) -> Result<Tally> {
    let made: Vec<(Vec<u8>, u32)> = (1..=TEMPLATES)
        .map(|seed| batch::encode(options.batch_bytes, options.record_bytes, seed * 77))
        .collect();
    let records = u64::from(made[0].1) * u64::from(options.batches);
    let templates: Vec<Vec<u8>> = made.into_iter().map(|(batch, _)| batch).collect();
    let batches = vec![&templates[0][..]; options.batches as usize];
    let mut poll = Poll::new()?;
    let mut producers = Vec::new();
    for (connection, lane) in lanes {
        poll.add(lane.stream.as_raw_fd(), producers.len())?;
        producers.push(Producer {
            lane,
            pieces: wire::produce(&options.topic, options.acks, options.timeout_ms, &batches),
            sending: None,
            next_partition: connection * options.partitions / options.connections,
            template: connection as usize,
            heads: vec![Vec::new(); options.batches as usize],
        });
    }
    let tally = Tally::new();
    let stamper = if options.stamp {
        let none = || Error::new(ErrorKind::InvalidInput, "no room for a stamp in a batch");
        Some(Stamper::new(&templates[0]).ok_or_else(none)?)
    } else {
        None
    };
    let share = |bytes: u64| bytes / u64::from(options.threads);
    let mut thread = Thread {
        options,
        templates,
        records,
        producers,
        tally,
        begin,
        end,
        stamper,
        clock: Clock::new(),
        left: options.total_bytes.map_or(u64::MAX, share),
    };
    match options.rate {
        None => thread.closed_loop(&mut poll)?,
        Some(rate) => thread.paced(&mut poll, rate / f64::from(options.threads))?,
    }
    thread.finish(&mut poll)?;
    Ok(thread.tally)
}

impl Thread<'_> {
    fn closed_loop(&mut self, poll: &mut Poll) -> Result<()> {
        for index in 0..self.producers.len() {
            self.fill(index)?;
        }
        while !stop::is_over(self.end) && self.left > 0 {
            let ready: Vec<usize> = poll.wait(Duration::from_millis(100))?.collect();
            for index in ready {
                self.receive(index)?;
                self.fill(index)?;
            }
        }
        Ok(())
    }

    /// Sends as long as there may be more in flight and the socket takes it.
    fn fill(&mut self, index: usize) -> Result<()> {
        loop {
            if self.producers[index].sending.is_none() {
                let is_full = self.producers[index].lane.in_flight.len() >= self.options.depth;
                if is_full || self.left == 0 {
                    return Ok(());
                }
                self.start(index, Instant::now());
            }
            if !self.go_on(index)? || Instant::now() >= self.end {
                return Ok(());
            }
        }
    }

    /// Requests become due at fixed times, and wait for a connection that may take them.
    fn paced(&mut self, poll: &mut Poll, rate: f64) -> Result<()> {
        let bytes = self.templates[0].len() * self.options.batches as usize;
        let distance = Duration::from_secs_f64(bytes as f64 / rate);
        let mut next_due = Instant::now();
        let mut due = VecDeque::new();
        let mut turn = 0;
        loop {
            let now = Instant::now();
            if stop::is_over(self.end) || self.left == 0 {
                return Ok(());
            }
            while next_due <= now {
                due.push_back(next_due);
                next_due += distance;
            }
            for _ in 0..self.producers.len() {
                turn = (turn + 1) % self.producers.len();
                let producer = &self.producers[turn];
                let free = producer.sending.is_none()
                    && producer.lane.in_flight.len() < self.options.depth;
                if free
                    && self.left > 0
                    && let Some(at) = due.pop_front()
                {
                    self.start(turn, at);
                    self.go_on(turn)?;
                }
            }
            let wait = next_due.saturating_duration_since(Instant::now());
            let ready: Vec<usize> = poll.wait(wait)?.collect();
            for index in ready {
                self.receive(index)?;
                self.go_on(index)?;
            }
        }
    }

    /// Makes the next request of a connection.
    fn start(&mut self, index: usize, due: Instant) {
        let producer = &mut self.producers[index];
        let lane = &mut producer.lane;
        for piece in &mut producer.pieces {
            wire::set_partition(piece, producer.next_partition);
            producer.next_partition = (producer.next_partition + 1) % self.options.partitions;
        }
        wire::set_correlation(&mut producer.pieces[0], lane.next_correlation);
        producer.template = (producer.template + 1) % self.templates.len();
        producer.sending = Some(0);
        let template = &self.templates[producer.template];
        let bytes = template.len() * producer.pieces.len();
        self.left = self.left.saturating_sub(bytes as u64);
        if let Some(stamper) = &self.stamper {
            let micros = self.clock.micros(due);
            for head in &mut producer.heads {
                stamper.stamp(template, head, micros);
            }
        }
        lane.in_flight.push_back(InFlight {
            correlation: lane.next_correlation,
            due,
            bytes,
        });
        lane.next_correlation = lane.next_correlation.wrapping_add(1);
    }

    /// Sends more of the request in progress. Returns whether there is none left to send.
    fn go_on(&mut self, index: usize) -> Result<bool> {
        let producer = &mut self.producers[index];
        let Some(sent) = producer.sending else {
            return Ok(true);
        };
        let template = &self.templates[producer.template][..];
        let pieces: Vec<&[u8]> = producer
            .pieces
            .iter()
            .zip(&producer.heads)
            .flat_map(|(piece, head)| [&piece[..], &head[..], &template[head.len()..]])
            .collect();
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        let sent = producer.lane.send(&pieces, sent)?;
        if sent < total {
            producer.sending = Some(sent);
            return Ok(false);
        }
        producer.sending = None;
        if self.options.acks == 0
            && let Some(request) = producer.lane.in_flight.pop_back()
        {
            self.tally
                .count(&request, self.records, self.begin, self.end);
        }
        Ok(true)
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        let lane = &mut self.producers[index].lane;
        while lane.receive()? {
            while let Some(frame) = lane.frame() {
                let frame = frame.to_vec();
                let request = settle(&mut lane.in_flight, &frame)?;
                let tally = &mut self.tally;
                let seen = wire::read_produce(&frame, |code| tally.error(code))
                    .map_err(|_| Error::new(ErrorKind::InvalidData, "an answer that is none"))?;
                if seen != self.options.batches as usize {
                    return Err(Error::new(ErrorKind::InvalidData, "partitions are missing"));
                }
                tally.count(&request, self.records, self.begin, self.end);
            }
        }
        Ok(())
    }

    /// Waits for the answers that are still to come.
    fn finish(&mut self, poll: &mut Poll) -> Result<()> {
        let deadline = Instant::now() + LATE;
        while self
            .producers
            .iter()
            .any(|producer| !producer.lane.in_flight.is_empty())
        {
            if Instant::now() >= deadline {
                self.tally.late += 1;
                return Ok(());
            }
            let ready: Vec<usize> = poll.wait(Duration::from_millis(50))?.collect();
            for index in ready {
                self.go_on(index)?;
                self.receive(index)?;
            }
        }
        Ok(())
    }
}
