//! The arena as JavaScript sees it, and as the store writes from it.

use std::sync::Arc;

use mantou_log_core::Payload;
use mantou_net_core::Arena;
use napi::bindgen_prelude::Unknown;
use napi::{Env, Error, Result, Status, sys};
use napi_derive::napi;

use crate::engine::{Engine, with_engine};

/// A batch in the arena; holds a reference to its run until it is written.
pub struct ArenaBytes {
    arena: Arc<Arena>,
    offset: u32,
    length: u32,
}

impl ArenaBytes {
    /// None when the range is not within the arena.
    pub fn retain(arena: &Arc<Arena>, offset: u32, length: u32) -> Option<ArenaBytes> {
        let end = offset as usize + length as usize;
        if end > arena.len() {
            return None;
        }
        arena.retain(offset);
        Some(ArenaBytes {
            arena: Arc::clone(arena),
            offset,
            length,
        })
    }
}

impl Payload for ArenaBytes {
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the range is within the mapping (`retain`), its run is kept by our reference,
        // and TypeScript gave the batch away with the append: nobody else touches these bytes.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.arena.base_ptr().add(self.offset as usize),
                self.length as usize,
            )
        }
    }
}

impl Drop for ArenaBytes {
    fn drop(&mut self) {
        self.arena.release(self.offset);
    }
}

/// Runs `work` on a range of the arena, on the JavaScript thread. None: not within the arena.
pub fn with_bytes<T>(
    engine: &Engine,
    offset: u32,
    length: u32,
    work: impl FnOnce(&mut [u8]) -> T,
) -> Option<T> {
    let end = offset as usize + length as usize;
    if end > engine.arena.len() {
        return None;
    }
    // SAFETY: the range is within the mapping, which is never unmapped. Its frame was handed to
    // JavaScript, whose thread this is, and is not written to by a reactor any more.
    let bytes = unsafe {
        std::slice::from_raw_parts_mut(
            engine.arena.base_ptr().add(offset as usize),
            length as usize,
        )
    };
    Some(work(bytes))
}

/// The whole arena as one ArrayBuffer. Call it once per engine.
#[napi]
pub fn arena_buffer(env: &Env, engine: u32) -> Result<Unknown<'static>> {
    let (base, length) = with_engine(engine, |engine| {
        Ok((engine.arena.base_ptr(), engine.arena.len()))
    })?;
    let mut value = std::ptr::null_mut();
    // SAFETY: `base` is a mapping of `length` bytes that lives until the process ends (engines are
    // never dropped), so no finalizer is needed; Bun accepts none.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            base.cast(),
            length,
            None,
            std::ptr::null_mut(),
            &mut value,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(Error::new(
            Status::from(status),
            "the arena cannot be mapped into JavaScript",
        ));
    }
    // SAFETY: `value` was just made in `env` by a call that succeeded.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
}

/// A run of `length` bytes, or -1 when the arena has none.
#[napi]
pub fn arena_allocate(engine: u32, length: u32) -> Result<f64> {
    with_engine(engine, |engine| {
        Ok(engine
            .arena
            .allocate(length as usize)
            .map_or(-1.0, f64::from))
    })
}

#[napi]
pub fn arena_release(engine: u32, offset: u32) -> Result<()> {
    with_engine(engine, |engine| {
        engine.arena.release(offset);
        Ok(())
    })
}
