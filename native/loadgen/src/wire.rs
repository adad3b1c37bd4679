//! The few messages that are needed, in versions that are old enough to be simple: Produce 8,
//! Fetch 11. Kafka 4 still serves both.

const PRODUCE: i16 = 0;
const PRODUCE_VERSION: i16 = 8;
const FETCH: i16 = 1;
const FETCH_VERSION: i16 = 11;
const CLIENT_ID: &str = "loadgen";

/// Where the correlation id stands in a frame with its size prefix.
pub const CORRELATION_AT: usize = 8;

pub fn put_string(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as i16).to_be_bytes());
    to.extend(text.as_bytes());
}

pub fn begin(api: i16, version: i16) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(api.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend([0; 4]);
    put_string(&mut frame, CLIENT_ID);
    frame
}

pub fn set_size(frame: &mut [u8], bytes: usize) {
    frame[..4].copy_from_slice(&(bytes as i32 - 4).to_be_bytes());
}

/// A Produce request without its batches: `pieces[i]` stands before batch `i`. In each the last
/// eight bytes are the partition's index and the batch's length.
pub fn produce(topic: &str, acks: i16, timeout_ms: i32, batches: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut head = begin(PRODUCE, PRODUCE_VERSION);
    head.extend((-1i16).to_be_bytes());
    head.extend(acks.to_be_bytes());
    head.extend(timeout_ms.to_be_bytes());
    head.extend(1i32.to_be_bytes());
    put_string(&mut head, topic);
    head.extend((batches.len() as i32).to_be_bytes());
    let mut pieces = vec![Vec::new(); batches.len()];
    pieces[0] = head;
    for (piece, batch) in pieces.iter_mut().zip(batches) {
        piece.extend([0; 4]);
        piece.extend((batch.len() as i32).to_be_bytes());
    }
    let pieces_bytes: usize = pieces.iter().map(Vec::len).sum();
    let batches_bytes: usize = batches.iter().map(|batch| batch.len()).sum();
    set_size(&mut pieces[0], pieces_bytes + batches_bytes);
    pieces
}

/// Puts the partition's index into a piece of [`produce`].
pub fn set_partition(piece: &mut [u8], partition: u32) {
    let at = piece.len() - 8;
    piece[at..at + 4].copy_from_slice(&partition.to_be_bytes());
}

pub fn set_correlation(frame: &mut [u8], id: u32) {
    frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&id.to_be_bytes());
}

/// A Fetch request for partitions and the offsets to go on from.
pub fn fetch(topic: &str, max_bytes: i32, each: i32, from: &[(u32, i64)]) -> Vec<u8> {
    let mut frame = begin(FETCH, FETCH_VERSION);
    frame.extend((-1i32).to_be_bytes());
    frame.extend(500i32.to_be_bytes());
    frame.extend(1i32.to_be_bytes());
    frame.extend(max_bytes.to_be_bytes());
    frame.push(0);
    // No session: every request is whole.
    frame.extend(0i32.to_be_bytes());
    frame.extend((-1i32).to_be_bytes());
    frame.extend(1i32.to_be_bytes());
    put_string(&mut frame, topic);
    frame.extend((from.len() as i32).to_be_bytes());
    for (partition, offset) in from {
        frame.extend(partition.to_be_bytes());
        frame.extend((-1i32).to_be_bytes());
        frame.extend(offset.to_be_bytes());
        frame.extend((-1i64).to_be_bytes());
        frame.extend(each.to_be_bytes());
    }
    frame.extend(0i32.to_be_bytes());
    put_string(&mut frame, "");
    let size = frame.len();
    set_size(&mut frame, size);
    frame
}

/// An answer that does not parse.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads a frame front to back. Lengths are checked against what is there.
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    pub fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(
            self.take(2)?.try_into().map_err(|_| Malformed)?,
        ))
    }

    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(
            self.take(4)?.try_into().map_err(|_| Malformed)?,
        ))
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(
            self.take(8)?.try_into().map_err(|_| Malformed)?,
        ))
    }

    pub fn count(&mut self) -> Result<usize, Malformed> {
        Ok(self.i32()?.max(0) as usize)
    }

    pub fn skip_string(&mut self) -> Result<(), Malformed> {
        let length = self.i16()?.max(0) as usize;
        self.take(length).map(drop)
    }
}

/// Calls `each` with the error code of every partition in a Produce answer; returns how many.
pub fn read_produce(frame: &[u8], mut each: impl FnMut(i16)) -> Result<usize, Malformed> {
    let mut cursor = Cursor(frame);
    cursor.i32()?;
    let mut seen = 0;
    for _ in 0..cursor.count()? {
        cursor.skip_string()?;
        for _ in 0..cursor.count()? {
            cursor.i32()?;
            each(cursor.i16()?);
            cursor.take(24)?;
            for _ in 0..cursor.count()? {
                cursor.i32()?;
                cursor.skip_string()?;
            }
            cursor.skip_string()?;
            seen += 1;
        }
    }
    Ok(seen)
}

