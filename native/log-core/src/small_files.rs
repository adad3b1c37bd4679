//! Small files of the caller's, written whole and atomically, on a thread of their own: a vote
//! or a snapshot must wait neither for a long read nor for a deletion.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::api::{Command, Reply, StoreError};
use crate::checkpoint::{leader_epochs, parse_leader_epochs};
use crate::core::Core;
use crate::directory::format;
use crate::log::{Log, Status};
use crate::names::{
    LEADER_EPOCHS, PARTITION_METADATA, TEMPORARY, check_small_file, is_segment_extension,
    is_store_file,
};
use crate::segment_files::make_folder;
use crate::tasks::{Taken, TaskQueue};
use crate::vfs::{OpenMode, read_file, write_file};

/// Largest file that is read back.
const FILE_BYTES_MAX: u64 = 1 << 30;
const TASKS_MAX: usize = 65_536;

pub struct FileTask {
    pub request: u64,
    /// None: the data directory itself.
    pub log: Option<Arc<Log>>,
    pub command: Command,
}

pub struct FileQueue {
    tasks: TaskQueue<FileTask>,
}

impl Default for FileQueue {
    fn default() -> FileQueue {
        FileQueue {
            tasks: TaskQueue::new(TASKS_MAX),
        }
    }
}

impl FileQueue {
    /// Answers the request itself where too many are waiting.
    pub fn push(&self, core: &Core, task: FileTask) {
        if let Err(task) = self.tasks.push(task) {
            let text = "too many small files are waiting to be written";
            core.complete(task.request, Err(StoreError::new("OVERLOADED", text)));
        }
    }

    pub fn close(&self) {
        self.tasks.close();
    }

    pub fn wait_idle(&self) {
        self.tasks.wait_idle();
    }
}

/// The thread of small files.
pub fn run(core: &Core) {
    while let Taken::Task(task) = core.small_files.tasks.take(None) {
        let result = carry_out(core, task.log.as_deref(), task.command);
        core.complete(task.request, result);
        core.sink.burst_end();
        core.small_files.tasks.finished();
    }
}

fn carry_out(core: &Core, log: Option<&Log>, command: Command) -> Result<Reply, StoreError> {
    let folder = log.map_or_else(|| core.directory.clone(), |log| log.folder(&core.directory));
    // Held while the file is written: a log is not removed meanwhile.
    let _held = log.map(|log| {
        log.small_files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    });
    if log.is_some_and(|log| log.lock().status == Status::Removed) {
        return Err(StoreError::new("UNKNOWN_LOG", "the log was removed"));
    }
    match command {
        Command::PutFile { name, bytes, .. } => {
            check_small_file(&name, log.is_some())?;
            put(core, log, &folder, &name, &bytes)
        }
        Command::GetFile { name, .. } => {
            check_small_file(&name, log.is_some())?;
            get(core, log, &folder.join(&name), &name)
        }
        Command::RemoveFile { name, .. } => {
            check_small_file(&name, log.is_some())?;
            remove(core, &folder, &name)
        }
        Command::ListFiles { .. } => list(core, log, &folder),
        Command::Format {
            cluster_id,
            node_id,
        } => format(core, &cluster_id, node_id),
        other => Err(StoreError::new(
            "INVALID",
            format!("{other:?} concerns no small file"),
        )),
    }
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::io(path.display(), error)
}

/// Makes the log's folder durable, whoever made it: the file that goes into it will be.
fn ensure_folder(core: &Core, log: &Log, folder: &Path) -> io::Result<()> {
    if log.lock().folder_synced {
        return Ok(());
    }
    if core.vfs.metadata(folder)?.is_none() {
        make_folder(core, log)?;
    }
    let metadata = folder.join(PARTITION_METADATA);
    let file = core.vfs.open(&metadata, OpenMode::ReadWrite)?;
    // What is synced here may be what an append, too, relies on.
    let synced = file
        .fsync()
        .and_then(|()| core.vfs.fsync_dir(folder))
        .and_then(|()| core.vfs.fsync_dir(&core.directory));
    core.synced(&log.name(), synced)?;
    log.lock().folder_synced = true;
    Ok(())
}

fn put(
    core: &Core,
    log: Option<&Log>,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<Reply, StoreError> {
    if let Some(log) = log {
        let made = ensure_folder(core, log, folder);
        made.map_err(|error| failed(folder, &error))?;
        if name == LEADER_EPOCHS
            && let Some(epochs) = parse_leader_epochs(bytes)
        {
            let mut inner = log.lock();
            inner.epochs = epochs;
            inner.epochs_changed = false;
        }
    }
    let path = folder.join(name);
    core.space
        .with_reserve(name, || write_file(&*core.vfs, &path, bytes))
        .map_err(|error| failed(&path, &error))?;
    Ok(Reply::Done)
}

fn get(core: &Core, log: Option<&Log>, path: &Path, name: &str) -> Result<Reply, StoreError> {
    if name == LEADER_EPOCHS
        && let Some(log) = log
    {
        // The store keeps it; the file lags behind until the next checkpoint.
        let epochs = log.lock().epochs.clone();
        if !epochs.is_empty() {
            return Ok(Reply::File(Some(leader_epochs(&epochs).into_bytes())));
        }
    }
    let bytes = read_file(&*core.vfs, path, FILE_BYTES_MAX).map_err(|e| failed(path, &e))?;
    Ok(Reply::File(bytes))
}

fn remove(core: &Core, folder: &Path, name: &str) -> Result<Reply, StoreError> {
    let path = folder.join(name);
    match core.vfs.unlink(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reply::Done),
        other => other.map_err(|error| failed(&path, &error))?,
    }
    let synced = core.vfs.fsync_dir(folder);
    core.synced(&folder.display().to_string(), synced)
        .map_err(|error| failed(folder, &error))?;
    Ok(Reply::Done)
}

fn list(core: &Core, log: Option<&Log>, folder: &Path) -> Result<Reply, StoreError> {
    let entries = match core.vfs.read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|error| failed(folder, &error))?,
    };
    let in_log = log.is_some();
    let is_ours = |name: &str| match in_log {
        true => is_segment_extension(name) || name == PARTITION_METADATA,
        false => is_store_file(name),
    };
    let mut names: Vec<String> = entries
        .into_iter()
        .filter(|entry| !entry.is_dir && !entry.name.ends_with(TEMPORARY))
        .map(|entry| entry.name)
        .filter(|name| !is_ours(name))
        .collect();
    names.sort_unstable();
    Ok(Reply::Names(names))
}
