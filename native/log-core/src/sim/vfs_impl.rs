//! The simulated machine as a [`Vfs`].

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk_file::{DiskFile, PAGE_BYTES};
use super::fault::Call;
use super::world::{Folder, Node, NodeId, World, errno};
use super::{Shared, SimVfs};
use crate::vfs::{DirEntry, FileMap, FileMeta, OpenMode, RangeSync, Vfs, VfsFile, VolumeInfo};

struct SimFile {
    shared: Arc<Shared>,
    node: NodeId,
    /// The path it was opened by, for fault rules and traces.
    path: PathBuf,
    handle: u64,
    /// Failed write-backs that this description has been told of.
    heard: Mutex<u64>,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.world();
        if world.locks.get(&self.node) == Some(&self.handle) {
            world.locks.remove(&self.node);
        }
        if let Some(count) = world.opens.get_mut(&self.node) {
            *count -= 1;
            if *count == 0 {
                world.opens.remove(&self.node);
            }
        }
    }
}

fn to_usize(value: u64) -> io::Result<usize> {
    // Nothing in a test is that large; a wild offset should fail like a full disk, not allocate.
    if value > 1 << 32 {
        return Err(errno(libc::EFBIG));
    }
    Ok(value as usize)
}

impl SimFile {
    fn world(&self) -> MutexGuard<'_, World> {
        self.shared
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, buf: &mut [u8], offset: u64, nowait: bool) -> io::Result<usize> {
        let mut world = self.world();
        let turn = world.turn(Call::Read, &self.path)?;
        turn.check()?;
        if nowait && !world.resident {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = world.file(self.node)?.bytes();
        let from = usize::try_from(offset).map_or(bytes.len(), |from| from.min(bytes.len()));
        let count = buf.len().min(bytes.len() - from).min(turn.bytes_max);
        buf[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    /// Of a write, how many bytes the volume has room for.
    fn room(&self, world: &World, offset: usize, length: usize) -> io::Result<usize> {
        if world.capacity.is_none() {
            return Ok(length);
        }
        let free = world.free_bytes();
        let file = world.file(self.node)?;
        let mut length = length;
        while length > 0 && file.missing_bytes(offset, length) > free {
            length = (offset + length - 1) / PAGE_BYTES * PAGE_BYTES;
            length = length.saturating_sub(offset);
        }
        Ok(length)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world();
        let turn = world.turn(Call::Write, &self.path)?;
        turn.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let offset = to_usize(offset)?;
        to_usize(bytes.len() as u64)?;
        let length = self.room(&world, offset, bytes.len().min(turn.bytes_max))?;
        if length == 0 {
            return Err(errno(libc::ENOSPC));
        }
        world
            .file_mut(self.node)?
            .write(turn.number, offset, &bytes[..length]);
        world.end(&turn)?;
        Ok(length)
    }

    /// Whether this description is told of a failed write-back now.
    fn hear(&self, world: &mut World) -> io::Result<bool> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(world.file_mut(self.node)?.errors().tell(&mut heard))
    }

    fn sync(&self, call: Call) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(call, &self.path)?;
        if turn.errno.is_some() {
            let World { nodes, rng, .. } = &mut *world;
            if let Node::File(file) = &mut nodes[self.node] {
                file.fail_write_back(0..usize::MAX, rng);
            }
            self.hear(&mut world)?;
            turn.check()?;
        }
        if self.hear(&mut world)? {
            return Err(errno(libc::EIO));
        }
        world.end(&turn)?;
        world.file_mut(self.node)?.sync();
        world.flush_device();
        Ok(())
    }

    /// A call that changes the file's size or blocks.
    fn change(
        &self,
        call: Call,
        needed: impl Fn(&DiskFile) -> u64,
        change: impl FnOnce(&mut DiskFile, u64),
    ) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(call, &self.path)?;
        turn.check()?;
        if world.capacity.is_some() && needed(world.file(self.node)?) > world.free_bytes() {
            return Err(errno(libc::ENOSPC));
        }
        change(world.file_mut(self.node)?, turn.number);
        world.end(&turn)
    }
}

impl VfsFile for SimFile {
    fn pread(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(buf, offset, false)
    }

