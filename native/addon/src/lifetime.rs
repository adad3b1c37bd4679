//! A store's way from closed to open and back. One data directory per engine.

use std::sync::Arc;

use mantou_log_core::os_vfs::OsVfs;
use mantou_log_core::{Command, EventSink, Reply, Store, StoreError, StoreOptions};
use napi::Result;
use napi_derive::napi;

use crate::engine::{StoreSlot, lock, spawn, submit, with_engine};
use crate::objects::JsStoreOptions;
use crate::outbox::{Answer, Completion};

/// Opens the store, on a thread of its own since it reads the directory.
#[napi]
pub fn open_store(engine: u32, request: f64, options: JsStoreOptions) -> Result<()> {
    let options = StoreOptions::try_from(options)?;
    with_engine(engine, |engine| {
        let engine = Arc::clone(engine);
        if !matches!(*lock(&engine.store), StoreSlot::Closed) {
            let result = Err(StoreError::new("INVALID", "the store is open already"));
            engine.outbox.complete(Completion {
                request: request as u64,
                result,
            });
            return Ok(());
        }
        *lock(&engine.store) = StoreSlot::Opening;
        spawn(move || {
            let sink = Arc::clone(&engine.outbox) as Arc<dyn EventSink>;
            let opened = Store::open(options, Arc::new(OsVfs), sink);
            let (slot, result) = match opened {
                Ok((store, description)) => (
                    StoreSlot::Open(Arc::new(store)),
                    Ok(Answer::Opened(description)),
                ),
                Err(error) => (StoreSlot::Closed, Err(error)),
            };
            *lock(&engine.store) = slot;
            engine.outbox.complete(Completion {
                request: request as u64,
                result,
            });
        })
    })
}

/// Closes the store: flushes, marks the directory clean, unlocks it.
#[napi]
pub fn close_store(engine: u32, request: f64) -> Result<()> {
    with_engine(engine, |engine| {
        if engine.open_store().is_none() {
            let result = Ok(Answer::Reply(Reply::Done));
            engine.outbox.complete(Completion {
                request: request as u64,
                result,
            });
            return Ok(());
        }
        submit(engine, request, Command::Close);
        Ok(())
    })
}

/// Lets go of a closed store, so that another can be opened. Its threads end by themselves.
#[napi]
pub fn forget_store(engine: u32) -> Result<()> {
    with_engine(engine, |engine| {
        let store = std::mem::take(&mut *lock(&engine.store));
        // Dropping it joins its threads, which must not hold up this one.
        spawn(move || drop(store))
    })
}
