//! One engine: arena, network, store, and what they have to tell. Named by a number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mantou_log_core::{AppendRow, Command, Reply, Store, StoreError};
use mantou_net_core::{Arena, Network, NetworkOptions, Ring, ring};
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::outbox::{Answer, Bell, Completion, Outbox};
use crate::pins::Pins;

pub struct Engine {
    pub arena: Arc<Arena>,
    pub ring: Arc<Ring>,
    pub network: Network,
    pub outbox: Arc<Outbox>,
    pub pins: Pins,
    pub store: Mutex<StoreSlot>,
    /// Reused by every append call.
    pub append_rows: Mutex<Vec<AppendRow>>,
    /// Bytes of completions, until they are fetched.
    pub results: Mutex<HashMap<u64, Vec<u8>>>,
}

/// The store's place. It is not locked while the store opens, which may take a recovery's time.
#[derive(Clone, Default)]
pub enum StoreSlot {
    #[default]
    Closed,
    Opening,
    Open(Arc<Store>),
}

impl Engine {
    /// The open store, if there is one.
    pub fn open_store(&self) -> Option<Arc<Store>> {
        match &*lock(&self.store) {
            StoreSlot::Open(store) => Some(Arc::clone(store)),
            StoreSlot::Closed | StoreSlot::Opening => None,
        }
    }
}

thread_local! {
    /// Engines of the JavaScript thread. They are never dropped: JavaScript may look into an
    /// arena for as long as it lives.
    static ENGINES: RefCell<Vec<Arc<Engine>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with an engine, or says that there is none of that number.
pub fn with_engine<T>(engine: u32, work: impl FnOnce(&Arc<Engine>) -> Result<T>) -> Result<T> {
    ENGINES.with_borrow(|engines| match engines.get(engine as usize) {
        Some(engine) => work(engine),
        None => Err(invalid("no such engine on this thread")),
    })
}

/// A mistake of the caller.
pub fn invalid(what: impl Into<String>) -> Error {
    Error::new(Status::InvalidArg, what.into())
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `IoOptions` of options.ts, completed. Sizes in bytes.
#[napi(object)]
pub struct EngineOptions {
    pub arena_bytes: f64,
    pub connections_max: u32,
    pub connections_per_ip_max: u32,
    pub idle_timeout_ms: u32,
    pub connection_quota_bytes: u32,
    pub output_quota_bytes: u32,
}

/// Starts an engine; returns its number. `bell` is called when events go from none to some.
#[napi]
pub fn create(options: EngineOptions, bell: Bell) -> Result<u32> {
    let arena = Arena::map(options.arena_bytes as usize)
        .map_err(|error| Error::from_reason(format!("cannot map the arena: {error}")))?;
    let ring = Arc::new(Ring::new(ring::DEFAULT_ROWS));
    let outbox = Arc::new(Outbox::new(bell));
    let ringer = Arc::clone(&outbox);
    ring.set_bell(move || ringer.ring());
    let network = Network::start(
        NetworkOptions {
            connections_max: options.connections_max,
            connections_per_ip_max: options.connections_per_ip_max,
            idle_timeout_ms: options.idle_timeout_ms,
            connection_quota_bytes: options.connection_quota_bytes,
            output_quota_bytes: options.output_quota_bytes,
            ..NetworkOptions::default()
        },
        Arc::clone(&arena),
        Arc::clone(&ring),
    )
    .map_err(|error| Error::from_reason(format!("{}: {}", error.code, error.message)))?;
    let engine = Arc::new(Engine {
        arena,
        ring,
        network,
        outbox,
        pins: Pins::default(),
        store: Mutex::default(),
        append_rows: Mutex::new(Vec::new()),
        results: Mutex::new(HashMap::new()),
    });
    Ok(ENGINES.with_borrow_mut(|engines| {
        engines.push(engine);
        engines.len() as u32 - 1
    }))
}

/// Longest time in which a stop sends what is queued.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// Stops the network, on a thread of its own; completes when every socket is closed.
#[napi]
pub fn stop_network(engine: u32, request: f64) -> Result<()> {
    with_engine(engine, |engine| {
        let engine = Arc::clone(engine);
        spawn(move || {
            // The broker has handed over its last answers.
            engine.network.close(SHUTDOWN_GRACE);
            engine.pins.clear();
            let result = Ok(Answer::Reply(Reply::Done));
            engine.outbox.complete(Completion {
                request: request as u64,
                result,
            });
        })
    })
}

/// Runs a blocking job on a thread of its own.
pub fn spawn(job: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name("mantou-cold".to_owned())
        .spawn(job)
        .map(drop)
        .map_err(|error| Error::from_reason(format!("cannot start a thread: {error}")))
}

/// Hands a command to the store, or refuses it where none is open.
pub fn submit(engine: &Engine, request: f64, command: Command) {
    let request = request as u64;
    match engine.open_store() {
        Some(store) => store.submit(request, command),
        None => {
            let result = Err(StoreError::new("CLOSED", "the store is not open"));
            engine.outbox.complete(Completion { request, result });
        }
    }
}
