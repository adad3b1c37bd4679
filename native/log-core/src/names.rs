//! Names on disk: Kafka's, so that its tools find their way.

use std::path::{Path, PathBuf};

use crate::api::{StoreError, TopicId};

pub const LOG: &str = "log";
pub const INDEX: &str = "index";
pub const TIME_INDEX: &str = "timeindex";
/// Suffix of a segment file that waits for its deletion.
pub const DELETED: &str = "deleted";
/// Suffix of a file that compaction has not finished.
pub const CLEANED: &str = "cleaned";
/// Suffix of a cleaned file that takes the place of others (`cleaner/swap.rs`).
pub const SWAP: &str = "swap";
/// Suffix of a folder that waits for its deletion.
pub const DELETE_SUFFIX: &str = "-delete";
pub const TEMPORARY: &str = ".tmp";

pub const PARTITION_METADATA: &str = "partition.metadata";
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
pub const META_PROPERTIES: &str = "meta.properties";
pub const CHECKPOINT: &str = "mantou-checkpoint";
pub const DURABLE_MARKS: &str = "mantou-durable-marks";
pub const RESERVE: &str = "mantou-reserve";
/// There while the page cache may show bytes that a failed fsync has dropped.
pub const SYNC_FAILED: &str = "mantou-sync-failed";
pub const LOCK: &str = ".lock";

/// Kafka's limit on topic names.
const TOPIC_CHARS_MAX: usize = 249;
const SMALL_FILE_CHARS_MAX: usize = 200;

/// `00000000000000000042.log` and its like.
pub fn segment_file(base_offset: i64, extension: &str) -> String {
    format!("{base_offset:020}.{extension}")
}

/// The base offset and the extension of a segment's file, or None where it is something else.
pub fn parse_segment_file(name: &str) -> Option<(i64, &str)> {
    let (digits, extension) = name.split_once('.')?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, extension))
}

pub fn log_folder(data_directory: &Path, topic: &str, partition: i32) -> PathBuf {
    data_directory.join(format!("{topic}-{partition}"))
}

/// Topic and partition of a folder, or None where it is something else (`-delete` included).
pub fn parse_log_folder(name: &str) -> Option<(&str, i32)> {
    let (topic, digits) = name.rsplit_once('-')?;
    if !is_topic(topic) || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let partition = digits.parse().ok()?;
    // `topic-007` is not what we would have written for partition 7.
    (format!("{partition}") == digits).then_some((topic, partition))
}

