//! The cold calls of the store. Each carries a number by which its completion is known.

use mantou_log_core::{Command, LogSpec};
use napi::Result;
use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;

use crate::clean_objects::JsCleanSpec;
use crate::engine::{invalid, lock, submit, with_engine};
use crate::objects::{JsCompletion, JsLogConfig, JsLogSpec, completion_object};

/// The next completion that `drain` has come to, or null.
#[napi]
pub fn take_completion(engine: u32) -> Result<Option<JsCompletion>> {
    with_engine(engine, |engine| {
        Ok(engine.outbox.take_completion().map(|completion| {
            let request = completion.request;
            let (object, bytes) = completion_object(completion);
            if let Some(bytes) = bytes {
                lock(&engine.results).insert(request, bytes);
            }
            object
        }))
    })
}

/// Copies the bytes that a completion announced into `target`, and forgets them.
#[napi]
pub fn take_bytes(engine: u32, request: f64, mut target: Uint8ArraySlice) -> Result<()> {
    // SAFETY: JavaScript does not run during the call, and no other thread knows of the target.
    let target = unsafe { target.as_mut() };
    with_engine(engine, |engine| {
        let bytes = lock(&engine.results).remove(&(request as u64));
        match bytes {
            Some(bytes) if bytes.len() == target.len() => {
                target.copy_from_slice(&bytes);
                Ok(())
            }
            _ => Err(invalid("no such bytes")),
        }
    })
}

#[napi]
pub fn format(engine: u32, request: f64, cluster_id: String, node_id: i32) -> Result<()> {
    command(
        engine,
        request,
        Command::Format {
            cluster_id,
            node_id,
        },
    )
}

#[napi]
pub fn open_logs(engine: u32, request: f64, specs: Vec<JsLogSpec>) -> Result<()> {
    let specs: Result<Vec<LogSpec>> = specs.into_iter().map(LogSpec::try_from).collect();
    command(engine, request, Command::OpenLogs(specs?))
}

#[napi]
pub fn configure(engine: u32, log: u32, config: JsLogConfig) -> Result<()> {
    let config = config.try_into()?;
    with_engine(engine, |engine| {
        if let Some(store) = engine.open_store() {
            store.configure(log, config);
        }
        Ok(())
    })
}

#[napi]
pub fn find_timestamp(
    engine: u32,
    request: f64,
    log: u32,
    timestamp: f64,
    limit: f64,
) -> Result<()> {
    let (timestamp, limit) = (timestamp as i64, limit as i64);
    command(
        engine,
        request,
        Command::FindTimestamp {
            log,
            timestamp,
            limit,
        },
    )
}

#[napi]
pub fn find_max_timestamp(engine: u32, request: f64, log: u32, limit: f64) -> Result<()> {
    command(
        engine,
        request,
        Command::FindMaxTimestamp {
            log,
            limit: limit as i64,
        },
    )
}

#[napi]
pub fn read_headers(engine: u32, request: f64, log: u32, from: f64, rows_max: u32) -> Result<()> {
    command(
        engine,
        request,
        Command::ReadHeaders {
            log,
            from: from as i64,
            rows_max,
        },
    )
}

#[napi]
pub fn read(engine: u32, request: f64, log: u32, from: f64, bytes_max: u32) -> Result<()> {
    command(
        engine,
        request,
        Command::Read {
            log,
            from: from as i64,
            bytes_max,
        },
    )
}

#[napi]
pub fn truncate(engine: u32, request: f64, log: u32, end: f64) -> Result<()> {
    command(
        engine,
        request,
        Command::Truncate {
            log,
            end: end as i64,
        },
    )
}

#[napi]
pub fn trim(engine: u32, request: f64, log: u32, start: f64) -> Result<()> {
    command(
        engine,
        request,
        Command::Trim {
            log,
            start: start as i64,
        },
    )
}

#[napi]
pub fn roll(engine: u32, request: f64, log: u32) -> Result<()> {
    command(engine, request, Command::Roll { log })
}

#[napi]
pub fn remove(engine: u32, request: f64, log: u32) -> Result<()> {
    command(engine, request, Command::Remove { log })
}

/// Negative: no limit.
#[napi]
pub fn retain(
    engine: u32,
    request: f64,
    log: u32,
    retention_ms: f64,
    retention_bytes: f64,
    limit: f64,
    now_ms: f64,
) -> Result<()> {
    let retain = Command::Retain {
        log,
        retention_ms: retention_ms as i64,
        retention_bytes: retention_bytes as i64,
        limit: limit as i64,
        now_ms: now_ms as i64,
    };
    command(engine, request, retain)
}

#[napi]
pub fn segments(engine: u32, request: f64, log: u32) -> Result<()> {
    command(engine, request, Command::Segments { log })
}

#[napi]
pub fn clean(engine: u32, request: f64, log: u32, spec: JsCleanSpec) -> Result<()> {
    let spec = Box::new(spec.into());
    command(engine, request, Command::Clean { log, spec })
}

#[napi]
pub fn put_file(
    engine: u32,
    request: f64,
    log: Option<u32>,
    name: String,
    bytes: &[u8],
) -> Result<()> {
    command(
        engine,
        request,
        Command::PutFile {
            log,
            name,
            bytes: bytes.to_vec(),
        },
    )
}

#[napi]
pub fn get_file(engine: u32, request: f64, log: Option<u32>, name: String) -> Result<()> {
    command(engine, request, Command::GetFile { log, name })
}

#[napi]
pub fn remove_file(engine: u32, request: f64, log: Option<u32>, name: String) -> Result<()> {
    command(engine, request, Command::RemoveFile { log, name })
}

#[napi]
pub fn list_files(engine: u32, request: f64, log: Option<u32>) -> Result<()> {
    command(engine, request, Command::ListFiles { log })
}

#[napi]
pub fn checkpoint(engine: u32, request: f64) -> Result<()> {
    command(engine, request, Command::Checkpoint)
}

fn command(engine: u32, request: f64, command: Command) -> Result<()> {
    with_engine(engine, |engine| {
        submit(engine, request, command);
        Ok(())
    })
}
