//! Durable marks: how far each log was known to be durable, a moment ago.
//!
//! After a crash, bytes that fail their checksum are either a tail that never got to the disk, or
//! acknowledged bytes that were damaged. The mark tells which: below it everything was durable.
//! Marks are written at most every few milliseconds, together with a flush that happens anyway,
//! so they lag a little and cost next to nothing. They are an aid to judgement, never the truth.
//!
//! The file: slots of 64 bytes, the first one a header. A slot that fails its checksum says
//! nothing.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::TopicId;
use crate::batch::crc32c;
use crate::log::Log;
use crate::names::DURABLE_MARKS;
use crate::space::is_full;
use crate::vfs::{OpenMode, Vfs, VfsFile, read_file, write_all};

/// How far marks may lag behind.
const LAG: Duration = Duration::from_millis(20);
const SLOT_BYTES: u64 = 64;
const SLOT_CONTENT_BYTES: usize = 32;
const HEADER: &[u8; 16] = b"mantou marks v1\n";
/// The file grows by so many slots; its blocks are written at once, so that a mark moves no
/// metadata.
const GROW_SLOTS: u64 = 256;
const FILE_BYTES_MAX: u64 = 1 << 30;

type Identity = (TopicId, i32);

#[derive(Default)]
struct State {
    file: Option<Arc<dyn VfsFile>>,
    slots: HashMap<Identity, u32>,
    /// Slots that the file has blocks for, the header included.
    capacity: u64,
    next_slot: u32,
    /// Slots below it of logs that are gone.
    free: Vec<u32>,
    /// Durable ends that are not in the file yet, by slot.
    pending: HashMap<u32, (Identity, i64)>,
    due: Option<Instant>,
    given_up: bool,
}

pub struct DurableMarks {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    state: Mutex<State>,
}

/// A range of the marks file that has to be synced.
pub type MarksRange = (Arc<dyn VfsFile>, u64, u64);

