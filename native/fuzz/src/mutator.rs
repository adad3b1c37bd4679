//! Plain mutations for toolchains without libFuzzer: deterministic by seed, no coverage.

use std::path::Path;

use mantou_log_core::sim::Rng;

/// Gives mutated copies of its inputs, without end.
pub struct Mutator {
    rng: Rng,
    inputs: Vec<Vec<u8>>,
}

/// Numbers that parsers get wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
];
const LENGTH_MAX: usize = 1 << 16;

impl Mutator {
    /// `inputs` must not be empty.
    pub fn new(seed: u64, inputs: Vec<Vec<u8>>) -> Mutator {
        assert!(!inputs.is_empty());
        Mutator {
            rng: Rng::new(seed),
            inputs,
        }
    }

    pub fn next_input(&mut self) -> Vec<u8> {
        let mut bytes = self.inputs[self.rng.below(self.inputs.len())].clone();
        for _ in 0..=self.rng.below(8) {
            self.mutate(&mut bytes);
        }
        bytes.truncate(LENGTH_MAX);
        bytes
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let rng = &mut self.rng;
        let at = rng.below(bytes.len());
        match rng.below(9) {
            _ if bytes.is_empty() => bytes.extend((0..1 + rng.below(100)).map(|_| 0)),
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.u64() as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + rng.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let noise: Vec<u8> = (0..1 + rng.below(16)).map(|_| rng.u64() as u8).collect();
                bytes.splice(at..at, noise);
            }
            5 => {
                let end = (at + 1 + rng.below(64)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            6 => {
                let width = [1, 2, 4, 8][rng.below(4)];
                let edge = EDGES[rng.below(EDGES.len())].to_be_bytes();
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&edge[8 - (end - at)..]);
            }
            7 => {
                let other = &self.inputs[rng.below(self.inputs.len())];
                let from = rng.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let end = (at + 1 + rng.below(8)).min(bytes.len());
                bytes[at..end].fill(if rng.chance(1, 2) { 0 } else { 0xff });
            }
        }
    }
}

/// The corpus of a target: what was found earlier, and golden batches in every mode.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    if let Ok(entries) = std::fs::read_dir(root.join("corpus").join(target)) {
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        found.extend(paths.iter().filter_map(|path| std::fs::read(path).ok()));
    }
    if target == "recovery" {
        found.extend((0..3).map(|which| vec![which; 31]));
        return found;
    }
    let golden = root.join("../log-core/tests/batch_golden.txt");
    let golden = std::fs::read_to_string(golden).unwrap_or_default();
    for line in golden
        .lines()
        .filter(|line| !line.starts_with('#') && line.len() < 8000)
    {
        let hex = line.rsplit(' ').next().unwrap_or_default();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or(0);
        let bytes: Vec<u8> = (0..hex.len() / 2).map(|at| byte(2 * at)).collect();
        for mode in [0, 1, 3] {
            found.push([&[mode], &bytes[..]].concat());
        }
    }
    found.push(vec![0; 64]);
    found
}
