//! Calls that glibc has as symbols since 2.33 only; before, each program had a copy of its own,
//! and here is ours. See `build.rs`.

use std::ffi::{c_char, c_int};

use libc::{AT_FDCWD, SYS_fstat, SYS_newfstatat, syscall};

#[unsafe(no_mangle)]
unsafe extern "C" fn fstat64(file: c_int, status: *mut libc::stat64) -> c_int {
    // SAFETY: the caller's promises are those of the system call; sets errno as glibc's does.
    unsafe { syscall(SYS_fstat, file, status) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fstat(file: c_int, status: *mut libc::stat) -> c_int {
    // SAFETY: as above; on 64-bit systems both structures are the kernel's.
    unsafe { syscall(SYS_fstat, file, status) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn stat64(path: *const c_char, status: *mut libc::stat64) -> c_int {
    // SAFETY: as above.
    unsafe { syscall(SYS_newfstatat, AT_FDCWD, path, status, 0) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn lstat64(path: *const c_char, status: *mut libc::stat64) -> c_int {
    // SAFETY: as above.
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    unsafe { syscall(SYS_newfstatat, AT_FDCWD, path, status, flags) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fstatat64(
    folder: c_int,
    path: *const c_char,
    status: *mut libc::stat64,
    flags: c_int,
) -> c_int {
    // SAFETY: as above.
    unsafe { syscall(SYS_newfstatat, folder, path, status, flags) as c_int }
}
