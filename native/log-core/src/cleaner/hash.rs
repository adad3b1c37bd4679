//! SipHash-2-4 with 128 bits of output, over keys of records.
//!
//! The map of newest offsets knows keys by their hash alone, so two keys with one hash would cost
//! a record. With 128 bits and a secret drawn for each run, n keys meet by chance with probability
//! n^2 / 2^129: 10^-24 for a hundred million keys in one run, far below what a disk invents on its
//! own. Nobody can look for two such keys either: the secret never leaves the run, and whoever
//! could choose the keys of a topic does not see it.

/// The secret of one run.
#[derive(Clone, Copy)]
pub struct KeyHasher {
    k0: u64,
    k1: u64,
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.round();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn finish(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }
}

impl KeyHasher {
    pub fn new(secret: [u8; 16]) -> KeyHasher {
        let secret = u128::from_le_bytes(secret);
        KeyHasher {
            k0: secret as u64,
            k1: (secret >> 64) as u64,
        }
    }

    pub fn hash(&self, key: &[u8]) -> u128 {
        let mut state = State {
            v0: self.k0 ^ 0x736f_6d65_7073_6575,
            v1: self.k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            v2: self.k0 ^ 0x6c79_6765_6e65_7261,
            v3: self.k1 ^ 0x7465_6462_7974_6573,
        };
        let words = key.chunks_exact(8);
        let tail = words.remainder();
        for word in words {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            state.word(u64::from_le_bytes(bytes));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        last[7] = key.len() as u8;
        state.word(u64::from_le_bytes(last));
        state.v2 ^= 0xee;
        let low = state.finish();
        state.v1 ^= 0xdd;
        let high = state.finish();
        u128::from(low) | u128::from(high) << 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_reference_implementation() {
        let mut secret = [0; 16];
        for (index, byte) in secret.iter_mut().enumerate() {
            *byte = index as u8;
        }
        let hasher = KeyHasher::new(secret);
        let empty = u128::from_be_bytes([
            0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55,
            0x02, 0x93,
        ]);
        let one = u128::from_be_bytes([
            0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22,
            0xfc, 0x45,
        ]);
        assert_eq!(hasher.hash(&[]).swap_bytes(), empty);
        assert_eq!(hasher.hash(&[0]).swap_bytes(), one);
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let hasher = KeyHasher::new([7; 16]);
        let mut seen = std::collections::HashSet::new();
        for length in 0..40 {
            assert!(seen.insert(hasher.hash(&vec![0; length])));
            for index in 0..length {
                let mut key = vec![0; length];
                key[index] = 1;
                assert!(seen.insert(hasher.hash(&key)));
            }
        }
        assert_ne!(
            KeyHasher::new([8; 16]).hash(b"key"),
            KeyHasher::new([7; 16]).hash(b"key")
        );
    }
}