/// A folder's name from the moment when its log was removed: unique, and no log's name.
pub fn deleted_folder(topic: &str, partition: i32, unique: &TopicId, count: u64) -> String {
    // Kafka cuts the topic so that the whole stays within 255 characters.
    let topic = &topic[..topic.len().min(180)];
    format!(
        "{topic}-{partition}.{}.{count}{DELETE_SUFFIX}",
        encode_uuid(unique)
    )
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_topic(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= TOPIC_CHARS_MAX
        && text != "."
        && text != ".."
        && is_name(text)
}

pub fn check_log(topic: &str, partition: i32) -> Result<(), StoreError> {
    if is_topic(topic) && partition >= 0 {
        return Ok(());
    }
    Err(StoreError::new(
        "INVALID",
        format!("{topic:?}-{partition} cannot name a log's folder"),
    ))
}

/// A name for a small file of the caller's: it must not collide with what the store owns.
pub fn check_small_file(name: &str, in_log: bool) -> Result<(), StoreError> {
    let owned = if in_log {
        is_segment_extension(name) || name == PARTITION_METADATA
    } else {
        is_store_file(name) || parse_log_folder(name).is_some() || name.ends_with(DELETE_SUFFIX)
    };
    let valid = !name.is_empty()
        && name.len() <= SMALL_FILE_CHARS_MAX
        && !name.starts_with('.')
        && !name.ends_with(TEMPORARY)
        && is_name(name);
    if valid && !owned {
        return Ok(());
    }
    Err(StoreError::new(
        "INVALID",
        format!("{name:?} cannot name a small file here"),
    ))
}

pub fn is_store_file(name: &str) -> bool {
    [
        META_PROPERTIES,
        CHECKPOINT,
        DURABLE_MARKS,
        RESERVE,
        SYNC_FAILED,
        LOCK,
    ]
    .contains(&name)
}

/// Whether a file in a log's folder belongs to a segment, living or about to be deleted.
pub fn is_segment_extension(name: &str) -> bool {
    parse_segment_file(name).is_some_and(|(_, extension)| {
        // `log`, `log.deleted`, `log.7.deleted`, `log.cleaned`, `log.swap`.
        let (kind, rest) = extension.split_once('.').unwrap_or((extension, DELETED));
        let suffix = rest.rsplit('.').next().unwrap_or(rest);
        [LOG, INDEX, TIME_INDEX].contains(&kind) && [DELETED, CLEANED, SWAP].contains(&suffix)
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The 22 characters of base64url in which Kafka writes a UUID.
pub fn encode_uuid(id: &TopicId) -> String {
    let mut bits = u128::from_be_bytes(*id);
    // 22 characters hold 132 bits; the last four are padding.
    let mut text = [0u8; 22];
    text[21] = ALPHABET[((bits & 0b11) << 4) as usize];
    bits >>= 2;
    for place in (0..21).rev() {
        text[place] = ALPHABET[(bits & 0x3f) as usize];
        bits >>= 6;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

pub fn decode_uuid(text: &str) -> Option<TopicId> {
    if text.len() != 22 {
        return None;
    }
    let mut bits: u128 = 0;
    for (place, byte) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)? as u128;
        if place < 21 {
            bits = bits << 6 | digit;
        } else {
            if digit & 0xf != 0 {
                return None;
            }
            bits = bits << 2 | digit >> 4;
        }
    }
    Some(bits.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_survive_their_text() {
        for id in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let text = encode_uuid(&id);
            assert_eq!(text.len(), 22);
            assert_eq!(decode_uuid(&text), Some(id));
        }
        // The well-known id of the metadata topic is 00000000-0000-0000-0000-000000000001.
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(encode_uuid(&one), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(decode_uuid("AAAAAAAAAAAAAAAAAAAAAR"), None);
        assert_eq!(decode_uuid("short"), None);
    }

    #[test]
    fn folders_name_topic_and_partition() {
        assert_eq!(parse_log_folder("a-b.c-12"), Some(("a-b.c", 12)));
        for name in [
            "a",
            "a-",
            "-1",
            "a-07",
            "a-1.AAAA.1-delete",
            "..-1",
            "a/b-1",
            "a-99999999999",
        ] {
            assert_eq!(parse_log_folder(name), None, "{name}");
        }
    }

    #[test]
    fn segment_files_have_twenty_digits() {
        assert_eq!(segment_file(42, LOG), "00000000000000000042.log");
        assert_eq!(
            parse_segment_file("00000000000000000042.log"),
            Some((42, "log"))
        );
        assert_eq!(parse_segment_file("42.log"), None);
        assert_eq!(parse_segment_file("99999999999999999999.log"), None);
    }

    #[test]
    fn small_files_keep_off_what_the_store_owns() {
        assert!(check_small_file("00000000000000000042.snapshot", true).is_ok());
        assert!(check_small_file("raft-state", false).is_ok());
        for name in [
            "00000000000000000042.log",
            "",
            ".x",
            "a/b",
            "..",
            "x.tmp",
            PARTITION_METADATA,
        ] {
            assert!(check_small_file(name, true).is_err(), "{name}");
        }
        for name in [CHECKPOINT, LOCK, "topic-3", "x-delete"] {
            assert!(check_small_file(name, false).is_err(), "{name}");
        }
    }
}
