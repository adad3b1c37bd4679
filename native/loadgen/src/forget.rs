//! Drops what the page cache holds of a folder's files, so that a reader finds them on the disk.

use std::fs::{File, read_dir};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::path::Path;

/// Returns the bytes of the files that were dropped. What is mapped or not yet written stays.
pub fn run(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes += run(&path)?;
        } else if path.is_file() {
            bytes += drop_file(&path)?;
        }
    }
    Ok(bytes)
}

fn drop_file(path: &Path) -> Result<u64> {
    let file = match File::open(path) {
        // A broker removes files when it likes.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    // Pages that wait for their writeback are not dropped.
    file.sync_all()?;
    // SAFETY: no pointers; the descriptor is open.
    let code = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if code != 0 {
        return Err(Error::from_raw_os_error(code));
    }
    Ok(file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_below_is_counted() {
        let folder = std::env::temp_dir().join(format!("loadgen-forget-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("a/b")).unwrap();
        std::fs::write(folder.join("one"), [7; 10_000]).unwrap();
        std::fs::write(folder.join("a/b/two"), [7; 500]).unwrap();
        let bytes = run(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(bytes.unwrap(), 10_500);
        assert!(run(&folder).is_err());
    }
}
