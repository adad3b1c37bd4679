//! [`Vfs`](crate::vfs::Vfs) over Linux system calls.

mod cache;
mod zeros;

use std::ffi::CString;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use cache::{PAGE, cached_pages};

use crate::vfs::{DirEntry, FileMap, FileMeta, OpenMode, RangeSync, Vfs, VfsFile, VolumeInfo};

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsVfs;

struct OsFile {
    fd: OwnedFd,
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn check_size(result: libc::ssize_t) -> io::Result<usize> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result as usize)
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn signed(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl Vfs for OsVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let flags = match mode {
            OpenMode::Read => libc::O_RDONLY,
            OpenMode::ReadWrite => libc::O_RDWR,
            OpenMode::Create => libc::O_RDWR | libc::O_CREAT,
            OpenMode::CreateNew => libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
        };
        let path = c_path(path)?;
        // SAFETY: `path` is a NUL-terminated string that outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o644) };
        check(fd)?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // Some disks are set to read 8 MiB ahead of whoever reads in order. That fills their queue,
        // and a flush waits behind it. Here, who will read on says so with `read_ahead`.
        // SAFETY: no memory is passed.
        unsafe { libc::posix_fadvise(fd.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
        Ok(Arc::new(OsFile { fd }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // Names that are not UTF-8 are none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry {
                    name,
                    is_dir: entry.file_type()?.is_dir(),
                });
            }
        }
        Ok(entries)
    }

    fn fsync_dir(&self, path: &Path) -> io::Result<()> {
        let path = c_path(path)?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: `path` is a NUL-terminated string that outlives the call.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        check(fd)?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: `fd` is open.
        check(unsafe { libc::fsync(fd.as_raw_fd()) })
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<FileMeta>> {
        match fs::metadata(path) {
            Ok(meta) => {
                use std::os::unix::fs::MetadataExt;
                let modified_ms = meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000;
                Ok(Some(FileMeta {
                    len: meta.len(),
                    is_dir: meta.is_dir(),
                    modified_ms,
                }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn volume(&self, path: &Path) -> io::Result<VolumeInfo> {
        let name = c_path(path)?;
        // SAFETY: an all-zero statfs is a valid value of this plain C struct.
        let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
        // SAFETY: `name` is NUL-terminated and `stat` is writable for the length of the call.
        check(unsafe { libc::statfs(name.as_ptr(), &mut stat) })?;
        let block = stat.f_frsize as u64;
        Ok(VolumeInfo {
            free_bytes: stat.f_bavail * block,
            total_bytes: stat.f_blocks * block,
            file_system: file_system_name(stat.f_type as u64, path),
            single_device: on_single_device(path),
        })
    }

    fn boot_id(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_default()
    }

    fn files_open_limit(&self) -> u64 {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is writable for the length of the call.
        let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
        if result == 0 { limit.rlim_cur } else { 1024 }
    }
}

/// ext2, ext3 and ext4 share one magic number; /proc/self/mounts tells them apart.
fn file_system_name(magic: u64, path: &Path) -> String {
    match magic {
        0xef53 => mounted_type(path).unwrap_or_else(|| "ext2".to_owned()),
        0x5846_5342 => "xfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x794c_7630 => "overlay".to_owned(),
        0x6969 => "nfs".to_owned(),
        0x2fc1_2fc1 => "zfs".to_owned(),
        0x6573_5546 => "fuse".to_owned(),
        other => format!("{other:#x}"),
    }
}

fn device_of(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|meta| meta.dev())
}

/// Type of the mounted file system whose device number is that of `path`.
fn mounted_type(path: &Path) -> Option<String> {
    let device = device_of(path)?;
    let wanted = format!("{}:{}", libc::major(device), libc::minor(device));
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    for line in table.lines() {
        // mount id, parent, major:minor, root, mount point, options, optional fields, -, type, …
        if line.split(' ').nth(2) == Some(wanted.as_str()) {
            let (_, after) = line.split_once(" - ")?;
            return after.split(' ').next().map(str::to_owned);
        }
    }
    None
}

/// True only for a plain disk or partition: not for md, device mapper, loop or unknown devices,
/// where a flush through one file is not known to cover the others.
fn on_single_device(path: &Path) -> bool {
    let Some(device) = device_of(path) else {
        return false;
    };
    let link = format!(
        "/sys/dev/block/{}:{}",
        libc::major(device),
        libc::minor(device)
    );
    let Ok(target) = fs::canonicalize(&link) else {
        return false;
    };
    let holds_slaves = fs::read_dir(target.join("slaves"))
        .map(|entries| entries.count() > 0)
        .unwrap_or(false);
    !holds_slaves && !target.join("md").exists()
}

impl OsFile {
    fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl VfsFile for OsFile {
    fn pread(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = signed(offset)?;
        // SAFETY: `buf` is writable for its length.
        check_size(unsafe { libc::pread(self.raw(), buf.as_mut_ptr().cast(), buf.len(), offset) })
    }

    fn pread_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // The kernel would not wait for what is missing, but begin to read it, and for that it may
        // wait: a quarter of a second was seen, in front of a disk's full queue.
        let end = offset + buf.len() as u64;
        let pages = end.div_ceil(PAGE) - offset / PAGE;
        let cached = cached_pages(self.raw(), offset, buf.len() as u64);
        if cached.is_some_and(|cached| cached < pages) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let offset = signed(offset)?;
        let slice = libc::iovec {
            iov_base: buf.as_mut_ptr().cast(),
            iov_len: buf.len(),
        };
        // SAFETY: `slice` describes `buf`, which is writable for its length.
        let result = unsafe { libc::preadv2(self.raw(), &slice, 1, offset, libc::RWF_NOWAIT) };
        check_size(result)
    }

    fn is_resident(&self, offset: u64, length: u64) -> bool {
        if length == 0 {
            return true;
        }
        let pages = (offset + length).div_ceil(PAGE) - offset / PAGE;
        if let Some(cached) = cached_pages(self.raw(), offset, length) {
            return cached >= pages;
        }
        // Older kernels: one byte of every page. Ranges are at most a few hundred pages.
        let mut position = offset;
        while position < offset + length {
            let mut byte = [0; 1];
            if !matches!(self.pread_nowait(&mut byte, position), Ok(1)) {
                return false;
            }
            position = (position / PAGE + 1) * PAGE;
        }
        true
    }

    fn read_ahead(&self, offset: u64, length: u64) {
        if let (Ok(offset), Ok(length)) = (signed(offset), signed(length)) {
            // SAFETY: no memory is passed.
            unsafe { libc::posix_fadvise(self.raw(), offset, length, libc::POSIX_FADV_WILLNEED) };
        }
    }

    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = signed(offset)?;
        // SAFETY: `bytes` is readable for its length.
        check_size(unsafe { libc::pwrite(self.raw(), bytes.as_ptr().cast(), bytes.len(), offset) })
    }

    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let offset = signed(offset)?;
        let count = libc::c_int::try_from(slices.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: IoSlice is guaranteed to be ABI-compatible with iovec, and every slice is
        // readable for its length.
        check_size(unsafe { libc::pwritev(self.raw(), slices.as_ptr().cast(), count, offset) })
    }

    fn fsync(&self) -> io::Result<()> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::fsync(self.raw()) })
    }

    fn fdatasync(&self) -> io::Result<()> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::fdatasync(self.raw()) })
    }

    fn sync_file_range(&self, offset: u64, length: u64, sync: RangeSync) -> io::Result<()> {
        let flags = match sync {
            RangeSync::Start => libc::SYNC_FILE_RANGE_WRITE,
            RangeSync::Wait => {
                libc::SYNC_FILE_RANGE_WAIT_BEFORE
                    | libc::SYNC_FILE_RANGE_WRITE
                    | libc::SYNC_FILE_RANGE_WAIT_AFTER
            }
        };
        // SAFETY: no memory is passed.
        check(unsafe { libc::sync_file_range(self.raw(), signed(offset)?, signed(length)?, flags) })
    }

    fn syncfs(&self) -> io::Result<()> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::syncfs(self.raw()) })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::ftruncate(self.raw(), signed(length)?) })
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::fallocate(self.raw(), 0, signed(offset)?, signed(length)?) })
    }

    fn write_zeros(&self, offset: u64, length: u64) -> io::Result<()> {
        zeros::write(self, offset, length)
    }

    fn len(&self) -> io::Result<u64> {
        // SAFETY: an all-zero stat is a valid value of this plain C struct.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `stat` is writable for the length of the call.
        check(unsafe { libc::fstat(self.raw(), &mut stat) })?;
        Ok(stat.st_size as u64)
    }

    fn map(&self, length: u64) -> io::Result<Arc<dyn FileMap>> {
        if length == 0 {
            return Ok(Arc::new(Vec::new()));
        }
        if self.len()? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh shared mapping at an address of the kernel's choice; the result is
        // checked before use.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                self.raw(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Arc::new(OsMap {
            address: address.cast(),
            length,
        }))
    }

    fn try_lock(&self) -> io::Result<bool> {
        // SAFETY: no memory is passed.
        match check(unsafe { libc::flock(self.raw(), libc::LOCK_EX | libc::LOCK_NB) }) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn as_raw_fd(&self) -> Option<RawFd> {
        Some(self.raw())
    }
}

struct OsMap {
    address: *const u8,
    length: usize,
}

// SAFETY: the mapping is read-only and lives until drop; any thread may read it.
unsafe impl Send for OsMap {}
// SAFETY: as above, there is no mutation through it.
unsafe impl Sync for OsMap {}

impl FileMap for OsMap {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `address` is a live mapping of `length` bytes, and the trait's contract is that
        // the file neither changes nor shrinks while it lives.
        unsafe { std::slice::from_raw_parts(self.address, self.length) }
    }
}

impl Drop for OsMap {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `mmap` returned, unmapped once.
        unsafe { libc::munmap(self.address.cast_mut().cast(), self.length) };
    }
}
