//! Opens a data directory: its lock, its identity, its checkpoint, the logs that it holds.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::api::{
    EventSink, Flush, Reply, StoreDescription, StoreError, StoreOptions, StoredLog, TopicId,
};
use crate::checkpoint::{
    CHECKPOINT_BYTES_MAX, Checkpoint, MetaProperties, SMALL_TEXT_BYTES_MAX,
    parse_partition_metadata,
};
use crate::core::{Core, CoreParts, RecoveryContext, Strategy, Unopened};
use crate::deleter::Job;
use crate::files::files_open_max;
use crate::janitor::write_checkpoint;
use crate::marks::{DurableMarks, read_marks};
use crate::names::{
    CHECKPOINT, DELETE_SUFFIX, LOCK, META_PROPERTIES, PARTITION_METADATA, SYNC_FAILED, TEMPORARY,
    encode_uuid, parse_log_folder,
};
use crate::space::Space;
use crate::vfs::{OpenMode, Vfs, VfsFile, VolumeInfo, read_file, write_file};

/// File systems on which an fdatasync of one file ends in a flush of the device that also covers
/// completed writes of other files into written blocks. Everything else takes the pool.
const ONE_FLUSH_FILE_SYSTEMS: [&str; 2] = ["ext4", "xfs"];

fn strategy_of(flush: Flush, volume: &VolumeInfo) -> Strategy {
    match flush {
        Flush::Pool => Strategy::Pool,
        Flush::Syncfs => Strategy::Syncfs,
        Flush::Auto => {
            let known = ONE_FLUSH_FILE_SYSTEMS.contains(&volume.file_system.as_str());
            if known && volume.single_device {
                Strategy::Ahead
            } else {
                Strategy::Pool
            }
        }
    }
}

pub fn open_directory(
    options: StoreOptions,
    vfs: Arc<dyn Vfs>,
    sink: Arc<dyn EventSink>,
) -> Result<(Core, StoreDescription), StoreError> {
    let directory = options.data_directory.clone();
    let failed = |error: io::Error| StoreError::io(directory.display(), &error);
    make_directories(&*vfs, &directory).map_err(failed)?;
    let lock = lock_directory(&*vfs, &directory)?;
    let meta = read_meta(&*vfs, &directory)?;
    let checkpoint = read_checkpoint(&*vfs, &directory)?;
    let had_checkpoint = checkpoint.is_some();
    let checkpoint = checkpoint.unwrap_or_default();
    let mut listing = list(&*vfs, &directory)?;
    let marks = if checkpoint.clean {
        HashMap::new()
    } else {
        read_marks(&*vfs, &directory).map_err(failed)?
    };
    let mut unopened: HashMap<(TopicId, i32), Unopened> = HashMap::new();
    for entry in checkpoint.logs {
        let identity = (entry.topic_id, entry.partition);
        let here = listing
            .logs
            .iter()
            .any(|log| (log.topic_id, log.partition) == identity);
        // Its removal had begun when the broker stopped.
        if !here && listing.removed_ids.contains(&encode_uuid(&entry.topic_id)) {
            continue;
        }
        if !here {
            listing.logs.push(StoredLog {
                topic: entry.topic.clone(),
                topic_id: entry.topic_id,
                partition: entry.partition,
            });
        }
        unopened.entry(identity).or_default().entry = Some(entry);
    }
    for log in &listing.logs {
        let identity = (log.topic_id, log.partition);
        unopened.entry(identity).or_default().durable_mark = marks.get(&identity).copied();
    }
    let kept_marks = marks
        .into_iter()
        .filter(|(identity, _)| unopened.contains_key(identity));
    let kept_marks = kept_marks.collect();
    let volume = vfs.volume(&directory).map_err(failed)?;
    let strategy = strategy_of(options.flush, &volume);
    let boot = vfs.boot_id();
    let clean = checkpoint.clean || !had_checkpoint && listing.logs.is_empty();
    let same_boot = had_checkpoint && !boot.is_empty() && checkpoint.boot == boot;
    let marker = read_file(&*vfs, &directory.join(SYNC_FAILED), SMALL_TEXT_BYTES_MAX);
    let rewrite = marker
        .map_err(failed)?
        // Empty: its writer was killed in the middle of it.
        .is_some_and(|marker| marker.is_empty() || marker == boot.as_bytes());
    if rewrite {
        // What the kernel still has to tell of the run before, see `hear_old_error`.
        let _ = lock.syncfs();
    }
    let directory_id = match &meta {
        Some(meta) => meta.directory_id,
        None => random_id().map_err(failed)?,
    };
    let files_max = files_open_max(options.files_open_max, vfs.files_open_limit());
    let space = Space::new(
        Arc::clone(&vfs),
        Arc::clone(&sink),
        &directory,
        options.reserve_bytes,
        options.free_bytes_min,
    );
    space.begin().map_err(failed)?;
    let started = space.with_reserve("durable marks", || {
        DurableMarks::start(Arc::clone(&vfs), &directory, &kept_marks)
    });
    let description = StoreDescription {
        clean,
        cluster_id: meta.as_ref().map(|meta| meta.cluster_id.clone()),
        node_id: meta.as_ref().map(|meta| meta.node_id),
        directory_id,
        logs: listing.logs,
        file_system: volume.file_system.clone(),
        flush_strategy: strategy.name().to_owned(),
    };
    let core = Core::new(CoreParts {
        vfs,
        sink,
        options,
        directory_id,
        strategy,
        file_system: volume.file_system,
        files_max,
        space,
        marks: started.map_err(failed)?,
        recovery: RecoveryContext {
            clean,
            same_boot,
            boot: if clean { boot } else { checkpoint.boot },
            rewrite,
        },
        unopened,
        lock,
    });
    // From here on a stop without a checkpoint is a crash.
    write_checkpoint(&core, false)?;
    for folder in listing.removed {
        let path = directory.join(folder);
        let segments = None;
        core.deletes.push(Job::Folder { path, segments }, 0);
    }
    Ok((core, description))
}

