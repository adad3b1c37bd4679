//! The time at which a batch was due, in the first eight bytes of its first record's value: both
//! brokers keep a value as it is, and it has more digits than a record's timestamp.

use std::time::Instant;

use crate::batch::{CRC_AT, HEADER_BYTES, crc32c_step};
use crate::wire::Cursor;

const STAMP_BYTES: usize = 8;

/// Microseconds on a clock that all processes of a machine share.
pub fn now_micros() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local that outlives the call; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// Tells moments of this process on that clock.
pub struct Clock {
    anchor: Instant,
    micros: u64,
}

impl Clock {
    pub fn new() -> Clock {
        Clock {
            anchor: Instant::now(),
            micros: now_micros(),
        }
    }

    pub fn micros(&self, moment: Instant) -> u64 {
        let after = moment.saturating_duration_since(self.anchor).as_micros() as u64;
        let before = self.anchor.saturating_duration_since(moment).as_micros() as u64;
        self.micros + after - before
    }
}

/// Where the stamp of a batch stands; `None` where its first record has no room for one.
fn position(batch: &[u8]) -> Option<usize> {
    let mut cursor = Cursor(batch);
    cursor.take(HEADER_BYTES).ok()?;
    let _length = varint(&mut cursor)?;
    let _attributes = cursor.take(1).ok()?;
    let _timestamp = varint(&mut cursor)?;
    let _offset = varint(&mut cursor)?;
    let key = varint(&mut cursor)?;
    cursor.take(usize::try_from(key.max(0)).ok()?).ok()?;
    let value = varint(&mut cursor)?;
    let at = batch.len() - cursor.0.len();
    (value >= STAMP_BYTES as i64 && cursor.0.len() >= STAMP_BYTES).then_some(at)
}

fn varint(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = cursor.take(1).ok()?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// The stamp of a batch that was fetched.
pub fn read(batch: &[u8]) -> Option<u64> {
    let at = position(batch)?;
    let bytes = batch.get(at..at + STAMP_BYTES)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Stamps batches of one shape. A checksum is linear, so what a change of some bytes does to it
/// does not depend on all others: 64 KB need not be read again for eight of them.
pub struct Stamper {
    at: usize,
    /// What a difference in byte `i` of the stamp makes of the checksum.
    differences: Vec<[u32; 256]>,
}

impl Stamper {
    pub fn new(template: &[u8]) -> Option<Stamper> {
        let at = position(template)?;
        let behind = template.len() - at - STAMP_BYTES;
        let differences = (0..STAMP_BYTES).map(|index| {
            let zeros = STAMP_BYTES - 1 - index + behind;
            let bits: Vec<u32> = (0..8)
                .map(|bit| (0..zeros).fold(crc32c_step(0, 1 << bit), |crc, _| crc32c_step(crc, 0)))
                .collect();
            std::array::from_fn(|value| {
                let set = (0..8).filter(|bit| value >> bit & 1 == 1);
                set.fold(0, |sum, bit| sum ^ bits[bit])
            })
        });
        Some(Stamper {
            at,
            differences: differences.collect(),
        })
    }

    /// How much of a batch differs from its template.
    pub fn head_bytes(&self) -> usize {
        self.at + STAMP_BYTES
    }

    /// Makes `head` the beginning of `template`, stamped.
    pub fn stamp(&self, template: &[u8], head: &mut Vec<u8>, micros: u64) {
        head.clear();
        head.extend(&template[..self.head_bytes()]);
        let mut changed = 0;
        for (index, byte) in micros.to_be_bytes().into_iter().enumerate() {
            let place = &mut head[self.at + index];
            changed ^= self.differences[index][usize::from(*place ^ byte)];
            *place = byte;
        }
        for (place, byte) in head[CRC_AT..CRC_AT + 4]
            .iter_mut()
            .zip(changed.to_be_bytes())
        {
            *place ^= byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{crc32c, encode};

    #[test]
    fn a_stamped_batch_is_whole_and_tells_its_time() {
        for (batch_bytes, record_bytes) in [(65_536, 1024), (300, 100), (5000, 4000)] {
            let (template, _) = encode(batch_bytes, record_bytes, 9);
            let stamper = Stamper::new(&template).unwrap();
            let mut head = Vec::new();
            for micros in [0, 1, 0x0102_0304_0506_0708, u64::MAX] {
                stamper.stamp(&template, &mut head, micros);
                let batch = [&head[..], &template[stamper.head_bytes()..]].concat();
                assert_eq!(batch.len(), template.len());
                let crc = u32::from_be_bytes(batch[17..21].try_into().unwrap());
                assert_eq!(crc, crc32c(&batch[21..]), "{batch_bytes} {micros}");
                assert_eq!(read(&batch), Some(micros));
            }
        }
    }

    #[test]
    fn a_record_without_room_has_no_stamp() {
        let (template, _) = encode(150, 4, 1);
        assert!(Stamper::new(&template).is_none());
        assert_eq!(read(&template), None);
        let (batch, _) = encode(300, 100, 1);
        for cut in 0..70 {
            assert_eq!(read(&batch[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn moments_keep_their_distances() {
        let clock = Clock::new();
        let later = clock.anchor + std::time::Duration::from_micros(1500);
        assert_eq!(clock.micros(later) - clock.micros(clock.anchor), 1500);
        assert!(now_micros() >= clock.micros(clock.anchor));
    }
}
