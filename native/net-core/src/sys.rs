//! The system calls we use, each with its result as a value. No policy here.

mod addresses;

use std::ffi::c_void;
use std::io::{Error, Result};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use addresses::{from_storage, with_address};

/// Result of an attempt to move bytes without waiting.
pub(crate) enum Moved {
    /// So many; 0 means end of stream, or of file.
    Bytes(usize),
    /// The socket has nothing, or takes nothing, at the moment.
    Blocked,
    Failed(i32),
}

fn moved(result: isize) -> Moved {
    if result >= 0 {
        return Moved::Bytes(result as usize);
    }
    match errno() {
        libc::EAGAIN | libc::EINTR => Moved::Blocked,
        errno => Moved::Failed(errno),
    }
}

pub(crate) fn errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn check(result: i32) -> Result<i32> {
    if result < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Receives into raw memory.
///
/// # Safety
/// `to..to + length` must be writable memory that nobody else writes meanwhile.
pub(crate) unsafe fn receive(fd: RawFd, to: *mut u8, length: usize) -> Moved {
    loop {
        // SAFETY: promised by the caller.
        let result = unsafe { libc::recv(fd, to.cast::<c_void>(), length, libc::MSG_DONTWAIT) };
        if result >= 0 || errno() != libc::EINTR {
            return moved(result);
        }
    }
}

/// Takes and forgets up to `limit` bytes, so that closing the socket does not reset it.
pub(crate) fn discard(fd: RawFd, limit: usize) {
    let mut scratch = [0u8; 4096];
    let mut left = limit;
    while left > 0 {
        // SAFETY: the buffer is ours for the call.
        match unsafe { receive(fd, scratch.as_mut_ptr(), scratch.len()) } {
            Moved::Bytes(count) if count > 0 => left = left.saturating_sub(count),
            _ => return,
        }
    }
}

/// Sends buffers in order with one call. `more`: hold a short tail back, something follows.
pub(crate) fn send(fd: RawFd, buffers: &[libc::iovec], more: bool) -> Moved {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    // SAFETY: all-zero is a valid msghdr; the buffers outlive the call.
    let result = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = buffers.as_ptr().cast_mut();
        message.msg_iovlen = buffers.len() as _;
        libc::sendmsg(fd, &message, flags)
    };
    moved(result)
}

pub(crate) fn send_file(fd: RawFd, file: RawFd, position: u64, length: usize) -> Moved {
    let mut at = position as libc::off_t;
    // SAFETY: plain descriptors and a local offset.
    moved(unsafe { libc::sendfile(fd, file, &mut at, length) })
}

/// Bytes that the kernel holds because the peer has not acknowledged them.
pub(crate) fn unsent_bytes(fd: RawFd) -> i32 {
    let mut count = 0;
    // SAFETY: the call writes one int.
    unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &mut count) };
    count
}

/// A new socket, non-blocking and closed on exec.
pub(crate) fn stream_socket(address: &SocketAddr) -> Result<OwnedFd> {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers; the descriptor is fresh and owned by nobody else.
    unsafe { Ok(OwnedFd::from_raw_fd(check(libc::socket(family, kind, 0))?)) }
}

pub(crate) fn set_option(fd: &OwnedFd, level: i32, name: i32, value: i32) -> Result<()> {
    let size = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the value is read before the call returns.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<c_void>(),
            size,
        )
    })?;
    Ok(())
}

/// Takes a congestion control by name, in place of the system's default.
pub(crate) fn use_congestion_control(fd: &OwnedFd, name: &str) -> Result<()> {
    // SAFETY: the name is read before the call returns.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast::<c_void>(),
            name.len() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// The error that a non-blocking connect ended with; 0: none.
pub(crate) fn take_error(fd: RawFd) -> i32 {
    let mut value = 0i32;
    let mut size = size_of::<i32>() as libc::socklen_t;
    let to = (&raw mut value).cast::<c_void>();
    // SAFETY: both pointers are to locals of the sizes given.
    let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, to, &mut size) };
    if result < 0 { errno() } else { value }
}

