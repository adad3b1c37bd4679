//! Compresses records again, in the framing that Kafka's readers take.

use std::io::{self, Write};

use crate::batch::{Codec, xxh32};

/// Java's snappy stream: magic, version 1, compatible with version 1.
const XERIAL_HEADER: [u8; 16] = [
    0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
];
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;
/// Version 1, independent blocks without checksums of their own; blocks of 64 KiB.
const LZ4_DESCRIPTOR: [u8; 2] = [0x60, 0x40];
const LZ4_MAGIC: u32 = 0x184D_2204;
const LZ4_STORED: u32 = 0x8000_0000;
const LZ4_BLOCK_BYTES: usize = 64 << 10;
const ZSTD_LEVEL: i32 = 3;

/// Appends `plain` to `out`, compressed.
pub fn deflate(codec: Codec, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match codec {
        Codec::None => out.extend_from_slice(plain),
        Codec::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(&mut *out, level);
            encoder.write_all(plain)?;
            encoder.finish()?;
        }
        Codec::Snappy => {
            out.extend_from_slice(&XERIAL_HEADER);
            let mut encoder = snap::raw::Encoder::new();
            for block in plain.chunks(SNAPPY_BLOCK_BYTES) {
                let compressed = encoder.compress_vec(block).map_err(io::Error::other)?;
                out.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
                out.extend_from_slice(&compressed);
            }
        }
        Codec::Lz4 => lz4(plain, out),
        Codec::Zstd => zstd::stream::copy_encode(plain, &mut *out, ZSTD_LEVEL)?,
    }
    Ok(())
}

fn lz4(plain: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&LZ4_MAGIC.to_le_bytes());
    out.extend_from_slice(&LZ4_DESCRIPTOR);
    out.push((xxh32(&LZ4_DESCRIPTOR) >> 8) as u8);
    for block in plain.chunks(LZ4_BLOCK_BYTES) {
        let compressed = lz4_flex::block::compress(block);
        if compressed.len() < block.len() {
            out.extend_from_slice(&(compressed.len() as u32).to_le_bytes());
            out.extend_from_slice(&compressed);
        } else {
            out.extend_from_slice(&(block.len() as u32 | LZ4_STORED).to_le_bytes());
            out.extend_from_slice(block);
        }
    }
    out.extend_from_slice(&[0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Inflater, judge_frame};

    #[test]
    fn what_is_compressed_passes_the_judge_and_comes_back() {
        let mut state: u32 = 1;
        let noise = (0..200_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.collect();
        let text = b"the same words again, ".repeat(10_000);
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            for plain in [&noise[..], &text[..], b"x"] {
                let mut out = Vec::new();
                deflate(codec, plain, &mut out).expect("memory takes it");
                assert_eq!(judge_frame(codec, &out), Ok(()), "{codec:?}");
                let mut inflater = Inflater::new(codec, &out, plain.len()).expect("a stream");
                let (mut window, mut back) = (Vec::new(), Vec::new());
                while inflater.fill(&mut window).expect("whole") {
                    back.extend_from_slice(&window);
                }
                assert_eq!(back, plain, "{codec:?}");
            }
        }
    }
}
