//! One file: what processes see, what the disk is known to hold, and what lies between.

use super::rng::Rng;
use super::write_back_errors::WriteBackErrors;

/// Bytes that a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;
/// Bytes of a page, and of a file system's block.
pub(super) const PAGE_BYTES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Hole,
    /// Reserved: a write into it needs a metadata commit before it can be read back.
    Unwritten,
    Written,
}

/// A change that no flush has covered yet.
#[derive(Clone, Debug)]
enum Change {
    /// Lies within one page. `written_back`: it left the page cache, but not the device's.
    Write {
        offset: usize,
        bytes: Vec<u8>,
        written_back: bool,
    },
    Truncate {
        length: usize,
    },
    Allocate {
        offset: usize,
        length: usize,
    },
}

#[derive(Clone, Debug)]
struct Pending {
    /// Changes of one call have the same number; numbers rise.
    call: u64,
    change: Change,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    blocks: Vec<Block>,
}

impl Content {
    fn set_blocks(&mut self, offset: usize, length: usize, block: Block) {
        let (first, end) = (offset / PAGE_BYTES, (offset + length).div_ceil(PAGE_BYTES));
        if self.blocks.len() < end {
            self.blocks.resize(end, Block::Hole);
        }
        for slot in &mut self.blocks[first..end] {
            if block == Block::Written || *slot == Block::Hole {
                *slot = block;
            }
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(bytes);
        self.set_blocks(offset, bytes.len(), Block::Written);
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        self.blocks.resize(length.div_ceil(PAGE_BYTES), Block::Hole);
    }

    fn allocate(&mut self, offset: usize, length: usize) {
        if self.bytes.len() < offset + length {
            self.bytes.resize(offset + length, 0);
        }
        self.set_blocks(offset, length, Block::Unwritten);
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, bytes, .. } => self.write(*offset, bytes),
            Change::Truncate { length } => self.truncate(*length),
            Change::Allocate { offset, length } => self.allocate(*offset, *length),
        }
    }
}

/// Which un-flushed changes of a file outlive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    Everything,
    /// The first changes in order, the last of them torn at a sector.
    Prefix,
    /// Everything but a torn last call.
    TornLast,
    /// Only the last call.
    OnlyLast,
    /// Each sector for itself.
    Sectors,
    /// Each page for itself.
    Pages,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DiskFile {
    current: Content,
    durable: Content,
    pending: Vec<Pending>,
    errors: WriteBackErrors,
}

impl DiskFile {
    pub(super) fn errors(&mut self) -> &mut WriteBackErrors {
        &mut self.errors
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.current.bytes
    }

    /// Flips bits of one byte in memory and on the disk; false where there is no such byte.
    pub(super) fn corrupt(&mut self, offset: usize, mask: u8) -> bool {
        if let Some(byte) = self.durable.bytes.get_mut(offset) {
            *byte ^= mask;
        }
        self.current
            .bytes
            .get_mut(offset)
            .map(|byte| *byte ^= mask)
            .is_some()
    }

    /// What a crash that keeps nothing leaves.
    pub(super) fn durable_bytes(&self) -> &[u8] {
        &self.durable.bytes
    }

    /// Blocks that are taken on the volume, in bytes.
    pub(super) fn allocated_bytes(&self) -> u64 {
        let taken = self
            .current
            .blocks
            .iter()
            .filter(|block| **block != Block::Hole)
            .count();
        (taken * PAGE_BYTES) as u64
    }

    /// Of a range, the bytes whose blocks are still free on the volume.
    pub(super) fn missing_bytes(&self, offset: usize, length: usize) -> u64 {
        let (first, end) = (offset / PAGE_BYTES, (offset + length).div_ceil(PAGE_BYTES));
        let present = (first..end)
            .filter(|index| {
                self.current
                    .blocks
                    .get(*index)
                    .is_some_and(|b| *b != Block::Hole)
            })
            .count();
        ((end - first - present) * PAGE_BYTES) as u64
    }

