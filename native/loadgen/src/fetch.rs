//! Fetching in a loop.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::lane::{InFlight, Lane, settle};
use crate::options::Options;
use crate::poll::Poll;
use crate::report::Tally;
use crate::{batch, stop, wire};

struct Consumer {
    lane: Lane,
    /// Partition and the offset to go on from.
    positions: Vec<(u32, i64)>,
    request: Vec<u8>,
    sent: usize,
}

pub fn run(
    options: &Options,
    lanes: Vec<(u32, Lane)>,
    begin: Instant,
    end: Instant,
) -> Result<Tally> {
    let mut poll = Poll::new()?;
    let mut consumers = Vec::new();
    for (connection, lane) in lanes {
        let partitions = (connection % options.partitions..options.partitions)
            .step_by(options.connections as usize);
        poll.add(lane.stream.as_raw_fd(), consumers.len())?;
        let positions = partitions.map(|partition| (partition, 0)).collect();
        consumers.push(Consumer {
            lane,
            positions,
            request: Vec::new(),
            sent: 0,
        });
    }
    let mut tally = Tally::new();
    for consumer in &mut consumers {
        consumer.start(options)?;
    }
    while !stop::is_over(end) && consumers.iter().any(|one| !one.positions.is_empty()) {
        let ready: Vec<usize> = poll.wait(Duration::from_millis(100))?.collect();
        for index in ready {
            let consumer = &mut consumers[index];
            consumer.go_on()?;
            while consumer.lane.receive()? {
                while consumer.settle(options.once, &mut tally, begin, end)? {
                    if !consumer.positions.is_empty() {
                        consumer.start(options)?;
                    }
                }
            }
        }
    }
    Ok(tally)
}

impl Consumer {
    fn start(&mut self, options: &Options) -> Result<()> {
        let (max, each) = (options.max_bytes, options.partition_max_bytes);
        self.request = wire::fetch(&options.topic, max, each, &self.positions);
        let correlation = self.lane.next_correlation;
        wire::set_correlation(&mut self.request, correlation);
        self.lane.next_correlation = correlation.wrapping_add(1);
        self.sent = 0;
        let due = Instant::now();
        self.lane.in_flight.push_back(InFlight {
            correlation,
            due,
            bytes: 0,
        });
        // Whoever was served last comes last, or some would never be served.
        let first = self.positions.len().min(1);
        self.positions.rotate_left(first);
        self.go_on()
    }

    fn go_on(&mut self) -> Result<()> {
        self.sent = self.lane.send(&[&self.request], self.sent)?;
        Ok(())
    }

    /// Takes an answer, if there is one.
    fn settle(
        &mut self,
        once: bool,
        tally: &mut Tally,
        begin: Instant,
        end: Instant,
    ) -> Result<bool> {
        let Lane { in_flight, .. } = &mut self.lane;
        let mut in_flight = std::mem::take(in_flight);
        let Some(frame) = self.lane.frame() else {
            self.lane.in_flight = in_flight;
            return Ok(false);
        };
        let mut request = settle(&mut in_flight, frame)?;
        let mut ends = HashMap::new();
        let mut batches = 0;
        let positions = &mut self.positions;
        let code = wire::read_fetch(frame, |fetched| {
            tally.error(fetched.error_code);
            request.bytes += fetched.records.len();
            if let Some((end, count)) = batch::end_of(fetched.records) {
                batches += u64::from(count);
                let again = end >= fetched.high_watermark;
                ends.insert(fetched.partition, if again && !once { 0 } else { end });
            }
            if once {
                let (partition, behind) = (fetched.partition, fetched.high_watermark);
                positions.retain(|(index, offset)| {
                    *index != partition || ends.get(index).unwrap_or(offset) < &behind
                });
            }
        });
        match code {
            Ok(code) => tally.error(code),
            Err(_) => return Err(Error::new(ErrorKind::InvalidData, "an answer that is none")),
        }
        tally.count(&request, batches, begin, end);
        for (partition, offset) in &mut self.positions {
            *offset = ends.get(partition).copied().unwrap_or(*offset);
        }
        self.lane.in_flight = in_flight;
        Ok(true)
    }
}