/// One partition of a Fetch answer.
pub struct Fetched<'a> {
    pub partition: u32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub records: &'a [u8],
}

/// Calls `each` with every partition in a Fetch answer.
pub fn read_fetch(frame: &[u8], mut each: impl FnMut(Fetched<'_>)) -> Result<i16, Malformed> {
    let mut cursor = Cursor(frame);
    cursor.take(8)?;
    let error_code = cursor.i16()?;
    cursor.i32()?;
    for _ in 0..cursor.count()? {
        cursor.skip_string()?;
        for _ in 0..cursor.count()? {
            let partition = cursor.i32()? as u32;
            let error_code = cursor.i16()?;
            let high_watermark = cursor.i64()?;
            cursor.take(16)?;
            for _ in 0..cursor.count()? {
                cursor.take(16)?;
            }
            cursor.i32()?;
            let length = cursor.count()?;
            let records = cursor.take(length)?;
            each(Fetched {
                partition,
                error_code,
                high_watermark,
                records,
            });
        }
    }
    Ok(error_code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::end_of;

    #[test]
    fn a_produce_request_says_how_long_it_is() {
        let batch = [7u8; 100];
        let mut pieces = produce("topic", -1, 1000, &[&batch, &batch]);
        set_partition(&mut pieces[0], 3);
        set_partition(&mut pieces[1], 4);
        set_correlation(&mut pieces[0], 0x0102_0304);
        let frame = [&pieces[0][..], &batch, &pieces[1], &batch].concat();
        let size = u32::from_be_bytes(frame[..4].try_into().unwrap());
        assert_eq!(size as usize, frame.len() - 4);
        assert_eq!(frame[8..12], [1, 2, 3, 4]);
        let first = pieces[0].len();
        assert_eq!(frame[first - 8..first], [0, 0, 0, 3, 0, 0, 0, 100]);
        assert_eq!(pieces[1], [0, 0, 0, 4, 0, 0, 0, 100]);
    }

    fn produce_answer() -> Vec<u8> {
        let mut frame = vec![0, 0, 0, 9, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2];
        for code in [0u8, 6] {
            frame.extend([0, 0, 0, 0, 0, code]);
            frame.extend([0; 24]);
            // One record error with a message, and a message of its own.
            frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 2, b'n', b'o', 0, 1, b'x']);
        }
        frame.extend([0; 4]);
        frame
    }

    #[test]
    fn a_produce_answer_gives_every_partition_once() {
        let frame = produce_answer();
        let mut codes = Vec::new();
        assert_eq!(read_produce(&frame, |code| codes.push(code)), Ok(2));
        assert_eq!(codes, [0, 6]);
        for cut in 0..frame.len() - 4 {
            assert_eq!(
                read_produce(&frame[..cut], |_| {}),
                Err(Malformed),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_fetch_answer_gives_its_records() {
        let (batch, count) = crate::batch::encode(300, 50, 1);
        let records = [&batch[..], &batch[..batch.len() / 2]].concat();
        let mut frame = vec![
            0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't',
        ];
        frame.extend([0, 0, 0, 1, 0, 0, 0, 5, 0, 0]);
        frame.extend(count.to_be_bytes().map(|_| 0));
        frame.extend(count.to_be_bytes());
        frame.extend([0; 16]);
        // One aborted transaction, no preferred replica.
        frame.extend([0, 0, 0, 1]);
        frame.extend([0; 16]);
        frame.extend((-1i32).to_be_bytes());
        frame.extend((records.len() as u32).to_be_bytes());
        frame.extend(&records);
        let mut seen = 0;
        let code = read_fetch(&frame, |fetched| {
            seen += 1;
            assert_eq!((fetched.partition, fetched.error_code), (5, 0));
            assert_eq!(fetched.high_watermark, i64::from(count));
            assert_eq!(end_of(fetched.records), Some((i64::from(count), 1)));
        });
        assert_eq!((code, seen), (Ok(0), 1));
        for cut in 0..frame.len() {
            assert_eq!(
                read_fetch(&frame[..cut], |_| {}),
                Err(Malformed),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_fetch_request_lists_its_partitions() {
        let frame = fetch("topic", 1000, 100, &[(1, 5), (2, 6)]);
        let size = u32::from_be_bytes(frame[..4].try_into().unwrap());
        assert_eq!(size as usize, frame.len() - 4);
        let one = fetch("topic", 1000, 100, &[(1, 5)]);
        assert_eq!(frame.len() - one.len(), 28);
    }
}