pub(crate) fn bind_and_listen(fd: &OwnedFd, address: &SocketAddr, backlog: i32) -> Result<()> {
    // SAFETY: the address outlives the call.
    check(with_address(address, |raw, size| unsafe {
        libc::bind(fd.as_raw_fd(), raw, size)
    }))?;
    // SAFETY: no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(())
}

pub(crate) fn local_address(fd: &OwnedFd) -> Result<SocketAddr> {
    // SAFETY: all-zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut size = size_of_val(&storage) as libc::socklen_t;
    // SAFETY: the storage is as large as `size` says.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut storage).cast(), &mut size) })?;
    from_storage(&storage).ok_or_else(|| Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Starts to connect. `Ok(true)`: stands already.
pub(crate) fn connect(fd: &OwnedFd, address: &SocketAddr) -> Result<bool> {
    // SAFETY: the address outlives the call.
    let result = with_address(address, |raw, size| unsafe {
        libc::connect(fd.as_raw_fd(), raw, size)
    });
    match check(result) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Accepts one connection, non-blocking and closed on exec.
pub(crate) fn accept(listener: RawFd) -> Result<(OwnedFd, SocketAddr)> {
    // SAFETY: all-zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut size = size_of_val(&storage) as libc::socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the storage is as large as `size` says; the descriptor is fresh.
    let fd = unsafe {
        let raw = libc::accept4(listener, (&raw mut storage).cast(), &mut size, flags);
        OwnedFd::from_raw_fd(check(raw)?)
    };
    let mut peer = from_storage(&storage)
        .unwrap_or_else(|| SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0));
    peer.set_ip(peer.ip().to_canonical());
    Ok((fd, peer))
}

/// A descriptor to hold in reserve, and to give up when there are no more.
pub(crate) fn spare_descriptor() -> Option<OwnedFd> {
    // SAFETY: no pointers; the descriptor is fresh.
    unsafe {
        let raw = libc::eventfd(0, libc::EFD_CLOEXEC);
        (raw >= 0).then(|| OwnedFd::from_raw_fd(raw))
    }
}

pub(crate) fn event_descriptor() -> Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is fresh.
    unsafe {
        let raw = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(raw))
    }
}

pub(crate) fn raise(event: &OwnedFd) {
    let one = 1u64;
    // SAFETY: eight bytes of a local. A full counter is readable already, so failing is fine.
    unsafe { libc::write(event.as_raw_fd(), (&raw const one).cast::<c_void>(), 8) };
}

pub(crate) fn lower(event: &OwnedFd) {
    let mut count = 0u64;
    // SAFETY: eight bytes of a local.
    unsafe { libc::read(event.as_raw_fd(), (&raw mut count).cast::<c_void>(), 8) };
}

/// Waits until the event is raised or the time is over.
pub(crate) fn wait_raised(event: &OwnedFd, at_most: Duration) {
    let mut poll = libc::pollfd {
        fd: event.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let time = libc::timespec {
        tv_sec: at_most.as_secs() as libc::time_t,
        tv_nsec: at_most.subsec_nanos().into(),
    };
    // SAFETY: one pollfd, as the count says.
    unsafe { libc::ppoll(&mut poll, 1, &time, std::ptr::null()) };
}

/// Keeps SIGPIPE away from this thread: `sendfile` has no flag for it.
pub(crate) fn block_sigpipe() {
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

/// Largest number of descriptors that this process may have.
pub(crate) fn descriptors_max() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a local of the right type.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if result < 0 { 1024 } else { limit.rlim_cur }
}

/// POSIX name of an errno, as far as sockets give it.
pub(crate) fn error_name(errno: i32) -> &'static str {
    match errno {
        libc::EACCES => "EACCES",
        libc::EADDRINUSE => "EADDRINUSE",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::ECONNRESET => "ECONNRESET",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ENFILE => "ENFILE",
        libc::ENOBUFS => "ENOBUFS",
        libc::ENOENT => "ENOENT",
        libc::ENOMEM => "ENOMEM",
        libc::EPERM => "EPERM",
        libc::ESHUTDOWN => "ESHUTDOWN",
        libc::ETIMEDOUT => "ETIMEDOUT",
        _ => "EIO",
    }
}