fn encode(identity: &Identity, offset: i64) -> [u8; SLOT_BYTES as usize] {
    let mut slot = [0; SLOT_BYTES as usize];
    slot[..16].copy_from_slice(&identity.0);
    slot[16..20].copy_from_slice(&identity.1.to_be_bytes());
    slot[24..32].copy_from_slice(&offset.to_be_bytes());
    let crc = crc32c(&slot[..SLOT_CONTENT_BYTES]);
    slot[32..36].copy_from_slice(&crc.to_be_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<(Identity, i64)> {
    let content = slot.get(..SLOT_CONTENT_BYTES)?;
    let crc = u32::from_be_bytes(slot.get(32..36)?.try_into().ok()?);
    if crc32c(content) != crc {
        return None;
    }
    let topic_id = content[..16].try_into().ok()?;
    let partition = i32::from_be_bytes(content[16..20].try_into().ok()?);
    Some((
        (topic_id, partition),
        i64::from_be_bytes(content[24..32].try_into().ok()?),
    ))
}

/// The marks that a run left behind; none after a clean stop.
pub fn read_marks(vfs: &dyn Vfs, directory: &Path) -> io::Result<HashMap<Identity, i64>> {
    let path = directory.join(DURABLE_MARKS);
    let Some(bytes) = read_file(vfs, &path, FILE_BYTES_MAX)? else {
        return Ok(HashMap::new());
    };
    if !bytes.starts_with(HEADER) {
        return Ok(HashMap::new());
    }
    Ok(bytes
        .chunks(SLOT_BYTES as usize)
        .skip(1)
        .filter_map(decode)
        // Of a log that is gone; one of its name may have another slot since.
        .filter(|(_, offset)| *offset >= 0)
        .collect())
}

impl DurableMarks {
    /// Starts a new file that holds `marks` (those of logs that have yet to be recovered).
    pub fn start(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        marks: &HashMap<Identity, i64>,
    ) -> io::Result<DurableMarks> {
        let path = directory.join(DURABLE_MARKS);
        let mut state = State {
            next_slot: 1,
            ..State::default()
        };
        let mut bytes = vec![0; SLOT_BYTES as usize];
        bytes[..HEADER.len()].copy_from_slice(HEADER);
        for (identity, offset) in marks {
            bytes.extend_from_slice(&encode(identity, *offset));
            state.slots.insert(*identity, state.next_slot);
            state.next_slot += 1;
        }
        state.capacity = u64::from(state.next_slot).next_multiple_of(GROW_SLOTS);
        bytes.resize((state.capacity * SLOT_BYTES) as usize, 0);
        crate::vfs::write_file(&*vfs, &path, &bytes)?;
        state.file = Some(vfs.open(&path, OpenMode::ReadWrite)?);
        Ok(DurableMarks {
            vfs,
            path,
            state: Mutex::new(state),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log is durable up to `offset`.
    pub fn note(&self, log: &Log, offset: i64) {
        let identity = (log.topic_id, log.partition);
        let mut state = self.lock();
        let slot = state.slot(identity);
        state.pending.insert(slot, (identity, offset));
        state.due.get_or_insert_with(|| Instant::now() + LAG);
    }

    /// When pending marks should be in the file.
    pub fn due_at(&self) -> Option<Instant> {
        let state = self.lock();
        if state.given_up { None } else { state.due }
    }

    /// Stops writing marks (their disk failed).
    pub fn give_up(&self) {
        self.lock().given_up = true;
    }

    /// Writes pending marks into the page cache if it is time to, and says what to sync.
    pub fn write_due(&self) -> io::Result<Option<MarksRange>> {
        let mut state = self.lock();
        match state.due {
            Some(due) if due <= Instant::now() && !state.given_up => state.write_pending(),
            _ => Ok(None),
        }
    }

    /// Writes and syncs pending marks.
    pub fn write_now(&self) -> io::Result<()> {
        let range = self.lock().write_pending()?;
        match range {
            Some((file, ..)) => file.fdatasync(),
            None => Ok(()),
        }
    }

    /// A log is gone: should one of its name come back, what this one had is not missing. Written
    /// with the next marks.
    pub fn forget(&self, log: &Log) {
        let identity = (log.topic_id, log.partition);
        let mut state = self.lock();
        let Some(slot) = state.slots.remove(&identity) else {
            return;
        };
        state.pending.insert(slot, (identity, -1));
        state.free.push(slot);
        state.due.get_or_insert_with(|| Instant::now() + LAG);
    }

    /// After a clean stop the checkpoint says all that the marks could.
    pub fn remove_file(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.given_up = true;
        state.file = None;
        drop(state);
        match self.vfs.unlink(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl State {
    fn slot(&mut self, identity: Identity) -> u32 {
        let (next, free) = (&mut self.next_slot, &mut self.free);
        *self.slots.entry(identity).or_insert_with(|| {
            free.pop().unwrap_or_else(|| {
                *next += 1;
                *next - 1
            })
        })
    }

    fn write_pending(&mut self) -> io::Result<Option<MarksRange>> {
        self.due = None;
        let Some(file) = self.file.clone() else {
            return Ok(None);
        };
        if self.pending.is_empty() {
            return Ok(None);
        }
        if u64::from(self.next_slot) > self.capacity {
            let capacity = u64::from(self.next_slot).next_multiple_of(GROW_SLOTS);
            let more = (capacity - self.capacity) * SLOT_BYTES;
            match file.write_zeros(self.capacity * SLOT_BYTES, more) {
                Ok(()) => {
                    file.fsync()?;
                    self.capacity = capacity;
                }
                // The marks that the file has no room for have to wait: they are only an aid.
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let capacity = self.capacity;
        let mut slots: Vec<(u32, Identity, i64)> = self
            .pending
            .extract_if(|slot, _| u64::from(*slot) < capacity)
            .map(|(slot, (identity, offset))| (slot, identity, offset))
            .collect();
        if slots.is_empty() {
            return Ok(None);
        }
        slots.sort_unstable_by_key(|slot| slot.0);
        let from = u64::from(slots[0].0) * SLOT_BYTES;
        let mut end = from;
        let mut run_start = from;
        let mut run: Vec<u8> = Vec::with_capacity(slots.len() * SLOT_BYTES as usize);
        for (slot, identity, offset) in slots {
            let at = u64::from(slot) * SLOT_BYTES;
            // Neighbours go out in one write.
            if at != end {
                write_all(&*file, &run, run_start)?;
                run.clear();
                run_start = at;
            }
            run.extend_from_slice(&encode(&identity, offset));
            end = at + SLOT_BYTES;
        }
        write_all(&*file, &run, run_start)?;
        Ok(Some((file, from, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_survives_and_a_damaged_one_says_nothing() {
        let identity = (*b"0123456789abcdef", 3);
        let slot = encode(&identity, 42);
        assert_eq!(decode(&slot), Some((identity, 42)));
        for byte in 0..36 {
            let mut damaged = slot;
            damaged[byte] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {byte}");
        }
        assert_eq!(decode(&[0; 64]), None);
    }
}
