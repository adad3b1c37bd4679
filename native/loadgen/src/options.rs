//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

pub const HELP: &str = "\
usage: loadgen produce|fetch|tail --topic NAME [options]
       loadgen forget FOLDER | warm BYTES | standstill
       loadgen rebalance ADDRESS GROUP TOPIC MEMBERS ROUNDS

Loads one broker that leads every partition of an existing topic; prints one JSON object.
SIGTERM ends the window early. forget drops what the page cache holds of a folder's files; warm
touches so much free memory and gives it back; standstill prints when nobody could run on a
processor, which takes the right to real-time scheduling. rebalance founds a classic group, and lets
a member come and go; the times are from its first request until everybody has an assignment.

  --address HOST:PORT          default 127.0.0.1:9092
  --partitions N               partitions used, from 0 on; default 1
  --connections N              default 1
  --depth N                    requests in flight on each connection; default 5
  --threads N                  default 1
  --seconds S                  length of the measured window; default 10
  --warmup S                   time before it that does not count; default 2
  --timeout-ms MS              request timeout told to the broker; default 30000
  --server-pid PID             also report the CPU time and memory of this process

produce:
  --batch-bytes N              size of a batch on the wire; default 65536
  --record-bytes N             size of a record's value; default 1024
  --batches N                  batches (of different partitions) in a request; default 1
  --acks -1|0|1                default -1
  --rate MB/S                  send at this rate, whatever comes back; latency counts from the
                               moment a request was due. Default: as fast as answers come back
  --stamp true                 write into each batch when it was due, for tail
  --total-bytes N              end when so much has been sent

fetch: reads every partition from its start, and from there again at its end
  --once true                  end where every partition ends
tail: every connection reads every partition from its start, and goes on as batches come; latency
counts from the stamp in a batch to its arrival
fetch and tail:
  --max-bytes N                bytes in an answer; default 16777216
  --partition-max-bytes N      default 1048576
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Produce,
    Fetch,
    Tail,
}

impl Mode {
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Produce => "produce",
            Mode::Fetch => "fetch",
            Mode::Tail => "tail",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub address: SocketAddr,
    pub topic: String,
    pub partitions: u32,
    pub connections: u32,
    pub depth: usize,
    pub threads: u32,
    pub duration: Duration,
    pub warmup: Duration,
    pub timeout_ms: i32,
    pub server_pid: Option<u32>,
    pub batch_bytes: usize,
    pub record_bytes: usize,
    pub batches: u32,
    pub acks: i16,
    /// Bytes a second; `None`: closed loop.
    pub rate: Option<f64>,
    pub stamp: bool,
    pub total_bytes: Option<u64>,
    pub once: bool,
    pub max_bytes: i32,
    pub partition_max_bytes: i32,
}

pub enum Parsed {
    Run(Options),
    Help,
    Wrong(String),
}

impl Options {
    pub fn parse(arguments: Vec<String>) -> Parsed {
        if arguments.is_empty()
            || arguments
                .iter()
                .any(|text| text == "--help" || text == "-h")
        {
            return Parsed::Help;
        }
        match Self::from_words(&arguments) {
            Ok(options) => Parsed::Run(options),
            Err(what) => Parsed::Wrong(what),
        }
    }

