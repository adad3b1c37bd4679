//! Sockets, framing and the memory that frames live in; nothing here decides anything.
//!
//! The public surface mirrors `packages/io/src/ports.ts` (`Arena`, `Network`, `drain`) and
//! `packages/io/src/layout.ts` (events and plans) one to one, so that a binding has no logic:
//!
//! - [`Arena`]: one mapping, reference-counted runs.
//! - [`Ring`]: rows of events from every thread to one consumer, with one doorbell.
//! - [`Network`]: listeners, connections and the plans carried out on them.
//!
//! Threads, lifetimes and invariants are described in this crate's README.

pub mod arena;
mod connection;
pub mod network;
mod output;
mod pace;
mod plan;
mod poller;
mod reactor;
mod reader;
pub mod ring;
pub mod rows;
mod shared;
mod slots;
mod sys;
mod units;

pub use arena::{Arena, ArenaObserver};
pub use network::{
    ConnectionInfo, FileRange, ListenOptions, NetError, Network, NetworkOptions, NetworkStats,
    PinTable, PlanError,
};
pub use ring::Ring;
pub use rows::{EventRow, PlanRow};
