//! The cold calls of the network.

use mantou_net_core::ListenOptions;
use napi::{Error, Result};
use napi_derive::napi;

use crate::engine::with_engine;

#[napi(object)]
pub struct JsListenOptions {
    pub host: String,
    pub port: u16,
    pub listener_id: u32,
    pub frame_bytes_max: u32,
}

#[napi(object)]
pub struct JsAddress {
    pub host: String,
    pub port: u16,
}

#[napi(object)]
pub struct JsConnectionInfo {
    pub listener_id: u32,
    pub remote_host: String,
    pub remote_port: u16,
}

#[napi(object)]
pub struct JsNetworkStats {
    pub connections: f64,
    pub accepted_total: f64,
    pub refused_total: f64,
    pub received_bytes_total: f64,
    pub sent_bytes_total: f64,
    pub memory_waits_total: f64,
    pub arena_bytes_used: f64,
    pub arena_bytes_total: f64,
}

/// Binds and accepts. The error's `code` is the POSIX name.
#[napi]
pub fn listen(engine: u32, options: JsListenOptions) -> Result<JsAddress, String> {
    let listening = with_engine(engine, |engine| {
        Ok(engine.network.listen(&ListenOptions {
            host: options.host,
            port: options.port,
            listener_id: options.listener_id,
            frame_bytes_max: options.frame_bytes_max,
        }))
    });
    match listening {
        Ok(Ok(address)) => Ok(JsAddress {
            host: address.ip().to_string(),
            port: address.port(),
        }),
        Ok(Err(error)) => Err(Error::new(error.code.to_owned(), error.message)),
        Err(error) => Err(Error::new("INVALID".to_owned(), error.reason.clone())),
    }
}

#[napi]
pub fn connect(engine: u32, host: String, port: u16, connect_id: u32) -> Result<()> {
    with_engine(engine, |engine| {
        engine.network.connect(&host, port, connect_id);
        Ok(())
    })
}

#[napi]
pub fn describe(engine: u32, connection: u32, generation: u32) -> Result<Option<JsConnectionInfo>> {
    with_engine(engine, |engine| {
        Ok(engine
            .network
            .describe(connection, generation)
            .map(|info| JsConnectionInfo {
                listener_id: info.listener_id,
                remote_host: info.remote.ip().to_canonical().to_string(),
                remote_port: info.remote.port(),
            }))
    })
}

#[napi]
pub fn stop_accepting(engine: u32) -> Result<()> {
    with_engine(engine, |engine| {
        engine.network.stop_accepting();
        Ok(())
    })
}

#[napi]
pub fn network_stats(engine: u32) -> Result<JsNetworkStats> {
    with_engine(engine, |engine| {
        let stats = engine.network.stats();
        Ok(JsNetworkStats {
            connections: stats.connections as f64,
            accepted_total: stats.accepted_total as f64,
            refused_total: stats.refused_total as f64,
            received_bytes_total: stats.received_bytes_total as f64,
            sent_bytes_total: stats.sent_bytes_total as f64,
            memory_waits_total: stats.memory_waits_total as f64,
            arena_bytes_used: stats.arena_bytes_used as f64,
            arena_bytes_total: stats.arena_bytes_total as f64,
        })
    })
}