    fn from_words(words: &[String]) -> Result<Options, String> {
        let mode = match words[0].as_str() {
            "produce" => Mode::Produce,
            "fetch" => Mode::Fetch,
            "tail" => Mode::Tail,
            other => return Err(format!("'{other}' is none of produce, fetch, tail")),
        };
        let mut options = Options {
            mode,
            address: SocketAddr::from(([127, 0, 0, 1], 9092)),
            topic: String::new(),
            partitions: 1,
            connections: 1,
            depth: 5,
            threads: 1,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(2),
            timeout_ms: 30_000,
            server_pid: None,
            batch_bytes: 65_536,
            record_bytes: 1_024,
            batches: 1,
            acks: -1,
            rate: None,
            stamp: false,
            total_bytes: None,
            once: false,
            max_bytes: 16 << 20,
            partition_max_bytes: 1 << 20,
        };
        for pair in words[1..].chunks(2) {
            let [name, value] = pair else {
                return Err(format!("{} needs a value", pair[0]));
            };
            options.set(name, value)?;
        }
        options.check()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--address" => {
                let mut found = value
                    .to_socket_addrs()
                    .map_err(|e| format!("{value}: {e}"))?;
                self.address = found.next().ok_or_else(|| format!("{value}: no address"))?;
            }
            "--topic" => self.topic = value.to_owned(),
            "--partitions" => self.partitions = number(name, value)?,
            "--connections" => self.connections = number(name, value)?,
            "--depth" => self.depth = number(name, value)?,
            "--threads" => self.threads = number(name, value)?,
            "--seconds" => self.duration = seconds(name, value)?,
            "--warmup" => self.warmup = seconds(name, value)?,
            "--timeout-ms" => self.timeout_ms = number(name, value)?,
            "--server-pid" => self.server_pid = Some(number(name, value)?),
            "--batch-bytes" => self.batch_bytes = number(name, value)?,
            "--record-bytes" => self.record_bytes = number(name, value)?,
            "--batches" => self.batches = number(name, value)?,
            "--acks" => self.acks = number(name, value)?,
            "--rate" => self.rate = Some(number::<f64>(name, value)? * 1e6),
            "--stamp" => self.stamp = number(name, value)?,
            "--total-bytes" => self.total_bytes = Some(number(name, value)?),
            "--once" => self.once = number(name, value)?,
            "--max-bytes" => self.max_bytes = number(name, value)?,
            "--partition-max-bytes" => self.partition_max_bytes = number(name, value)?,
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }

    fn check(self) -> Result<Options, String> {
        if self.topic.is_empty() {
            return Err("--topic is missing".to_owned());
        }
        let counts = [
            self.partitions,
            self.connections,
            self.threads,
            self.batches,
        ];
        if counts.contains(&0) || self.depth == 0 {
            return Err("counts begin at 1".to_owned());
        }
        if self.threads > self.connections {
            return Err("more threads than connections".to_owned());
        }
        if self.batches > self.partitions {
            return Err("a request has one batch per partition at most".to_owned());
        }
        if !(-1..=1).contains(&self.acks) {
            return Err("--acks is -1, 0 or 1".to_owned());
        }
        if self.batch_bytes < 100 || self.batch_bytes > 64 << 20 {
            return Err("--batch-bytes is between 100 and 64 MiB".to_owned());
        }
        if self.rate.is_some_and(|rate| rate.is_nan() || rate < 1.0) {
            return Err("--rate is too low".to_owned());
        }
        if self.stamp && self.record_bytes < 8 {
            return Err("--stamp takes records of 8 bytes or more".to_owned());
        }
        Ok(self)
    }

    /// The connections of one thread.
    pub fn connections_of(&self, thread: u32) -> impl Iterator<Item = u32> {
        (thread..self.connections).step_by(self.threads as usize)
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name}: '{value}' is no value that fits"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let count: f64 = number(name, value)?;
    Duration::try_from_secs_f64(count).map_err(|_| format!("{name}: '{value}' is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::from_words(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn reads_what_it_documents() {
        let options = parse("produce --topic t --rate 70 --acks 1 --seconds 0.5").unwrap();
        assert_eq!((options.mode, options.acks), (Mode::Produce, 1));
        assert_eq!(options.rate, Some(7e7));
        assert_eq!(options.duration, Duration::from_millis(500));
        let options = parse("produce --topic t --stamp true --total-bytes 9000").unwrap();
        assert_eq!((options.stamp, options.total_bytes), (true, Some(9000)));
        let options = parse("fetch --topic t --once true").unwrap();
        assert_eq!((options.mode, options.once), (Mode::Fetch, true));
        assert_eq!(parse("tail --topic t").unwrap().mode, Mode::Tail);
    }

    #[test]
    fn names_what_is_wrong() {
        assert!(parse("produce").unwrap_err().contains("--topic"));
        assert!(parse("consume --topic t").unwrap_err().contains("consume"));
        assert!(
            parse("fetch --topic t --depth")
                .unwrap_err()
                .contains("--depth")
        );
        assert!(
            parse("fetch --topic t --depth x")
                .unwrap_err()
                .contains("'x'")
        );
        assert!(
            parse("produce --topic t --stamp perhaps")
                .unwrap_err()
                .contains("perhaps")
        );
        assert!(
            parse("produce --topic t --stamp true --record-bytes 4")
                .unwrap_err()
                .contains("--stamp")
        );
        assert!(
            parse("fetch --topic t --threads 2")
                .unwrap_err()
                .contains("threads")
        );
        assert!(
            parse("fetch --topic t --colour red")
                .unwrap_err()
                .contains("--colour")
        );
    }
}
