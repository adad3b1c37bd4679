//! The messages of a classic group's members, in the last versions before compact strings:
//! JoinGroup 5, SyncGroup 3, Heartbeat 3, LeaveGroup 1.

use crate::wire::{Cursor, Malformed, begin, put_string, set_size};

const JOIN_GROUP: i16 = 11;
const HEARTBEAT: i16 = 12;
const LEAVE_GROUP: i16 = 13;
const SYNC_GROUP: i16 = 14;

/// Longer than any run: nobody is thrown out for being slow.
const TIMEOUT_MS: i32 = 60_000;

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend((bytes.len() as i32).to_be_bytes());
    to.extend(bytes);
}

fn end(mut frame: Vec<u8>) -> Vec<u8> {
    let size = frame.len();
    set_size(&mut frame, size);
    frame
}

/// No name that survives restarts.
fn put_no_instance(to: &mut Vec<u8>) {
    to.extend((-1i16).to_be_bytes());
}

/// A subscription to one topic (version 0 of the consumer's own format).
pub fn subscription(topic: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(1i32.to_be_bytes());
    put_string(&mut bytes, topic);
    bytes.extend((-1i32).to_be_bytes());
    bytes
}

/// One partition of one topic (version 0 of the consumer's own format).
pub fn assignment(topic: &str, partition: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(1i32.to_be_bytes());
    put_string(&mut bytes, topic);
    bytes.extend(1i32.to_be_bytes());
    bytes.extend(partition.to_be_bytes());
    bytes.extend((-1i32).to_be_bytes());
    bytes
}

pub fn join(group: &str, member: &str, subscription: &[u8]) -> Vec<u8> {
    let mut frame = begin(JOIN_GROUP, 5);
    put_string(&mut frame, group);
    frame.extend(TIMEOUT_MS.to_be_bytes());
    frame.extend(TIMEOUT_MS.to_be_bytes());
    put_string(&mut frame, member);
    put_no_instance(&mut frame);
    put_string(&mut frame, "consumer");
    frame.extend(1i32.to_be_bytes());
    put_string(&mut frame, "range");
    put_bytes(&mut frame, subscription);
    end(frame)
}

/// `assigned`: what each member gets, of the leader; nothing, of all others.
pub fn sync(group: &str, generation: i32, member: &str, assigned: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut frame = begin(SYNC_GROUP, 3);
    put_string(&mut frame, group);
    frame.extend(generation.to_be_bytes());
    put_string(&mut frame, member);
    put_no_instance(&mut frame);
    frame.extend((assigned.len() as i32).to_be_bytes());
    for (member, assignment) in assigned {
        put_string(&mut frame, member);
        put_bytes(&mut frame, assignment);
    }
    end(frame)
}

pub fn heartbeat(group: &str, generation: i32, member: &str) -> Vec<u8> {
    let mut frame = begin(HEARTBEAT, 3);
    put_string(&mut frame, group);
    frame.extend(generation.to_be_bytes());
    put_string(&mut frame, member);
    put_no_instance(&mut frame);
    end(frame)
}

pub fn leave(group: &str, member: &str) -> Vec<u8> {
    let mut frame = begin(LEAVE_GROUP, 1);
    put_string(&mut frame, group);
    put_string(&mut frame, member);
    end(frame)
}

/// What a member is told of its join.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined {
    pub error_code: i16,
    pub generation: i32,
    pub member: String,
    /// The ids of all, for the leader; empty for all others.
    pub members: Vec<String>,
}

fn string(cursor: &mut Cursor<'_>) -> Result<String, Malformed> {
    let length = cursor.i16()?.max(0) as usize;
    let bytes = cursor.take(length)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

/// Reads the answer to a join. `frame` begins with the correlation id.
pub fn read_join(frame: &[u8]) -> Result<Joined, Malformed> {
    let mut cursor = Cursor(frame);
    cursor.take(8)?;
    let error_code = cursor.i16()?;
    let generation = cursor.i32()?;
    cursor.skip_string()?;
    cursor.skip_string()?;
    let member = string(&mut cursor)?;
    let mut members = Vec::new();
    for _ in 0..cursor.count()? {
        members.push(string(&mut cursor)?);
        cursor.skip_string()?;
        let length = cursor.count()?;
        cursor.take(length)?;
    }
    Ok(Joined {
        error_code,
        generation,
        member,
        members,
    })
}

/// The error code, and the length of the assignment.
pub fn read_sync(frame: &[u8]) -> Result<(i16, usize), Malformed> {
    let mut cursor = Cursor(frame);
    cursor.take(8)?;
    let error_code = cursor.i16()?;
    let length = cursor.count()?;
    cursor.take(length)?;
    Ok((error_code, length))
}

/// The error code of an answer to a heartbeat or a leave.
pub fn read_code(frame: &[u8]) -> Result<i16, Malformed> {
    let mut cursor = Cursor(frame);
    cursor.take(8)?;
    cursor.i16()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_say_how_long_they_are() {
        let assigned = [("m".to_owned(), assignment("t", 3))];
        for frame in [
            join("g", "m", &subscription("t")),
            sync("g", 4, "m", &assigned),
            heartbeat("g", 4, "m"),
            leave("g", "m"),
        ] {
            let size = u32::from_be_bytes(frame[..4].try_into().unwrap());
            assert_eq!(size as usize, frame.len() - 4);
        }
    }

    #[test]
    fn the_leader_is_told_who_there_is() {
        let mut frame = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        for text in ["range", "a", "a"] {
            put_string(&mut frame, text);
        }
        frame.extend(2i32.to_be_bytes());
        for id in ["a", "b"] {
            put_string(&mut frame, id);
            put_no_instance(&mut frame);
            put_bytes(&mut frame, &subscription("t"));
        }
        let joined = read_join(&frame).unwrap();
        assert_eq!((joined.error_code, joined.generation), (0, 7));
        assert_eq!((joined.member.as_str(), joined.members.len()), ("a", 2));
        for cut in 0..frame.len() {
            assert_eq!(read_join(&frame[..cut]), Err(Malformed), "cut at {cut}");
        }
    }

    #[test]
    fn an_assignment_has_a_length() {
        let mut frame = vec![0; 10];
        frame[9] = 27;
        put_bytes(&mut frame, &[1, 2, 3]);
        assert_eq!(read_sync(&frame), Ok((27, 3)));
        assert_eq!(read_sync(&frame[..15]), Err(Malformed));
        assert_eq!(read_code(&frame), Ok(27));
    }
}
