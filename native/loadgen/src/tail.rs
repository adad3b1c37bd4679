//! Reading at the end of the log, as consumers that keep up do: every reader asks for every
//! partition, and is answered when there is something.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::lane::{InFlight, Lane, settle};
use crate::options::Options;
use crate::poll::Poll;
use crate::report::Tally;
use crate::{batch, stamp, stop, wire};

/// Nothing more is to come when so long nothing has, after the end.
const QUIET: Duration = Duration::from_millis(500);

struct Reader {
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
    let mut readers = Vec::new();
    for (_, lane) in lanes {
        poll.add(lane.stream.as_raw_fd(), readers.len())?;
        readers.push(Reader {
            lane,
            positions: (0..options.partitions).map(|index| (index, 0)).collect(),
            request: Vec::new(),
            sent: 0,
        });
    }
    let mut tally = Tally::new();
    for reader in &mut readers {
        reader.start(options)?;
    }
    let mut arrived = Instant::now();
    while !(stop::is_over(end) && arrived.elapsed() > QUIET) {
        let ready: Vec<usize> = poll.wait(Duration::from_millis(50))?.collect();
        for index in ready {
            let reader = &mut readers[index];
            reader.go_on()?;
            while reader.lane.receive()? {
                while let Some(bytes) = reader.settle(&mut tally, begin)? {
                    if bytes > 0 {
                        arrived = Instant::now();
                    }
                    reader.start(options)?;
                }
            }
        }
    }
    Ok(tally)
}

impl Reader {
    fn start(&mut self, options: &Options) -> Result<()> {
        let (max, each) = (options.max_bytes, options.partition_max_bytes);
        self.request = wire::fetch(&options.topic, max, each, &self.positions);
        let correlation = self.lane.next_correlation;
        wire::set_correlation(&mut self.request, correlation);
        self.lane.next_correlation = correlation.wrapping_add(1);
        self.sent = 0;
        self.lane.in_flight.push_back(InFlight {
            correlation,
            due: Instant::now(),
            bytes: 0,
        });
        self.go_on()
    }

    fn go_on(&mut self) -> Result<()> {
        self.sent = self.lane.send(&[&self.request], self.sent)?;
        Ok(())
    }

    /// Takes an answer, if there is one; gives the bytes of its batches. Each must begin where the
    /// one before has ended.
    fn settle(&mut self, tally: &mut Tally, begin: Instant) -> Result<Option<usize>> {
        let mut in_flight = std::mem::take(&mut self.lane.in_flight);
        let Some(frame) = self.lane.frame() else {
            self.lane.in_flight = in_flight;
            return Ok(None);
        };
        settle(&mut in_flight, frame)?;
        let now = stamp::now_micros();
        let positions = &mut self.positions;
        let (mut bytes, mut fault) = (0, None);
        let read = wire::read_fetch(frame, |fetched| {
            tally.error(fetched.error_code);
            let place = positions.get_mut(fetched.partition as usize);
            let Some((_, position)) = place else {
                fault = Some("a partition that nobody asked for");
                return;
            };
            batch::each_batch(fetched.records, |base, records, batch| {
                let Some(due) = stamp::read(batch) else {
                    fault = Some("a batch without a stamp");
                    return;
                };
                if base != *position {
                    fault = Some("a batch that does not follow the one before");
                }
                *position = base + records;
                bytes += batch.len();
                tally.arrive(now.saturating_sub(due), batch.len(), records as u64, begin);
            });
        });
        self.lane.in_flight = in_flight;
        match read {
            Ok(code) => tally.error(code),
            Err(wire::Malformed) => fault = Some("an answer that is none"),
        }
        fault.map_or(Ok(Some(bytes)), |what| {
            Err(Error::new(ErrorKind::InvalidData, what))
        })
    }
}
