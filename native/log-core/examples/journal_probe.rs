//! Whether a shared journal would pay on a disk: groups of small writes to many files, made durable
//! as the store does it (blocks written ahead, all ranges started, waited for, one fdatasync), or by
//! one direct write of their bytes to a journal and one fdatasync, the files following later.
//!
//! ```text
//! cargo run --release -p mantou-log-core --example journal_probe -- \
//!     DIR [LOGS 128] [BATCHES_OF_A_GROUP 20] [BATCH_BYTES 16384] [SECONDS 2] [PAIRS 3]
//! ```
//! Takes both ways in turn. Writes at most about 2 GB a run into a folder under DIR and deletes it.
//! Recovery, truncation and all else that a journal needs is left out, in the journal's favour.

use std::fs::OpenOptions;
use std::io::{Error, IoSlice, Result};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mantou_log_core::OsVfs;
use mantou_log_core::vfs::{OpenMode, RangeSync, Vfs, VfsFile, write_all_vectored};

const STEP_BYTES: u64 = 1 << 20;
const JOURNAL_FILES: usize = 3;
const JOURNAL_BYTES: u64 = 64 << 20;
/// Bytes of a file at which its write-back begins, where a journal holds them.
const START_BYTES: u64 = 256 << 10;
const PAGE: usize = 4096;
const NONE: usize = usize::MAX;

struct Load {
    logs: usize,
    group: usize,
    batch_bytes: usize,
    lasting: Duration,
}

struct File {
    file: Arc<dyn VfsFile>,
    end: AtomicU64,
    /// Blocks are written ahead up to here; with a journal: synced up to here.
    settled: AtomicU64,
}

struct Shared {
    files: Vec<File>,
    stop: AtomicBool,
    /// The journal file to be retired.
    full: AtomicUsize,
}

fn files(folder: &Path, load: &Load) -> Result<Vec<File>> {
    let open = |number| {
        let file = OsVfs.open(&folder.join(format!("log-{number}")), OpenMode::CreateNew)?;
        let (end, settled) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(File { file, end, settled })
    };
    (0..load.logs).map(open).collect()
}

fn zero_ahead(file: &File) -> Result<()> {
    let from = file.settled.load(Ordering::Acquire);
    file.file.write_zeros(from, STEP_BYTES)?;
    file.file.fdatasync()?;
    file.settled.store(from + STEP_BYTES, Ordering::Release);
    Ok(())
}

/// The thread that writes blocks ahead.
fn keep_ahead(shared: &Shared) -> Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        let low = |file: &&File| {
            let left = file.settled.load(Ordering::Relaxed) - file.end.load(Ordering::Relaxed);
            left < STEP_BYTES / 2
        };
        for file in shared.files.iter().filter(low) {
            zero_ahead(file)?;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

/// The thread that syncs what a full journal file holds.
fn retire(shared: &Shared) -> Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        if shared.full.load(Ordering::Acquire) == NONE {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        for file in &shared.files {
            let end = file.end.load(Ordering::Acquire);
            if file.settled.load(Ordering::Relaxed) < end {
                file.file.fdatasync()?;
                file.settled.store(end, Ordering::Relaxed);
            }
        }
        shared.full.store(NONE, Ordering::Release);
    }
    Ok(())
}

fn write_batch(file: &File, batch: &[u8], padding: &[u8]) -> Result<(u64, u64)> {
    let from = file.end.load(Ordering::Relaxed);
    let to = from + batch.len() as u64;
    let fill = (to.next_multiple_of(PAGE as u64) - to) as usize;
    let fill = &padding[..fill.min(padding.len())];
    let mut slices = [IoSlice::new(batch), IoSlice::new(fill)];
    write_all_vectored(&*file.file, &mut slices, from)?;
    file.end.store(to, Ordering::Release);
    Ok((from, to - from))
}

struct Journal {
    files: Vec<std::fs::File>,
    current: usize,
    position: u64,
    staging: Vec<u8>,
    aligned: usize,
}

impl Journal {
    fn make(folder: &Path, bytes_max: usize) -> Result<Journal> {
        let staging = vec![0; bytes_max + 3 * PAGE];
        let aligned = staging.as_ptr().align_offset(PAGE);
        let make = |number| {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .custom_flags(libc::O_DIRECT)
                .open(folder.join(format!("journal-{number}")))?;
            for position in (0..JOURNAL_BYTES).step_by(PAGE) {
                file.write_all_at(&staging[aligned..aligned + PAGE], position)?;
            }
            file.sync_all()?;
            Ok(file)
        };
        let files = (0..JOURNAL_FILES).map(make).collect::<Result<_>>()?;
        Ok(Journal {
            files,
            current: 0,
            position: 0,
            staging,
            aligned,
        })
    }

    /// A page that says what follows, then the bytes as the page cache has them.
    fn write(&mut self, shared: &Shared, group: &[(usize, (u64, u64))]) -> Result<()> {
        let mut end = self.aligned + PAGE;
        for (index, (from, length)) in group {
            let room = &mut self.staging[end..end + *length as usize];
            mantou_log_core::vfs::read_exact(&*shared.files[*index].file, room, *from)?;
            end += *length as usize;
        }
        let bytes = (end - self.aligned).next_multiple_of(PAGE);
        if self.position + bytes as u64 > JOURNAL_BYTES {
            while shared.full.load(Ordering::Acquire) != NONE {
                std::thread::sleep(Duration::from_micros(100));
            }
            shared.full.store(self.current, Ordering::Release);
            self.current = (self.current + 1) % self.files.len();
            self.position = 0;
        }
        let file = &self.files[self.current];
        file.write_all_at(
            &self.staging[self.aligned..self.aligned + bytes],
            self.position,
        )?;
        self.position += bytes as u64;
        file.sync_data()
    }
}

