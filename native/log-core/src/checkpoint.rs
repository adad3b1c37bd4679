//! The small files of a data directory, as text: our checkpoint and Kafka's own formats.
//! `docs/data-directory.md` shows each of them.

use std::fmt::Write;

use crate::api::{StoreError, TopicId};
use crate::batch::crc32c;
use crate::names::{decode_uuid, encode_uuid};

/// Largest checkpoint that is read: 200 bytes for each of five million logs.
pub const CHECKPOINT_BYTES_MAX: u64 = 1 << 30;
pub const SMALL_TEXT_BYTES_MAX: u64 = 16 << 20;
const CHECKPOINT_VERSION: &str = "1";

/// A place in a log: every byte of the segment below `position` belongs to offsets below
/// `offset`, and both are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub offset: i64,
    pub segment_base: i64,
    /// Bytes from the start of the segment's file.
    pub position: u64,
}

/// Offsets from (inclusive) and to (exclusive) that are known not to be readable.
pub type Range = (i64, i64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointEntry {
    pub topic: String,
    pub topic_id: TopicId,
    pub partition: i32,
    pub start_offset: i64,
    /// None: the log has no file.
    pub recovery: Option<Point>,
    /// -1: unknown or none.
    pub largest_timestamp: i64,
    pub corrupt: Vec<Range>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Files are cut to length and indexes complete; nothing has to be scanned.
    pub clean: bool,
    /// The operating system's run in which it was written.
    pub boot: String,
    pub file_system: String,
    /// How groups are flushed: recorded so that a change of hands is seen.
    pub strategy: String,
    pub logs: Vec<CheckpointEntry>,
}

fn bad(what: &str, line: &str) -> StoreError {
    StoreError::new("FORMAT", format!("{what}: cannot read {line:?}"))
}

impl Checkpoint {
    pub fn to_text(&self) -> String {
        let mut body = String::with_capacity(128 * (self.logs.len() + 2));
        let _ = writeln!(body, "clean: {}", u8::from(self.clean));
        let _ = writeln!(body, "boot: {}", self.boot);
        let _ = writeln!(body, "file_system: {}", self.file_system);
        let _ = writeln!(body, "strategy: {}", self.strategy);
        let _ = writeln!(body, "logs: {}", self.logs.len());
        for log in &self.logs {
            let none = Point {
                offset: -1,
                segment_base: -1,
                position: 0,
            };
            let point = log.recovery.unwrap_or(none);
            let _ = write!(
                body,
                "{} {} {} {} {} {} {} ",
                encode_uuid(&log.topic_id),
                log.partition,
                log.start_offset,
                point.offset,
                point.segment_base,
                point.position,
                log.largest_timestamp,
            );
            for (index, (from, to)) in log.corrupt.iter().enumerate() {
                let _ = write!(body, "{}{from}:{to}", if index > 0 { "," } else { "" });
            }
            let _ = writeln!(
                body,
                "{}{}",
                if log.corrupt.is_empty() { "- " } else { " " },
                log.topic
            );
        }
        format!(
            "version: {CHECKPOINT_VERSION}\ncrc32c: {:08x}\n{body}",
            crc32c(body.as_bytes())
        )
    }

    pub fn parse(bytes: &[u8]) -> Result<Checkpoint, StoreError> {
        let what = "checkpoint";
        let text = std::str::from_utf8(bytes).map_err(|_| bad(what, "bytes that are no text"))?;
        let (version, rest) = text.split_once('\n').ok_or_else(|| bad(what, text))?;
        match version.strip_prefix("version: ") {
            Some(CHECKPOINT_VERSION) => {}
            Some(other) => {
                let text = format!(
                    "the checkpoint has version {other}; this program reads {CHECKPOINT_VERSION}"
                );
                return Err(StoreError::new("FORMAT", text));
            }
            None => return Err(bad(what, version)),
        }
        let (sum, body) = rest.split_once('\n').ok_or_else(|| bad(what, rest))?;
        let sum = field(sum, "crc32c")?;
        if u32::from_str_radix(sum, 16).ok() != Some(crc32c(body.as_bytes())) {
            return Err(StoreError::new(
                "CORRUPT",
                "the checkpoint fails its checksum",
            ));
        }
        let mut lines = body.lines();
        let mut next = |name| field(lines.next().unwrap_or(""), name);
        let clean = next("clean")? == "1";
        let boot = next("boot")?.to_owned();
        let file_system = next("file_system")?.to_owned();
        let strategy = next("strategy")?.to_owned();
        let count: usize = next("logs")?.parse().map_err(|_| bad(what, "logs"))?;
        let logs = lines.map(parse_entry).collect::<Result<Vec<_>, _>>()?;
        if logs.len() != count {
            return Err(bad(what, "fewer logs than counted"));
        }
        Ok(Checkpoint {
            clean,
            boot,
            file_system,
            strategy,
            logs,
        })
    }
}

fn field<'a>(line: &'a str, name: &str) -> Result<&'a str, StoreError> {
    line.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix(':'))
        .map(str::trim_start)
        .ok_or_else(|| bad("checkpoint", line))
}

fn parse_entry(line: &str) -> Result<CheckpointEntry, StoreError> {
    parse_entry_fields(line).ok_or_else(|| bad("checkpoint", line))
}

