//! Opened indexes of sealed segments, least recently used ones closed first.
//!
//! Opening reads the whole index once, to check it, which also brings it into memory; so it
//! belongs on a disk thread. `peek_*` never opens and is safe on any thread. Files must not be cut
//! or rewritten in place while they are cached: replace or unlink them, and `forget` the segment.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{IndexError, OffsetEntries, TimeEntries};
use crate::vfs::{FileMap, OpenMode, Vfs, VfsFile, read_exact};

/// A segment: its log's number in this process run, and its base offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey {
    pub log: u32,
    pub base_offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Offset,
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    segment: SegmentKey,
    kind: Kind,
}

/// An opened, checked `.index` of a sealed segment.
#[derive(Clone)]
pub struct SealedOffsetIndex {
    base_offset: i64,
    map: Arc<dyn FileMap>,
}

impl SealedOffsetIndex {
    pub fn entries(&self) -> OffsetEntries<'_> {
        OffsetEntries::new(self.base_offset, self.map.bytes())
    }
}

/// An opened, checked `.timeindex` of a sealed segment.
#[derive(Clone)]
pub struct SealedTimeIndex {
    base_offset: i64,
    map: Arc<dyn FileMap>,
}

impl SealedTimeIndex {
    pub fn entries(&self) -> TimeEntries<'_> {
        TimeEntries::new(self.base_offset, self.map.bytes())
    }
}

struct Opened {
    map: Arc<dyn FileMap>,
    /// When it was used last, in uses of the cache.
    used: u64,
}

#[derive(Default)]
struct State {
    opened: HashMap<Key, Opened>,
    /// The same keys by `used`.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: u64,
}

impl State {
    fn touch(&mut self, key: Key) -> Option<Arc<dyn FileMap>> {
        let opened = self.opened.get_mut(&key)?;
        self.order.remove(&opened.used);
        self.uses += 1;
        opened.used = self.uses;
        self.order.insert(self.uses, key);
        Some(Arc::clone(&opened.map))
    }

    fn remove(&mut self, key: Key) {
        if let Some(opened) = self.opened.remove(&key) {
            self.order.remove(&opened.used);
            self.bytes -= opened.map.bytes().len() as u64;
        }
    }

    fn insert(&mut self, key: Key, map: Arc<dyn FileMap>) {
        self.remove(key);
        self.uses += 1;
        self.bytes += map.bytes().len() as u64;
        self.order.insert(self.uses, key);
        self.opened.insert(
            key,
            Opened {
                map,
                used: self.uses,
            },
        );
    }

    fn shrink(&mut self, indexes_max: usize, bytes_max: u64) {
        // The newest stays even when it alone is too large: it is about to be used.
        while self.opened.len() > 1 && (self.opened.len() > indexes_max || self.bytes > bytes_max) {
            let Some((_, key)) = self.order.first_key_value() else {
                return;
            };
            self.remove(*key);
        }
    }
}

/// How much of the bound is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheStats {
    pub indexes: usize,
    pub bytes: u64,
}

/// Indexes up to this size are read instead of mapped: a map costs more than it saves.
const READ_BYTES_MAX: u64 = 64 << 10;

/// Opened indexes of sealed segments, bounded in number and bytes.
pub struct IndexCache {
    vfs: Arc<dyn Vfs>,
    indexes_max: usize,
    bytes_max: u64,
    state: Mutex<State>,
}

impl IndexCache {
    /// Keeps at most `indexes_max` indexes and `bytes_max` bytes of them, but always one.
    pub fn new(vfs: Arc<dyn Vfs>, indexes_max: usize, bytes_max: u64) -> IndexCache {
        IndexCache {
            vfs,
            indexes_max,
            bytes_max,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here leaves the state half changed when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment's offset index if it is open.
    pub fn peek_offsets(&self, segment: SegmentKey) -> Option<SealedOffsetIndex> {
        let map = self.lock().touch(Key {
            segment,
            kind: Kind::Offset,
        })?;
        Some(SealedOffsetIndex {
            base_offset: segment.base_offset,
            map,
        })
    }

    /// The segment's time index if it is open.
    pub fn peek_times(&self, segment: SegmentKey) -> Option<SealedTimeIndex> {
        let map = self.lock().touch(Key {
            segment,
            kind: Kind::Time,
        })?;
        Some(SealedTimeIndex {
            base_offset: segment.base_offset,
            map,
        })
    }

    /// The segment's offset index, opened from `path` and checked against the segment's size.
    pub fn open_offsets(
        &self,
        segment: SegmentKey,
        path: &Path,
        segment_bytes: u64,
    ) -> Result<SealedOffsetIndex, IndexError> {
        if let Some(index) = self.peek_offsets(segment) {
            return Ok(index);
        }
        let map = self.load(path)?;
        let index = SealedOffsetIndex {
            base_offset: segment.base_offset,
            map,
        };
        index
            .entries()
            .check(segment_bytes)
            .map_err(IndexError::Damaged)?;
        self.keep(
            Key {
                segment,
                kind: Kind::Offset,
            },
            &index.map,
        );
        Ok(index)
    }

    /// The segment's time index, opened from `path` and checked against the segment's last offset.
    pub fn open_times(
        &self,
        segment: SegmentKey,
        path: &Path,
        last_offset: i64,
    ) -> Result<SealedTimeIndex, IndexError> {
        if let Some(index) = self.peek_times(segment) {
            return Ok(index);
        }
        let map = self.load(path)?;
        let index = SealedTimeIndex {
            base_offset: segment.base_offset,
            map,
        };
        index
            .entries()
            .check(last_offset)
            .map_err(IndexError::Damaged)?;
        self.keep(
            Key {
                segment,
                kind: Kind::Time,
            },
            &index.map,
        );
        Ok(index)
    }

    /// Closes what is open of a segment that was deleted or rewritten.
    pub fn forget(&self, segment: SegmentKey) {
        let mut state = self.lock();
        state.remove(Key {
            segment,
            kind: Kind::Offset,
        });
        state.remove(Key {
            segment,
            kind: Kind::Time,
        });
    }

    /// Closes what is open of a log.
    pub fn forget_log(&self, log: u32) {
        let mut state = self.lock();
        let keys: Vec<Key> = state
            .opened
            .keys()
            .filter(|key| key.segment.log == log)
            .copied()
            .collect();
        for key in keys {
            state.remove(key);
        }
    }

    pub fn stats(&self) -> CacheStats {
        let state = self.lock();
        CacheStats {
            indexes: state.opened.len(),
            bytes: state.bytes,
        }
    }

    fn keep(&self, key: Key, map: &Arc<dyn FileMap>) {
        let mut state = self.lock();
        state.insert(key, Arc::clone(map));
        state.shrink(self.indexes_max, self.bytes_max);
    }

    fn load(&self, path: &Path) -> Result<Arc<dyn FileMap>, IndexError> {
        let file = self
            .vfs
            .open(path, OpenMode::Read)
            .map_err(IndexError::Io)?;
        map_or_read(&*file).map_err(IndexError::Io)
    }
}

fn map_or_read(file: &dyn VfsFile) -> io::Result<Arc<dyn FileMap>> {
    let length = file.len()?;
    if length > READ_BYTES_MAX {
        return file.map(length);
    }
    let mut bytes = vec![0; length as usize];
    read_exact(file, &mut bytes, 0)?;
    Ok(Arc::new(bytes))
}