fn busy_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let words = text.split_whitespace().skip(1).take(7);
    let ticks: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
    Ok((ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / 100.0)
}

fn run(load: &Load, folder: &Path, with_journal: bool) -> Result<String> {
    let batch = vec![7; load.batch_bytes];
    let padding = if with_journal { vec![] } else { vec![0; PAGE] };
    let shared = Shared {
        files: files(folder, load)?,
        stop: AtomicBool::new(false),
        full: AtomicUsize::new(NONE),
    };
    let mut journal = match with_journal {
        true => Some(Journal::make(folder, load.group * load.batch_bytes)?),
        false => None,
    };
    if !with_journal {
        shared.files.iter().try_for_each(zero_ahead)?;
    }
    let mut started = vec![0; load.logs];
    let mut micros = Vec::new();
    let busy = busy_seconds()?;
    let start = Instant::now();
    let elapsed = std::thread::scope(|scope| {
        let side = scope.spawn(|| match with_journal {
            true => retire(&shared),
            false => keep_ahead(&shared),
        });
        let mut random = 1_u32;
        let mut write_groups = || -> Result<()> {
            while start.elapsed() < load.lasting {
                let began = Instant::now();
                let mut group: Vec<(usize, (u64, u64))> = Vec::with_capacity(load.group);
                while group.len() < load.group {
                    random = random.wrapping_mul(1_103_515_245).wrapping_add(12345);
                    let index = (random >> 8) as usize % load.logs;
                    let file = &shared.files[index];
                    let wanted = file.end.load(Ordering::Relaxed) + (batch.len() + PAGE) as u64;
                    while !with_journal && file.settled.load(Ordering::Acquire) < wanted {
                        std::thread::sleep(Duration::from_micros(100));
                    }
                    group.push((index, write_batch(file, &batch, &padding)?));
                }
                match &mut journal {
                    Some(journal) => journal.write(&shared, &group)?,
                    None => flush_group(&shared, &group)?,
                }
                micros.push(began.elapsed().as_micros());
                for (index, (from, length)) in group.iter().filter(|_| with_journal) {
                    let end = from + length;
                    if end - started[*index] >= START_BYTES {
                        let length = end - started[*index];
                        let file = &shared.files[*index].file;
                        file.sync_file_range(started[*index], length, RangeSync::Start)?;
                        started[*index] = end;
                    }
                }
            }
            Ok(())
        };
        let written = write_groups();
        let elapsed = start.elapsed().as_secs_f64();
        shared.stop.store(true, Ordering::Relaxed);
        let joined = side.join().map_err(|_| Error::other("a thread panicked"))?;
        written.and(joined).map(|()| elapsed)
    })?;
    // What was put off is paid for inside of the window.
    for file in &shared.files {
        file.file.fdatasync()?;
    }
    let megabytes = (micros.len() * load.group * load.batch_bytes) as f64 / 1e6;
    let cpu = (busy_seconds()? - busy) / (megabytes / 1e3);
    micros.sort_unstable();
    let (p50, p99) = (micros[micros.len() / 2], micros[micros.len() * 99 / 100]);
    Ok(format!(
        "{:7.0} MB/s {cpu:6.2} CPU-s/GB of the machine, a group: p50 {p50} p99 {p99} us",
        megabytes / elapsed
    ))
}

/// As `sync_group.rs` does it.
fn flush_group(shared: &Shared, group: &[(usize, (u64, u64))]) -> Result<()> {
    for sync in [RangeSync::Start, RangeSync::Wait] {
        for (index, (from, length)) in group {
            let file = &shared.files[*index].file;
            file.sync_file_range(*from, *length, sync)?;
        }
    }
    shared.files[group[0].0].file.fdatasync()
}

/// Keeps the descriptor limit out of the way: one for each log.
fn check_descriptors(logs: usize) {
    assert!(
        OsVfs.files_open_limit() > logs as u64 + 64,
        "raise the limit of open files first (ulimit -n)"
    );
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, fallback: usize| {
        words
            .get(index)
            .map_or(fallback, |word| word.parse().expect("a number"))
    };
    let parent = PathBuf::from(words.first().expect("a folder on the disk in question"));
    let load = Load {
        logs: number(1, 128),
        group: number(2, 20),
        batch_bytes: number(3, 16384),
        lasting: Duration::from_secs(number(4, 2) as u64),
    };
    check_descriptors(load.logs);
    let volume = OsVfs.volume(&parent)?;
    assert!(volume.free_bytes > 20 << 30, "less than 20 GiB are free");
    println!(
        "{} logs, groups of {} batches of {} bytes, {}",
        load.logs, load.group, load.batch_bytes, volume.file_system
    );
    for _ in 0..number(5, 3) {
        for with_journal in [false, true] {
            let folder = parent.join(format!("journal-probe-{}", std::process::id()));
            std::fs::create_dir(&folder)?;
            let result = run(&load, &folder, with_journal);
            std::fs::remove_dir_all(&folder)?;
            println!(
                "{} {}",
                if with_journal { "journal" } else { "ahead  " },
                result?
            );
        }
    }
    Ok(())
}
