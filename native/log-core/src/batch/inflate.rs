//! Inflates a payload piece by piece, with a cap on what comes out.
//!
//! Memory follows what was really inflated or really received, never a length that the payload
//! claims (CVE-2023-34455 is what happens otherwise).

use std::io::Read;

use super::checksum::xxh32;
use super::frame::{
    FrameError, Lz4Blocks, SNAPPY_RATIO_MAX, XERIAL_MAGIC, XerialChunks, ZSTD_WINDOW_LOG_MAX,
};
use super::header::Codec;

/// Bytes that gzip and zstd give at a time.
pub const WINDOW_BYTES: usize = 32 << 10;
/// lz4 makes at most 255 bytes out of one.
const LZ4_RATIO_MAX: usize = 255;

/// Why a payload cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    Frame(FrameError),
    /// The compressed bytes are damaged.
    Corrupt,
    /// More comes out than the caller allows.
    TooLarge,
}

impl std::fmt::Display for InflateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InflateError::Frame(error) => error.fmt(f),
            InflateError::Corrupt => write!(f, "the compressed bytes are damaged"),
            InflateError::TooLarge => write!(f, "the records inflate beyond the limit"),
        }
    }
}

impl std::error::Error for InflateError {}

enum Stream<'a> {
    Gzip(Box<flate2::bufread::MultiGzDecoder<&'a [u8]>>),
    Xerial(XerialChunks<'a>),
    SnappyBlock(Option<&'a [u8]>),
    Lz4(Lz4Blocks<'a>),
    Zstd(Box<zstd::stream::read::Decoder<'static, &'a [u8]>>),
}

/// The inflated bytes of one payload, a window at a time.
pub struct Inflater<'a> {
    stream: Stream<'a>,
    /// Bytes that may still come out.
    allowance: usize,
}

impl<'a> Inflater<'a> {
    /// `payload` is what lies behind the batch's header; at most `bytes_max` bytes come out of it.
    /// `codec` must not be [`Codec::None`]: those payloads are read where they are.
    pub fn new(codec: Codec, payload: &'a [u8], bytes_max: usize) -> Result<Self, InflateError> {
        let stream = match codec {
            Codec::None => return Err(InflateError::Frame(FrameError::Unsupported)),
            Codec::Gzip => Stream::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(payload))),
            Codec::Snappy if payload.starts_with(&XERIAL_MAGIC) => {
                Stream::Xerial(XerialChunks { rest: payload })
            }
            Codec::Snappy => Stream::SnappyBlock(Some(payload)),
            Codec::Lz4 => Stream::Lz4(Lz4Blocks::new(payload).map_err(InflateError::Frame)?),
            Codec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(payload)
                    .map_err(|_| InflateError::Corrupt)?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG_MAX)
                    .map_err(|_| InflateError::Corrupt)?;
                Stream::Zstd(Box::new(decoder))
            }
        };
        Ok(Inflater {
            stream,
            allowance: bytes_max,
        })
    }

    /// Replaces the contents of `window` with the bytes that follow; false at the stream's end.
    /// A window is never empty when the answer is true.
    pub fn fill(&mut self, window: &mut Vec<u8>) -> Result<bool, InflateError> {
        loop {
            let more = match &mut self.stream {
                Stream::Gzip(decoder) => read_window(decoder, window)?,
                Stream::Zstd(decoder) => read_window(decoder, window)?,
                Stream::Xerial(chunks) => match chunks.next().map_err(InflateError::Frame)? {
                    Some(chunk) => snappy_block(chunk, self.allowance, window)?,
                    None => false,
                },
                Stream::SnappyBlock(block) => match block.take() {
                    Some(block) => snappy_block(block, self.allowance, window)?,
                    None => false,
                },
                Stream::Lz4(blocks) => lz4_block(blocks, self.allowance, window)?,
            };
            if !more {
                window.clear();
                return Ok(false);
            }
            if window.len() > self.allowance {
                return Err(InflateError::TooLarge);
            }
            self.allowance -= window.len();
            if !window.is_empty() {
                return Ok(true);
            }
        }
    }
}

fn read_window(decoder: &mut impl Read, window: &mut Vec<u8>) -> Result<bool, InflateError> {
    window.resize(WINDOW_BYTES, 0);
    let length = decoder.read(window).map_err(|_| InflateError::Corrupt)?;
    window.truncate(length);
    Ok(length > 0)
}

fn snappy_block(
    block: &[u8],
    allowance: usize,
    window: &mut Vec<u8>,
) -> Result<bool, InflateError> {
    let length = snap::raw::decompress_len(block).map_err(|_| InflateError::Corrupt)?;
    if length > block.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(InflateError::Corrupt);
    }
    if length > allowance {
        return Err(InflateError::TooLarge);
    }
    window.resize(length, 0);
    let written = snap::raw::Decoder::new()
        .decompress(block, window)
        .map_err(|_| InflateError::Corrupt)?;
    window.truncate(written);
    Ok(true)
}

fn lz4_block(
    blocks: &mut Lz4Blocks<'_>,
    allowance: usize,
    window: &mut Vec<u8>,
) -> Result<bool, InflateError> {
    let Some(block) = blocks.next().map_err(InflateError::Frame)? else {
        return Ok(false);
    };
    if let Some(checksum) = block.checksum
        && checksum != xxh32(block.bytes)
    {
        return Err(InflateError::Corrupt);
    }
    if block.stored {
        window.clear();
        window.extend_from_slice(block.bytes);
        return Ok(true);
    }
    let claimed = blocks
        .block_bytes_max()
        .min(block.bytes.len().saturating_mul(LZ4_RATIO_MAX));
    // One byte more than is allowed tells a block that is too large from one that is damaged.
    let room = claimed.min(allowance.saturating_add(1));
    window.resize(room, 0);
    match lz4_flex::block::decompress_into(block.bytes, window) {
        Ok(length) => {
            window.truncate(length);
            Ok(true)
        }
        Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < claimed => {
            Err(InflateError::TooLarge)
        }
        Err(_) => Err(InflateError::Corrupt),
    }
}
