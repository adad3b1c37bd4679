//! Judges a compressed payload by its framing, without inflating it.
//!
//! What passes here can still hold garbage inside of its blocks. What is refused here would be
//! refused by Kafka's own readers, and would stop a consumer for good if it were stored.

use super::checksum::xxh32;
use super::header::Codec;

/// Why a compressed payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The payload ends inside of its framing.
    Truncated,
    /// The codec's magic bytes or format version are not there.
    Magic,
    /// lz4: blocks that refer to earlier blocks, which Kafka's readers do not take.
    DependentBlocks,
    /// A reserved bit is set, or a feature that Kafka's readers do not have (a dictionary).
    Unsupported,
    /// The descriptor's own checksum does not match.
    HeaderChecksum,
    /// A block or window larger than its format or Kafka's readers allow.
    Size,
    /// Bytes behind the end of the stream.
    Trailing,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FrameError::Truncated => "the compressed stream is cut off",
            FrameError::Magic => "the compressed stream does not start as its codec does",
            FrameError::DependentBlocks => "the lz4 frame has dependent blocks",
            FrameError::Unsupported => "the compressed stream uses a feature readers do not have",
            FrameError::HeaderChecksum => "the compressed stream's header fails its checksum",
            FrameError::Size => "the compressed stream has a block or window beyond its limit",
            FrameError::Trailing => "bytes follow the compressed stream",
        })
    }
}

impl std::error::Error for FrameError {}

/// Judges the framing of `payload`. Uncompressed payloads pass.
pub fn judge_frame(codec: Codec, payload: &[u8]) -> Result<(), FrameError> {
    match codec {
        Codec::None => Ok(()),
        Codec::Gzip => judge_gzip(payload),
        Codec::Snappy => judge_snappy(payload),
        Codec::Lz4 => judge_lz4(payload),
        Codec::Zstd => judge_zstd(payload),
    }
}

/// A cursor whose every step is checked against what is there.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, FrameError> {
        Ok(self.take(1)?[0])
    }

    fn u16_le(&mut self) -> Result<u16, FrameError> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn u32_le(&mut self) -> Result<u32, FrameError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn u32_be(&mut self) -> Result<u32, FrameError> {
        Ok(self.u32_le()?.swap_bytes())
    }
}

const GZIP_HEADER_CRC: u8 = 0x02;
const GZIP_EXTRA: u8 = 0x04;
const GZIP_NAME: u8 = 0x08;
const GZIP_COMMENT: u8 = 0x10;
const GZIP_RESERVED: u8 = 0xe0;
/// The shortest deflate stream, and the CRC and size behind it.
const GZIP_BODY_BYTES_MIN: usize = 2 + 8;

/// RFC 1952.
fn judge_gzip(payload: &[u8]) -> Result<(), FrameError> {
    let mut cursor = Cursor { rest: payload };
    if cursor.take(3)? != [0x1f, 0x8b, 8] {
        return Err(FrameError::Magic);
    }
    let flags = cursor.byte()?;
    if flags & GZIP_RESERVED != 0 {
        return Err(FrameError::Unsupported);
    }
    // Modification time, extra flags and operating system.
    cursor.take(6)?;
    if flags & GZIP_EXTRA != 0 {
        let length = cursor.u16_le()?;
        cursor.take(usize::from(length))?;
    }
    for flag in [GZIP_NAME, GZIP_COMMENT] {
        if flags & flag != 0 {
            while cursor.byte()? != 0 {}
        }
    }
    if flags & GZIP_HEADER_CRC != 0 {
        let header = &payload[..payload.len() - cursor.rest.len()];
        let mut crc = flate2::Crc::new();
        crc.update(header);
        if u32::from(cursor.u16_le()?) != crc.sum() & 0xffff {
            return Err(FrameError::HeaderChecksum);
        }
    }
    if cursor.rest.len() < GZIP_BODY_BYTES_MIN {
        return Err(FrameError::Truncated);
    }
    // Bits 1 and 2 of the first block are its type; 3 is reserved.
    if cursor.rest[0] & 0x06 == 0x06 {
        return Err(FrameError::Unsupported);
    }
    Ok(())
}

/// The stream framing of Java's snappy: this magic, a version and a compatible version.
pub(crate) const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
pub(crate) const XERIAL_HEADER_BYTES: usize = 16;
/// A snappy element makes at most 64 bytes out of 3.
pub(crate) const SNAPPY_RATIO_MAX: usize = 22;

