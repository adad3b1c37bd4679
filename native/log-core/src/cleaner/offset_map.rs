//! Keys and the newest offset of each, in memory that does not grow.

use super::hash::KeyHasher;

/// A hash and an offset.
pub const ENTRY_BYTES: u64 = 24;
/// Of ten slots so many may be taken: beyond it searches grow long.
const LOAD_TENTHS: u64 = 9;

pub struct OffsetMap {
    hasher: KeyHasher,
    hashes: Vec<u128>,
    /// Offset + 1; 0 is an empty slot, so that fresh pages need not be written.
    offsets: Vec<i64>,
    length: usize,
    length_max: usize,
}

impl OffsetMap {
    /// Takes at most `bytes_max` bytes, and not more than `keys_max` keys need.
    pub fn new(hasher: KeyHasher, bytes_max: u64, keys_max: u64) -> OffsetMap {
        let wanted = keys_max.saturating_mul(10) / LOAD_TENTHS + 2;
        let slots = (bytes_max / ENTRY_BYTES).min(wanted).max(2);
        OffsetMap {
            hasher,
            hashes: vec![0; slots as usize],
            offsets: vec![0; slots as usize],
            length: 0,
            length_max: (slots * LOAD_TENTHS / 10).max(1) as usize,
        }
    }

    /// Where a hash is, or the empty slot where it would go.
    fn slot(&self, hash: u128) -> usize {
        let slots = self.offsets.len();
        let mut slot = ((u128::from(hash as u64) * slots as u128) >> 64) as usize;
        while self.offsets[slot] != 0 && self.hashes[slot] != hash {
            slot = if slot + 1 == slots { 0 } else { slot + 1 };
        }
        slot
    }

    /// Takes note of a key's newest offset; offsets come in ascending order. False: there is no
    /// room for another key.
    pub fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let hash = self.hasher.hash(key);
        let slot = self.slot(hash);
        if self.offsets[slot] == 0 {
            if self.length == self.length_max {
                return false;
            }
            self.length += 1;
            self.hashes[slot] = hash;
        }
        self.offsets[slot] = offset + 1;
        true
    }

    /// The newest offset of a key, or -1.
    pub fn get(&self, key: &[u8]) -> i64 {
        if self.length == 0 {
            return -1;
        }
        self.offsets[self.slot(self.hasher.hash(key))] - 1
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn slots(&self) -> usize {
        self.offsets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn agrees_with_a_plain_map_until_it_is_full() {
        for bytes in [0, 48, 24 * 100, 24 * 1000] {
            let mut map = OffsetMap::new(KeyHasher::new([3; 16]), bytes, u64::MAX);
            let mut model: HashMap<Vec<u8>, i64> = HashMap::new();
            for offset in 0..5000_i64 {
                let key = (offset * 7919 % 800).to_string().into_bytes();
                let known = model.contains_key(&key);
                let took = map.put(&key, offset);
                assert!(took || !known, "a known key always fits");
                if !took {
                    assert_eq!(map.len(), (bytes / 24).max(2) as usize * 9 / 10);
                    continue;
                }
                model.insert(key, offset);
            }
            assert_eq!(map.len(), model.len());
            for number in 0..800 {
                let key = number.to_string().into_bytes();
                assert_eq!(map.get(&key), model.get(&key).copied().unwrap_or(-1));
            }
        }
    }

    #[test]
    fn takes_no_more_memory_than_the_keys_need() {
        let map = OffsetMap::new(KeyHasher::new([3; 16]), 128 << 20, 10);
        assert_eq!(map.offsets.len(), 13);
        assert_eq!(map.length_max, 11);
    }
}
