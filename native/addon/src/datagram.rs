//! One datagram to a Unix socket, which Bun cannot send: how a service manager is told of a
//! process's state (sd_notify).

use std::os::unix::net::UnixDatagram;

use napi::{Error, Result};
use napi_derive::napi;

/// Sends `text` to the socket at `path`; a name that begins with `@` is an abstract one (Linux).
#[napi]
pub fn send_datagram(path: String, text: String) -> Result<()> {
    send(&path, text.as_bytes())
        .map_err(|error| Error::from_reason(format!("cannot send to {path}: {error}")))
}

fn send(path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not stop the broker.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = path.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(bytes, &address).map(drop);
    }
    socket.send_to(bytes, path).map(drop)
}