fn judge_snappy(payload: &[u8]) -> Result<(), FrameError> {
    if !payload.starts_with(&XERIAL_MAGIC) {
        return judge_snappy_block(payload);
    }
    let mut chunks = XerialChunks { rest: payload };
    let mut count = 0;
    while let Some(chunk) = chunks.next()? {
        judge_snappy_block(chunk)?;
        count += 1;
    }
    if count == 0 {
        Err(FrameError::Truncated)
    } else {
        Ok(())
    }
}

/// The raw snappy blocks of a xerial stream; headers of concatenated streams are passed over.
pub(crate) struct XerialChunks<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> XerialChunks<'a> {
    pub(crate) fn next(&mut self) -> Result<Option<&'a [u8]>, FrameError> {
        let mut cursor = Cursor { rest: self.rest };
        while cursor.rest.starts_with(&XERIAL_MAGIC) {
            let header = cursor.take(XERIAL_HEADER_BYTES)?;
            let compatible = i32::from_be_bytes([header[12], header[13], header[14], header[15]]);
            // Version 1 is the only one there ever was; a reader looks at what it must know.
            if compatible != 1 {
                return Err(FrameError::Magic);
            }
        }
        if cursor.rest.is_empty() {
            self.rest = cursor.rest;
            return Ok(None);
        }
        let length = cursor.u32_be()? as usize;
        let chunk = cursor.take(length)?;
        self.rest = cursor.rest;
        Ok(Some(chunk))
    }
}

/// A raw block starts with its inflated length, and its first element cannot refer back.
fn judge_snappy_block(block: &[u8]) -> Result<(), FrameError> {
    let mut cursor = Cursor { rest: block };
    let mut length: u64 = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = cursor.byte()?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        if shift == 28 {
            return Err(FrameError::Magic);
        }
    }
    if length > (SNAPPY_RATIO_MAX * block.len()) as u64 {
        return Err(FrameError::Size);
    }
    // The bound that every encoder keeps: a longer block is no block of that length.
    if block.len() as u64 > 32 + length + length / 6 {
        return Err(FrameError::Size);
    }
    match cursor.rest.first() {
        None if length == 0 => Ok(()),
        None => Err(FrameError::Truncated),
        Some(_) if length == 0 => Err(FrameError::Trailing),
        // The two low bits of an element's tag are 0 for a literal.
        Some(tag) if tag & 0x03 != 0 => Err(FrameError::Magic),
        Some(_) => Ok(()),
    }
}

const LZ4_MAGIC: u32 = 0x184D_2204;
const LZ4_STORED: u32 = 0x8000_0000;

/// What an lz4 frame says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lz4Descriptor {
    block_bytes_max: usize,
    block_checksum: bool,
    content_checksum: bool,
}

/// A block of an lz4 frame, still compressed unless `stored`.
pub(crate) struct Lz4Block<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) stored: bool,
    /// xxHash32 of `bytes`, where the frame has block checksums.
    pub(crate) checksum: Option<u32>,
}

/// The blocks of one lz4 frame.
pub(crate) struct Lz4Blocks<'a> {
    cursor: Cursor<'a>,
    descriptor: Lz4Descriptor,
    ended: bool,
}

