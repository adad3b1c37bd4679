//! The narrow door between TypeScript and the two cores. It converts and hands on; what is
//! decided is decided in TypeScript, what is done is done in `net-core` and `log-core`.
//!
//! Hot calls take tables of fixed rows, borrowed for the call ([`tables`]). Cold calls take plain
//! objects, are answered through the event stream, and their results are fetched by request
//! ([`commands`]). All calls come on the one JavaScript thread.
// Under `test` the macros register nothing, so that all of it looks unused.
#![cfg_attr(test, allow(dead_code, unused_imports))]

mod arena;
mod clean_objects;
mod commands;
mod datagram;
mod engine;
mod layout;
mod layout_check;
mod lifetime;
mod objects;
#[cfg(old_glibc)]
mod old_glibc;
mod outbox;
mod panic;
mod pins;
mod sockets;
mod stats;
mod tables;

/// The version of this addon: TypeScript refuses one that is not its own.
#[napi_derive::napi]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Names the row layouts that this addon was built with.
#[napi_derive::napi]
pub fn layout_fingerprint() -> u32 {
    layout::FINGERPRINT
}

#[napi_derive::module_init]
fn init() {
    panic::abort_on_panic();
}