fn make_directories(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    match make_directory(vfs, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_directories(vfs, path.parent().ok_or(error)?)?;
            make_directory(vfs, path)
        }
        made => made,
    }
}

fn make_directory(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    match vfs.mkdir(path) {
        Ok(()) => match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => vfs.fsync_dir(parent),
            Some(_) => vfs.fsync_dir(Path::new(".")),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => match vfs.metadata(path) {
            Ok(Some(meta)) if meta.is_dir => Ok(()),
            _ => Err(error),
        },
    }
}

fn lock_directory(vfs: &dyn Vfs, directory: &Path) -> Result<Arc<dyn VfsFile>, StoreError> {
    let path = directory.join(LOCK);
    let failed = |error: io::Error| StoreError::io(path.display(), &error);
    let file = vfs.open(&path, OpenMode::Create).map_err(failed)?;
    if file.try_lock().map_err(failed)? {
        return Ok(file);
    }
    let text = format!("another broker has {} open", directory.display());
    Err(StoreError::new("LOCKED", text))
}

fn read_meta(vfs: &dyn Vfs, directory: &Path) -> Result<Option<MetaProperties>, StoreError> {
    let path = directory.join(META_PROPERTIES);
    let bytes = read_file(vfs, &path, SMALL_TEXT_BYTES_MAX)
        .map_err(|error| StoreError::io(path.display(), &error))?;
    bytes.map(|bytes| MetaProperties::parse(&bytes)).transpose()
}

fn read_checkpoint(vfs: &dyn Vfs, directory: &Path) -> Result<Option<Checkpoint>, StoreError> {
    let path = directory.join(CHECKPOINT);
    let bytes = read_file(vfs, &path, CHECKPOINT_BYTES_MAX)
        .map_err(|error| StoreError::io(path.display(), &error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let parsed = Checkpoint::parse(&bytes).map_err(|error| {
        let hint = "without this file every log is scanned, and deleted records may come back";
        StoreError::new(
            &error.code,
            format!("{}: {} ({hint})", path.display(), error.message),
        )
    })?;
    Ok(Some(parsed))
}

#[derive(Default)]
struct Listing {
    logs: Vec<StoredLog>,
    /// Folders that wait for deletion, and the topic ids in their names.
    removed: Vec<String>,
    removed_ids: HashSet<String>,
}

fn list(vfs: &dyn Vfs, directory: &Path) -> Result<Listing, StoreError> {
    let failed = |error: io::Error| StoreError::io(directory.display(), &error);
    let mut listing = Listing::default();
    for entry in vfs.read_dir(directory).map_err(failed)? {
        if !entry.is_dir {
            if entry.name.ends_with(TEMPORARY) {
                vfs.unlink(&directory.join(&entry.name)).map_err(failed)?;
            }
        } else if entry.name.ends_with(DELETE_SUFFIX) {
            // <topic>-<partition>.<topic id>.<number>-delete
            if let Some(id) = entry.name.rsplit('.').nth(1) {
                listing.removed_ids.insert(id.to_owned());
            }
            listing.removed.push(entry.name);
        } else if let Some((topic, partition)) = parse_log_folder(&entry.name) {
            let path = directory.join(&entry.name).join(PARTITION_METADATA);
            let bytes = read_file(vfs, &path, SMALL_TEXT_BYTES_MAX).map_err(failed)?;
            // Without its owner's name a folder holds nothing that was ever acknowledged.
            if let Some(topic_id) = bytes.as_deref().and_then(parse_partition_metadata) {
                let topic = topic.to_owned();
                listing.logs.push(StoredLog {
                    topic,
                    topic_id,
                    partition,
                });
            }
        }
    }
    Ok(listing)
}

fn random_id() -> io::Result<TopicId> {
    let mut id = [0; 16];
    // SAFETY: `id` is writable for its length.
    let got = unsafe { libc::getrandom(id.as_mut_ptr().cast(), id.len(), 0) };
    if got != id.len() as isize {
        return Err(io::Error::last_os_error());
    }
    // Version 4, variant 1, as Kafka's directory ids are.
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    Ok(id)
}

/// Writes the identity of a fresh directory.
pub fn format(core: &Core, cluster_id: &str, node_id: i32) -> Result<Reply, StoreError> {
    if cluster_id.is_empty() || cluster_id.contains(['\n', '\r']) {
        return Err(StoreError::new(
            "INVALID",
            format!("{cluster_id:?} is no cluster id"),
        ));
    }
    let path = core.directory.join(META_PROPERTIES);
    let meta = MetaProperties {
        cluster_id: cluster_id.to_owned(),
        node_id,
        directory_id: core.directory_id,
    };
    if let Some(old) = read_meta(&*core.vfs, &core.directory)?
        && old != meta
    {
        let text = format!(
            "{} belongs to node {} of cluster {}",
            core.directory.display(),
            old.node_id,
            old.cluster_id
        );
        return Err(StoreError::new("FORMAT", text));
    }
    write_file(&*core.vfs, &path, meta.to_text().as_bytes())
        .map_err(|error| StoreError::io(path.display(), &error))?;
    Ok(Reply::Done)
}