fn parse_entry_fields(line: &str) -> Option<CheckpointEntry> {
    let mut words = line.splitn(9, ' ');
    let topic_id = decode_uuid(words.next()?)?;
    let partition = words.next()?.parse().ok()?;
    let start_offset = words.next()?.parse().ok()?;
    let offset: i64 = words.next()?.parse().ok()?;
    let segment_base: i64 = words.next()?.parse().ok()?;
    let position = words.next()?.parse().ok()?;
    let largest_timestamp = words.next()?.parse().ok()?;
    let corrupt = match words.next()? {
        "-" => Vec::new(),
        list => list
            .split(',')
            .map(parse_range)
            .collect::<Option<Vec<_>>>()?,
    };
    let topic = words.next()?.to_owned();
    let recovery = (segment_base >= 0).then_some(Point {
        offset,
        segment_base,
        position,
    });
    Some(CheckpointEntry {
        topic,
        topic_id,
        partition,
        start_offset,
        recovery,
        largest_timestamp,
        corrupt,
    })
}

fn parse_range(text: &str) -> Option<Range> {
    let (from, to) = text.split_once(':')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// `partition.metadata`.
pub fn partition_metadata(topic_id: &TopicId) -> String {
    format!("version: 0\ntopic_id: {}", encode_uuid(topic_id))
}

/// None where the text is not whole: a crash may have cut it.
pub fn parse_partition_metadata(bytes: &[u8]) -> Option<TopicId> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    if lines.next()? != "version: 0" {
        return None;
    }
    decode_uuid(lines.next()?.strip_prefix("topic_id: ")?.trim())
}

/// `leader-epoch-checkpoint`, version 0: pairs of (epoch, first offset), both ascending.
pub fn leader_epochs(epochs: &[(i32, i64)]) -> String {
    let mut text = format!("0\n{}\n", epochs.len());
    for (epoch, start) in epochs {
        let _ = writeln!(text, "{epoch} {start}");
    }
    text
}

pub fn parse_leader_epochs(bytes: &[u8]) -> Option<Vec<(i32, i64)>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    if lines.next()? != "0" {
        return None;
    }
    let count: usize = lines.next()?.trim().parse().ok()?;
    let mut epochs: Vec<(i32, i64)> = Vec::new();
    for line in lines {
        let (epoch, start) = line.split_once(' ')?;
        let pair = (epoch.parse().ok()?, start.trim().parse().ok()?);
        if epochs
            .last()
            .is_some_and(|last| last.0 >= pair.0 || last.1 >= pair.1)
        {
            return None;
        }
        epochs.push(pair);
    }
    (epochs.len() == count).then_some(epochs)
}

/// `meta.properties`, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: TopicId,
}

impl MetaProperties {
    pub fn to_text(&self) -> String {
        format!(
            "version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            self.cluster_id,
            self.node_id,
            encode_uuid(&self.directory_id)
        )
    }

    pub fn parse(bytes: &[u8]) -> Result<MetaProperties, StoreError> {
        let what = "meta.properties";
        let text = std::str::from_utf8(bytes).map_err(|_| bad(what, "bytes that are no text"))?;
        let value = |name: &str| {
            text.lines()
                .map(str::trim)
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
                .ok_or_else(|| bad(what, name))
        };
        let version = value("version")?;
        if version != "1" {
            let text = format!("meta.properties has version {version}; this program reads 1");
            return Err(StoreError::new("FORMAT", text));
        }
        Ok(MetaProperties {
            cluster_id: value("cluster.id")?.to_owned(),
            node_id: value("node.id")?
                .parse()
                .map_err(|_| bad(what, "node.id"))?,
            directory_id: decode_uuid(value("directory.id")?)
                .ok_or_else(|| bad(what, "directory.id"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let log = |topic: &str, recovery, corrupt| CheckpointEntry {
            topic: topic.to_owned(),
            topic_id: *b"0123456789abcdef",
            partition: 7,
            start_offset: 3,
            recovery,
            largest_timestamp: -1,
            corrupt,
        };
        let point = Point {
            offset: 90,
            segment_base: 40,
            position: 4096,
        };
        Checkpoint {
            clean: true,
            boot: "b".to_owned(),
            file_system: "ext4".to_owned(),
            strategy: "ahead".to_owned(),
            logs: vec![
                log("a", Some(point), vec![]),
                log("b.c", None, vec![(1, 2), (5, 9)]),
            ],
        }
    }

    #[test]
    fn a_checkpoint_survives_its_text() {
        let checkpoint = checkpoint();
        assert_eq!(
            Checkpoint::parse(checkpoint.to_text().as_bytes()),
            Ok(checkpoint)
        );
        let empty = Checkpoint::default();
        assert_eq!(Checkpoint::parse(empty.to_text().as_bytes()), Ok(empty));
    }

    #[test]
    fn every_changed_byte_of_a_checkpoint_is_noticed() {
        let text = checkpoint().to_text();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let parsed = Checkpoint::parse(&bytes);
            assert!(
                parsed.is_err() || parsed == Ok(checkpoint()),
                "byte {place}"
            );
            assert!(
                Checkpoint::parse(&text.as_bytes()[..place]).is_err(),
                "cut at {place}"
            );
        }
    }

    #[test]
    fn kafka_formats_round_trip() {
        let id = *b"0123456789abcdef";
        assert_eq!(
            parse_partition_metadata(partition_metadata(&id).as_bytes()),
            Some(id)
        );
        assert_eq!(parse_partition_metadata(b""), None);
        let epochs = vec![(0, 0), (3, 17)];
        assert_eq!(leader_epochs(&epochs), "0\n2\n0 0\n3 17\n");
        assert_eq!(
            parse_leader_epochs(leader_epochs(&epochs).as_bytes()),
            Some(epochs)
        );
        assert_eq!(parse_leader_epochs(b"0\n2\n0 0\n"), None);
        let meta = MetaProperties {
            cluster_id: "c".to_owned(),
            node_id: 1,
            directory_id: id,
        };
        assert_eq!(MetaProperties::parse(meta.to_text().as_bytes()), Ok(meta));
        assert_eq!(
            MetaProperties::parse(b"version=9\n").unwrap_err().code,
            "FORMAT"
        );
    }
}