impl<'a> Lz4Blocks<'a> {
    /// Reads and judges the frame's descriptor (LZ4 frame format 1.5.1, as Kafka reads it).
    pub(crate) fn new(payload: &'a [u8]) -> Result<Lz4Blocks<'a>, FrameError> {
        let mut cursor = Cursor { rest: payload };
        if cursor.u32_le()? != LZ4_MAGIC {
            return Err(FrameError::Magic);
        }
        let described = cursor.rest;
        let flags = cursor.byte()?;
        let sizes = cursor.byte()?;
        if flags >> 6 != 1 {
            return Err(FrameError::Magic);
        }
        if flags & 0x20 == 0 {
            return Err(FrameError::DependentBlocks);
        }
        // Bit 1 is reserved, bit 0 announces a dictionary.
        if flags & 0x03 != 0 || sizes & 0x8f != 0 {
            return Err(FrameError::Unsupported);
        }
        let size_code = sizes >> 4;
        if size_code < 4 {
            return Err(FrameError::Size);
        }
        if flags & 0x08 != 0 {
            // The content size is not trusted by anyone, so it is only passed over.
            cursor.take(8)?;
        }
        let described = &described[..described.len() - cursor.rest.len()];
        if cursor.byte()? != (xxh32(described) >> 8) as u8 {
            return Err(FrameError::HeaderChecksum);
        }
        let descriptor = Lz4Descriptor {
            // 4 to 7: 64 KiB, 256 KiB, 1 MiB, 4 MiB.
            block_bytes_max: 1 << (8 + 2 * size_code),
            block_checksum: flags & 0x10 != 0,
            content_checksum: flags & 0x04 != 0,
        };
        Ok(Lz4Blocks {
            cursor,
            descriptor,
            ended: false,
        })
    }

    /// Largest size in bytes that a block of this frame inflates to.
    pub(crate) fn block_bytes_max(&self) -> usize {
        self.descriptor.block_bytes_max
    }

    /// The next block, or none behind the end mark.
    pub(crate) fn next(&mut self) -> Result<Option<Lz4Block<'a>>, FrameError> {
        if self.ended {
            return Ok(None);
        }
        let word = self.cursor.u32_le()?;
        let length = (word & !LZ4_STORED) as usize;
        if length == 0 {
            self.ended = true;
            if self.descriptor.content_checksum {
                self.cursor.take(4)?;
            }
            if !self.cursor.rest.is_empty() {
                return Err(FrameError::Trailing);
            }
            return Ok(None);
        }
        if length > self.descriptor.block_bytes_max {
            return Err(FrameError::Size);
        }
        let bytes = self.cursor.take(length)?;
        let checksum = if self.descriptor.block_checksum {
            Some(self.cursor.u32_le()?)
        } else {
            None
        };
        Ok(Some(Lz4Block {
            bytes,
            stored: word & LZ4_STORED != 0,
            checksum,
        }))
    }
}

fn judge_lz4(payload: &[u8]) -> Result<(), FrameError> {
    let mut blocks = Lz4Blocks::new(payload)?;
    while blocks.next()?.is_some() {}
    Ok(())
}

const ZSTD_MAGIC: u32 = 0xFD2F_B528;
/// zstd's own default, and so Java's: a frame that needs more memory is not read.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const ZSTD_BLOCK_BYTES_MAX: u64 = 128 << 10;

/// RFC 8878; frames may follow each other.
fn judge_zstd(payload: &[u8]) -> Result<(), FrameError> {
    let mut cursor = Cursor { rest: payload };
    judge_zstd_frame(&mut cursor)?;
    while !cursor.rest.is_empty() {
        judge_zstd_frame(&mut cursor)?;
    }
    Ok(())
}

fn judge_zstd_frame(cursor: &mut Cursor<'_>) -> Result<(), FrameError> {
    if cursor.u32_le()? != ZSTD_MAGIC {
        return Err(FrameError::Magic);
    }
    let descriptor = cursor.byte()?;
    if descriptor & 0x08 != 0 {
        return Err(FrameError::Unsupported);
    }
    let single_segment = descriptor & 0x20 != 0;
    let window = if single_segment {
        None
    } else {
        let byte = cursor.byte()?;
        let base = 1u64 << (10 + (byte >> 3));
        Some(base + base / 8 * u64::from(byte & 7))
    };
    let dictionary = cursor.take([0, 1, 2, 4][usize::from(descriptor & 3)])?;
    if dictionary.iter().any(|byte| *byte != 0) {
        return Err(FrameError::Unsupported);
    }
    let size_bytes = match descriptor >> 6 {
        0 => usize::from(single_segment),
        code => 1 << code,
    };
    let mut content = [0; 8];
    content[..size_bytes].copy_from_slice(cursor.take(size_bytes)?);
    // A single segment is its own window. The two-byte form starts counting at 256.
    let content = u64::from_le_bytes(content).saturating_add(if size_bytes == 2 { 256 } else { 0 });
    let window = window.unwrap_or(content);
    if window > 1 << ZSTD_WINDOW_LOG_MAX {
        return Err(FrameError::Size);
    }
    judge_zstd_blocks(cursor, window.min(ZSTD_BLOCK_BYTES_MAX))?;
    if descriptor & 0x04 != 0 {
        cursor.take(4)?;
    }
    Ok(())
}

fn judge_zstd_blocks(cursor: &mut Cursor<'_>, block_bytes_max: u64) -> Result<(), FrameError> {
    loop {
        let bytes = cursor.take(3)?;
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
        let size = word >> 3;
        if u64::from(size) > block_bytes_max {
            return Err(FrameError::Size);
        }
        match (word >> 1) & 3 {
            // Raw and compressed blocks hold `size` bytes; a run holds the one that it repeats.
            0 | 2 => cursor.take(size as usize)?,
            1 => cursor.take(1)?,
            _ => return Err(FrameError::Unsupported),
        };
        if word & 1 != 0 {
            return Ok(());
        }
    }
}