    fn pread_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(buf, offset, true)
    }

    fn is_resident(&self, _offset: u64, _length: u64) -> bool {
        self.world().resident
    }

    fn read_ahead(&self, _offset: u64, _length: u64) {}

    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write(bytes, offset)
    }

    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        self.write(&bytes, offset)
    }

    fn fsync(&self) -> io::Result<()> {
        self.sync(Call::Fsync)
    }

    fn fdatasync(&self) -> io::Result<()> {
        self.sync(Call::Fdatasync)
    }

    fn sync_file_range(&self, offset: u64, length: u64, sync: RangeSync) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::SyncRange, &self.path)?;
        let from = to_usize(offset)?;
        // Linux takes length 0 as "to the end".
        let to = if length == 0 {
            usize::MAX - PAGE_BYTES
        } else {
            from + to_usize(length)?
        };
        if turn.errno.is_some() {
            let World { nodes, rng, .. } = &mut *world;
            if let Node::File(file) = &mut nodes[self.node] {
                file.fail_write_back(from / PAGE_BYTES..to.div_ceil(PAGE_BYTES), rng);
            }
            self.hear(&mut world)?;
            turn.check()?;
        }
        if sync == RangeSync::Wait && self.hear(&mut world)? {
            return Err(errno(libc::EIO));
        }
        world.end(&turn)?;
        match sync {
            RangeSync::Start => {}
            RangeSync::Wait => world.file_mut(self.node)?.write_back(from, to - from),
        }
        Ok(())
    }

    fn syncfs(&self) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::Syncfs, &self.path)?;
        if turn.errno.is_some() {
            let World { nodes, rng, .. } = &mut *world;
            for node in nodes {
                if let Node::File(file) = node {
                    file.fail_write_back(0..usize::MAX, rng);
                }
            }
            turn.check()?;
        }
        world.end(&turn)?;
        world.sync_everything();
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let length = to_usize(length)?;
        self.change(
            Call::Truncate,
            |_| 0,
            |file, call| file.truncate(call, length),
        )
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let (offset, length) = (to_usize(offset)?, to_usize(length)?);
        let needed = |file: &DiskFile| file.missing_bytes(offset, length);
        self.change(Call::Allocate, needed, |file, call| {
            file.allocate(call, offset, length)
        })
    }

    fn write_zeros(&self, offset: u64, length: u64) -> io::Result<()> {
        let (offset, length) = (to_usize(offset)?, to_usize(length)?);
        let needed = |file: &DiskFile| file.missing_bytes(offset, length);
        let zeros = vec![0; length];
        self.change(Call::WriteZeros, needed, |file, call| {
            file.write(call, offset, &zeros)
        })
    }

    fn len(&self) -> io::Result<u64> {
        let mut world = self.world();
        world.turn(Call::Len, &self.path)?.check()?;
        Ok(world.file(self.node)?.bytes().len() as u64)
    }

    fn map(&self, length: u64) -> io::Result<Arc<dyn FileMap>> {
        let mut world = self.world();
        world.turn(Call::Map, &self.path)?.check()?;
        let bytes = world.file(self.node)?.bytes();
        match usize::try_from(length)
            .ok()
            .and_then(|length| bytes.get(..length))
        {
            Some(bytes) => Ok(Arc::new(bytes.to_vec())),
            None => Err(errno(libc::EINVAL)),
        }
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut world = self.world();
        world.turn(Call::Lock, &self.path)?.check()?;
        let holder = *world.locks.entry(self.node).or_insert(self.handle);
        Ok(holder == self.handle)
    }

    fn as_raw_fd(&self) -> Option<RawFd> {
        None
    }
}

