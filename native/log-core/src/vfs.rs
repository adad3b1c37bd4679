//! The one file-system trait under all I/O of the store.
//!
//! Production is [`OsVfs`](crate::os_vfs::OsVfs) (libc); tests put a recording or a simulated
//! file system behind the same trait and inject errors, short writes and crashes at every call.
//! Nothing in this crate touches a file in any other way.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::Arc;

/// How [`Vfs::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must exist.
    Read,
    /// The file must exist.
    ReadWrite,
    /// Reads and writes; makes the file where it is absent, keeps its bytes where it is not.
    Create,
    /// Reads and writes; fails with `AlreadyExists` where the file exists.
    CreateNew,
}

/// Which half of `sync_file_range` is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSync {
    /// Start write-back of the range and return at once.
    Start,
    /// Wait for write-back of the range, starting what has not been started. Reports write-back
    /// errors of the file. It commits no metadata and does not flush the device's cache.
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Bytes (the size, not the allocated blocks).
    pub len: u64,
    pub is_dir: bool,
    /// Milliseconds since the Unix epoch.
    pub modified_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
}

/// The file system that holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Bytes that an unprivileged process may still allocate.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// `ext4`, `xfs`, `tmpfs`, `btrfs`, `overlay`, `nfs`, …, or `0x<magic>` when unknown.
    pub file_system: String,
    /// Whether the file system is known to sit on a single block device, so that one
    /// `fdatasync` that ends in a device flush covers completed writes of every file on it.
    pub single_device: bool,
}

/// A read-only view of the first bytes of a sealed file. The bytes do not change while it lives.
pub trait FileMap: Send + Sync {
    fn bytes(&self) -> &[u8];
}

impl FileMap for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// An open file. Dropping the last reference closes it. All offsets and lengths are bytes.
pub trait VfsFile: Send + Sync {
    /// Reads at most `buf.len()` bytes; 0 only at or behind the end of the file.
    fn pread(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// As `pread`, but takes only what is in memory: fewer bytes where the rest is not, and
    /// `WouldBlock` where the first byte is not. File systems without such a call answer
    /// `Unsupported`; the caller then treats the bytes as not resident.
    fn pread_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Whether all of the range is in memory, so that reading or sending it meets no disk.
    /// A guess is allowed in one direction only: `false` where it is not known.
    fn is_resident(&self, offset: u64, length: u64) -> bool;

    /// Asks for the range to be read into memory in the background. Advice; may do nothing.
    fn read_ahead(&self, offset: u64, length: u64);

    /// Writes at least one byte (short writes happen; the caller continues).
    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Writes the slices in order, at least one byte. At most [`IOV_MAX`] slices are given.
    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    fn fsync(&self) -> io::Result<()>;

    /// As `fsync` without metadata that is not needed to read the data back (times).
    fn fdatasync(&self) -> io::Result<()>;

    fn sync_file_range(&self, offset: u64, length: u64, sync: RangeSync) -> io::Result<()>;

    /// Flushes the whole file system that holds this file.
    fn syncfs(&self) -> io::Result<()>;

    /// Sets the file's length; new bytes read as zeros.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Reserves blocks for the range and extends the length to its end where it is shorter.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Writes zeros over the whole range, so that its blocks are allocated and *written* once
    /// they are synced. Extends the file. The range must hold nothing of value.
    fn write_zeros(&self, offset: u64, length: u64) -> io::Result<()>;

    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Maps the first `length` bytes for reading. Only for sealed files: they neither change nor
    /// shrink while the map lives.
    fn map(&self, length: u64) -> io::Result<Arc<dyn FileMap>>;

    /// Takes an exclusive advisory lock, held until the file is closed or the process ends.
    /// `false`: somebody else holds it.
    fn try_lock(&self) -> io::Result<bool>;

    /// For `sendfile`. `None` where there is no descriptor behind the file: copy instead.
    fn as_raw_fd(&self) -> Option<RawFd>;
}

/// Most slices that one `pwritev` may be given (Linux's `UIO_MAXIOV`).
pub const IOV_MAX: usize = 1024;

/// A file system. Paths are absolute or relative to the process; every call may fail at any time.
pub trait Vfs: Send + Sync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>>;

    /// Replaces `to` atomically where it exists. Durable only after `fsync_dir` of the folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Makes one folder; its parent must exist. `AlreadyExists` where it exists.
    fn mkdir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn rmdir(&self, path: &Path) -> io::Result<()>;

    /// Entries without `.` and `..`, in no particular order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Makes creations, renames and removals in a folder durable.
    fn fsync_dir(&self, path: &Path) -> io::Result<()>;

    /// `None` where there is nothing at the path.
    fn metadata(&self, path: &Path) -> io::Result<Option<FileMeta>>;

    fn volume(&self, path: &Path) -> io::Result<VolumeInfo>;

    /// Changes whenever the operating system was restarted, and only then. While it is the same,
    /// whatever was written is still there, synced or not. A simulated crash that drops unsynced
    /// bytes must change it. Empty: unknown, treated as changed.
    fn boot_id(&self) -> String;

    /// Descriptors that this process may hold (RLIMIT_NOFILE).
    fn files_open_limit(&self) -> u64;
}

/// Reads exactly `buf.len()` bytes or fails with `UnexpectedEof`.
pub fn read_exact(file: &dyn VfsFile, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.pread(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buf = &mut buf[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all bytes, continuing after short writes.
pub fn write_all(file: &dyn VfsFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.pwrite(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all slices in order, continuing after short writes and splitting at [`IOV_MAX`].
pub fn write_all_vectored(
    file: &dyn VfsFile,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let count = slices.len().min(IOV_MAX);
        match file.pwritev(&slices[..count], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut slices, written);
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a whole file, or `None` where it does not exist. Fails with `InvalidData` above
/// `bytes_max`, before anything is allocated.
pub fn read_file(vfs: &dyn Vfs, path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match vfs.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.len()?;
    if length > bytes_max {
        let text = format!(
            "{} holds {length} bytes, more than {bytes_max}",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = vec![0; length as usize];
    read_exact(&*file, &mut bytes, 0)?;
    Ok(Some(bytes))
}

/// Writes a file whole and atomically: after a crash either the old or the new bytes are there.
/// Durable when it returns. `path` must lie in an existing folder.
pub fn write_file(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_file(vfs, path, bytes, true)?;
    vfs.fsync_dir(path.parent().ok_or(io::ErrorKind::InvalidInput)?)
}

/// Puts a file whole into the place of another. Without `sync` it is durable only after a sync
/// of the file system.
pub fn replace_file(vfs: &dyn Vfs, path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_os_string();
    name.push(".tmp");
    let temporary = folder.join(name);
    let written = (|| {
        let file = vfs.open(&temporary, OpenMode::Create)?;
        file.truncate(0)?;
        write_all(&*file, bytes, 0)?;
        if sync {
            file.fsync()?;
        }
        vfs.rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = vfs.unlink(&temporary);
    }
    written
}