    pub(super) fn write(&mut self, call: u64, offset: usize, bytes: &[u8]) {
        self.current.write(offset, bytes);
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(PAGE_BYTES - at % PAGE_BYTES));
            let change = Change::Write {
                offset: at,
                bytes: piece.to_vec(),
                written_back: false,
            };
            self.pending.push(Pending { call, change });
            at += piece.len();
            rest = behind;
        }
    }

    pub(super) fn truncate(&mut self, call: u64, length: usize) {
        self.current.truncate(length);
        self.pending.push(Pending {
            call,
            change: Change::Truncate { length },
        });
    }

    pub(super) fn allocate(&mut self, call: u64, offset: usize, length: usize) {
        self.current.allocate(offset, length);
        self.pending.push(Pending {
            call,
            change: Change::Allocate { offset, length },
        });
    }

    /// What an fsync or fdatasync that succeeds does for this file.
    pub(super) fn sync(&mut self) {
        for pending in self.pending.drain(..) {
            self.durable.apply(&pending.change);
        }
    }

    /// Write-back of a range has ended: its pages left the page cache.
    pub(super) fn write_back(&mut self, offset: usize, length: usize) {
        let pages = offset / PAGE_BYTES..offset.saturating_add(length).div_ceil(PAGE_BYTES);
        for pending in &mut self.pending {
            if let Change::Write {
                offset,
                written_back,
                ..
            } = &mut pending.change
                && pages.contains(&(*offset / PAGE_BYTES))
            {
                *written_back = true;
            }
        }
    }

    /// The device's cache was flushed: pages that had left the page cache are on the disk, as long
    /// as no metadata is missing to find them (size, block allocation, extent conversion).
    pub(super) fn device_flushed(&mut self) {
        let durable = &mut self.durable;
        let mut truncated = false;
        self.pending.retain(|pending| match &pending.change {
            Change::Truncate { .. } => {
                truncated = true;
                true
            }
            Change::Write {
                offset,
                bytes,
                written_back: true,
            } if !truncated => {
                let within = offset + bytes.len() <= durable.bytes.len();
                let block = durable.blocks.get(offset / PAGE_BYTES);
                if within && block == Some(&Block::Written) {
                    durable.write(*offset, bytes);
                    return false;
                }
                true
            }
            Change::Write { .. } | Change::Allocate { .. } => true,
        });
    }

    /// What a failed write-back leaves on Linux: dirty pages become clean. Some reached the disk,
    /// the others never will, yet processes go on reading them until they leave memory.
    pub(super) fn fail_write_back(&mut self, pages: std::ops::Range<usize>, rng: &mut Rng) {
        self.errors.add();
        let durable = &mut self.durable;
        self.pending.retain(|pending| match &pending.change {
            Change::Write { offset, bytes, .. } if pages.contains(&(offset / PAGE_BYTES)) => {
                let within = offset + bytes.len() <= durable.bytes.len();
                if within && rng.chance(1, 3) {
                    durable.write(*offset, bytes);
                }
                false
            }
            _ => true,
        });
    }

    /// The file after a crash, with nothing pending.
    pub(super) fn survivor(&self, keep: Keep, rng: &mut Rng) -> DiskFile {
        let mut content = self.durable.clone();
        let last_call = self.pending.last().map_or(0, |pending| pending.call);
        let cut = rng.below(self.pending.len() + 1);
        for (index, pending) in self.pending.iter().enumerate() {
            let is_last = pending.call == last_call;
            let whole = match keep {
                Keep::Nothing => continue,
                Keep::Everything => true,
                Keep::Prefix if index > cut => break,
                Keep::Prefix => index < cut,
                Keep::TornLast => !is_last,
                Keep::OnlyLast if !is_last => continue,
                Keep::OnlyLast => true,
                Keep::Pages if rng.chance(1, 2) => continue,
                Keep::Pages => true,
                Keep::Sectors => false,
            };
            match &pending.change {
                Change::Write { offset, bytes, .. } if !whole => {
                    keep_sectors(&mut content, *offset, bytes, rng);
                }
                Change::Truncate { .. } | Change::Allocate { .. } if !whole && rng.chance(1, 2) => {
                }
                change => content.apply(change),
            }
        }
        DiskFile {
            current: content.clone(),
            durable: content,
            ..DiskFile::default()
        }
    }
}

/// Some sectors of one write reach the disk; where the file grew, the size may have or not.
fn keep_sectors(content: &mut Content, offset: usize, bytes: &[u8], rng: &mut Rng) {
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
        if rng.chance(1, 2) {
            content.write(at, piece);
        } else if at + piece.len() > content.bytes.len() && rng.chance(1, 4) {
            content.bytes.resize(at + piece.len(), 0);
        }
        at += piece.len();
        rest = behind;
    }
}
