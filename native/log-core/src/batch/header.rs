//! The 61 bytes in front of every batch.

/// Bytes of a batch header; a batch is never shorter.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes before what `batchLength` counts: base offset and the length itself.
pub const BATCH_OVERHEAD_BYTES: usize = 12;
/// Producer id of a batch that no idempotent producer wrote.
pub const NO_PRODUCER_ID: i64 = -1;
/// Timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;

pub(crate) const BASE_OFFSET_AT: usize = 0;
pub(crate) const LENGTH_AT: usize = 8;
pub(crate) const LEADER_EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(crate) const BASE_TIMESTAMP_AT: usize = 27;
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;
pub(crate) const PRODUCER_ID_AT: usize = 43;
pub(crate) const PRODUCER_EPOCH_AT: usize = 51;
pub(crate) const BASE_SEQUENCE_AT: usize = 53;
pub(crate) const RECORDS_COUNT_AT: usize = 57;

/// Bits of a batch's attributes.
pub mod attribute {
    /// The codec, three bits.
    pub const CODEC_MASK: i16 = 0x07;
    /// Set: every record's timestamp is the batch's `maxTimestamp`.
    pub const LOG_APPEND_TIME: i16 = 0x08;
    pub const TRANSACTIONAL: i16 = 0x10;
    pub const CONTROL: i16 = 0x20;
    /// Set: `baseTimestamp` is a delete horizon in milliseconds.
    pub const DELETE_HORIZON: i16 = 0x40;
}

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// The codec in a batch's attributes, or none where the three bits name no codec.
    #[inline]
    pub fn from_attributes(attributes: i16) -> Option<Codec> {
        match attributes & attribute::CODEC_MASK {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }
}

/// Why bytes are no batch of magic 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Fewer bytes than a header, or than the length field promises.
    Truncated,
    /// The length field is smaller than a header, or negative.
    Length,
    /// Magic is not 2. Holds the byte found.
    Magic(u8),
}

impl std::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HeaderError::Truncated => write!(f, "the batch is cut off"),
            HeaderError::Length => write!(f, "the batch's length field is no possible length"),
            HeaderError::Magic(magic) => write!(f, "the batch has magic {magic} instead of 2"),
        }
    }
}

impl std::error::Error for HeaderError {}

#[inline]
pub(crate) fn read_i16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[inline]
pub(crate) fn read_i32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline]
pub(crate) fn read_i64(bytes: &[u8], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(word)
}

/// A decoded header. Its fields are what the bytes say; only magic and length are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Bytes behind the length field.
    pub batch_length: i32,
    pub leader_epoch: i32,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    /// Milliseconds since 1970, as every timestamp here.
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads a header from the first [`BATCH_HEADER_BYTES`] of `bytes`. The rest of the batch
    /// need not be there, so a scan may read headers alone.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, HeaderError> {
        if bytes.len() <= MAGIC_AT {
            return Err(HeaderError::Truncated);
        }
        // Magic sits at the same place in every format, so an old format is told from a torn one.
        if bytes[MAGIC_AT] != 2 {
            return Err(HeaderError::Magic(bytes[MAGIC_AT]));
        }
        if bytes.len() < BATCH_HEADER_BYTES {
            return Err(HeaderError::Truncated);
        }
        let bytes = &bytes[..BATCH_HEADER_BYTES];
        let batch_length = read_i32(bytes, LENGTH_AT);
        if batch_length < (BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES) as i32 {
            return Err(HeaderError::Length);
        }
        Ok(BatchHeader {
            base_offset: read_i64(bytes, BASE_OFFSET_AT),
            batch_length,
            leader_epoch: read_i32(bytes, LEADER_EPOCH_AT),
            crc: read_i32(bytes, CRC_AT) as u32,
            attributes: read_i16(bytes, ATTRIBUTES_AT),
            last_offset_delta: read_i32(bytes, LAST_OFFSET_DELTA_AT),
            base_timestamp: read_i64(bytes, BASE_TIMESTAMP_AT),
            max_timestamp: read_i64(bytes, MAX_TIMESTAMP_AT),
            producer_id: read_i64(bytes, PRODUCER_ID_AT),
            producer_epoch: read_i16(bytes, PRODUCER_EPOCH_AT),
            base_sequence: read_i32(bytes, BASE_SEQUENCE_AT),
            records_count: read_i32(bytes, RECORDS_COUNT_AT),
        })
    }

    /// Bytes of the whole batch, header included.
    #[inline]
    pub fn size_bytes(&self) -> usize {
        self.batch_length as usize + BATCH_OVERHEAD_BYTES
    }

    /// Offset of the batch's last record. Saturates where a hostile header would overflow.
    #[inline]
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// The timestamp that indexes know the batch by: none where compaction has left only a header,
    /// whose `max_timestamp` still says when its producer wrote last.
    #[inline]
    pub fn indexed_timestamp(&self) -> i64 {
        if self.records_count > 0 {
            self.max_timestamp
        } else {
            NO_TIMESTAMP
        }
    }

    /// The offset behind the batch.
    #[inline]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    #[inline]
    pub fn codec(&self) -> Option<Codec> {
        Codec::from_attributes(self.attributes)
    }

    #[inline]
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & attribute::LOG_APPEND_TIME != 0
    }

    #[inline]
    pub fn is_transactional(&self) -> bool {
        self.attributes & attribute::TRANSACTIONAL != 0
    }

    #[inline]
    pub fn is_control(&self) -> bool {
        self.attributes & attribute::CONTROL != 0
    }

    #[inline]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & attribute::DELETE_HORIZON != 0
    }

    #[inline]
    pub fn has_producer(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }
}

/// One whole batch over bytes that stay where they are. Bytes behind the batch are not part of it.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    pub header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`, which may go on behind it. Does not look at the CRC.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, HeaderError> {
        let header = BatchHeader::parse(bytes)?;
        match bytes.get(..header.size_bytes()) {
            Some(bytes) => Ok(BatchView { header, bytes }),
            None => Err(HeaderError::Truncated),
        }
    }

    /// The whole batch, header included.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What lies behind the header: records, or one compressed stream of them.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[BATCH_HEADER_BYTES..]
    }

    /// CRC-32C of what the header's `crc` covers.
    #[inline]
    pub fn computed_crc(&self) -> u32 {
        super::crc32c(&self.bytes[ATTRIBUTES_AT..])
    }

    #[inline]
    pub fn is_intact(&self) -> bool {
        self.computed_crc() == self.header.crc
    }
}