impl Vfs for SimVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let mut world = self.world();
        let found = world.find(path)?;
        let creates = found.is_none() && matches!(mode, OpenMode::Create | OpenMode::CreateNew);
        let call = if creates { Call::Create } else { Call::Open };
        let turn = world.turn(call, path)?;
        turn.check()?;
        if world.opens.values().sum::<u64>() >= self.shared.options.files_open_limit {
            return Err(errno(libc::EMFILE));
        }
        let node = match found {
            Some(_) if mode == OpenMode::CreateNew => return Err(errno(libc::EEXIST)),
            Some(node) => {
                world.file(node)?;
                node
            }
            None if !creates => return Err(errno(libc::ENOENT)),
            None => {
                let (folder, name) = world.place(path)?;
                let node = world.add(Node::File(DiskFile::default()));
                world.edit(vec![(folder, name, Some(node))]);
                world.end(&turn)?;
                node
            }
        };
        let heard = Mutex::new(world.file_mut(node)?.errors().heard_at_open());
        *world.opens.entry(node).or_insert(0) += 1;
        world.handles += 1;
        let handle = world.handles;
        let shared = Arc::clone(&self.shared);
        Ok(Arc::new(SimFile {
            shared,
            node,
            path: path.to_owned(),
            handle,
            heard,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::Rename, to)?;
        turn.check()?;
        let node = world.find(from)?.ok_or_else(|| errno(libc::ENOENT))?;
        let source = world.place(from)?;
        let target = world.place(to)?;
        if world.contains(node, target.0) {
            return Err(errno(libc::EINVAL));
        }
        match (
            &world.nodes[node],
            world.find(to)?.map(|node| &world.nodes[node]),
        ) {
            (_, None) | (Node::File(_), Some(Node::File(_))) => {}
            (Node::File(_), Some(Node::Folder(_))) => return Err(errno(libc::EISDIR)),
            (Node::Folder(_), Some(Node::File(_))) => return Err(errno(libc::ENOTDIR)),
            (Node::Folder(_), Some(Node::Folder(folder))) => {
                if !folder.current.is_empty() {
                    return Err(errno(libc::ENOTEMPTY));
                }
            }
        }
        world.edit(vec![
            (source.0, source.1, None),
            (target.0, target.1, Some(node)),
        ]);
        world.end(&turn)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::Unlink, path)?;
        turn.check()?;
        let node = world.find(path)?.ok_or_else(|| errno(libc::ENOENT))?;
        world.file(node)?;
        let (folder, name) = world.place(path)?;
        world.edit(vec![(folder, name, None)]);
        world.end(&turn)
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::Mkdir, path)?;
        turn.check()?;
        if world.find(path)?.is_some() {
            return Err(errno(libc::EEXIST));
        }
        let (folder, name) = world.place(path)?;
        let node = world.add(Node::Folder(Folder::default()));
        world.edit(vec![(folder, name, Some(node))]);
        world.end(&turn)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::Rmdir, path)?;
        turn.check()?;
        let node = world.find(path)?.ok_or_else(|| errno(libc::ENOENT))?;
        if !world.folder(node)?.current.is_empty() {
            return Err(errno(libc::ENOTEMPTY));
        }
        let (folder, name) = world.place(path)?;
        world.edit(vec![(folder, name, None)]);
        world.end(&turn)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut world = self.world();
        world.turn(Call::ReadDir, path)?.check()?;
        let node = world.find(path)?.ok_or_else(|| errno(libc::ENOENT))?;
        let entries = world.folder(node)?.current.iter();
        let entry = |(name, node): (&String, &NodeId)| DirEntry {
            name: name.clone(),
            is_dir: matches!(world.nodes[*node], Node::Folder(_)),
        };
        Ok(entries.map(entry).collect())
    }

    fn fsync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let turn = world.turn(Call::FsyncDir, path)?;
        turn.check()?;
        let node = world.find(path)?.ok_or_else(|| errno(libc::ENOENT))?;
        world.folder(node)?;
        world.end(&turn)?;
        world.sync_folder(node);
        Ok(())
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<FileMeta>> {
        let mut world = self.world();
        world.turn(Call::Metadata, path)?.check()?;
        let meta = |node: NodeId| match &world.nodes[node] {
            Node::Folder(_) => FileMeta {
                len: 0,
                is_dir: true,
                modified_ms: 0,
            },
            Node::File(file) => FileMeta {
                len: file.bytes().len() as u64,
                is_dir: false,
                modified_ms: 0,
            },
        };
        Ok(world.find(path)?.map(meta))
    }

    fn volume(&self, path: &Path) -> io::Result<VolumeInfo> {
        let mut world = self.world();
        world.turn(Call::Volume, path)?.check()?;
        world.find(path)?.ok_or_else(|| errno(libc::ENOENT))?;
        Ok(VolumeInfo {
            free_bytes: world.free_bytes(),
            total_bytes: world.capacity.unwrap_or(1 << 41),
            file_system: self.shared.options.file_system.clone(),
            single_device: self.shared.options.single_device,
        })
    }

    fn boot_id(&self) -> String {
        format!("boot-{}", self.world().boot)
    }

    fn files_open_limit(&self) -> u64 {
        self.shared.options.files_open_limit
    }
}
