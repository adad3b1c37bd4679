//! Drives a store on the simulated machine and keeps the ledger of what it promised.
#![allow(dead_code)]

mod ledger;
pub mod life;
mod on_disk;
mod sink;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

pub use ledger::{Ledger, Removal};
#[allow(unused_imports)]
pub use on_disk::end_on_disk;
pub use sink::Sink;

use crate::batch_maker::{MadeRecord, batch};
use mantou_log_core::batch::patch_for_append;
use mantou_log_core::sim::SimVfs;
use mantou_log_core::vfs::Vfs;
use mantou_log_core::{
    AppendRow, Command, Durability, Flush, LogConfig, LogId, LogSpec, LogState, Reply, Store,
    StoreDescription, StoreOptions, append_flag,
};

pub const DATA: &str = "/data";

/// Panics of any thread since the last `take_panics`.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn panics() -> MutexGuard<'static, Vec<String>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down panics of every thread, so that one in a disk thread fails the test.
pub fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The store's own threads; a test that fails says so by itself.
            let thread = std::thread::current();
            if thread.name().is_some_and(|name| name.starts_with("log-")) {
                panics().push(format!("{}: {info}", thread.name().unwrap_or_default()));
            }
            before(info);
        }));
    });
}

pub fn assert_no_panics(context: &str) {
    let found = std::mem::take(&mut *panics());
    assert!(found.is_empty(), "{context}: {found:#?}");
}

#[derive(Clone, Debug)]
pub enum Step {
    /// Batches of `records` records each, one after the other in the queue.
    Append {
        log: LogId,
        batches: usize,
        records: usize,
        value_bytes: usize,
    },
    /// Waits until everything appended to the log is durable.
    Durable {
        log: LogId,
    },
    Roll {
        log: LogId,
    },
    /// Drops the last batches.
    Truncate {
        log: LogId,
        batches: usize,
    },
    /// Moves the start over the first batches.
    Trim {
        log: LogId,
        batches: usize,
    },
    /// Deletes all but the last segment.
    Retain {
        log: LogId,
    },
    Remove {
        log: LogId,
    },
    Checkpoint,
    PutFile {
        log: Option<LogId>,
        name: &'static str,
        bytes: Vec<u8>,
    },
    RemoveFile {
        log: Option<LogId>,
        name: &'static str,
    },
    /// Stops cleanly and starts again.
    Restart,
    /// Stops as a killed process does, and starts again.
    Kill,
}

/// Why a run ended early.
#[derive(Clone, Debug)]
pub struct Stopped(pub String);

#[derive(Clone, Debug)]
pub struct Setup {
    pub flush: Flush,
    pub config: LogConfig,
    pub logs: u32,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            flush: Flush::Auto,
            config: LogConfig {
                segment_bytes: 16 << 10,
                segment_ms: i64::MAX,
                segment_jitter_ms: 0,
                segment_index_bytes: 4096,
                index_interval_bytes: 512,
                file_delete_delay_ms: 0,
                preallocate: false,
                durability: Durability::Fsync,
            },
            logs: 2,
        }
    }
}

impl Setup {
    pub fn spec(&self, log: LogId) -> LogSpec {
        LogSpec {
            log,
            topic: format!("topic-{log}"),
            topic_id: [log as u8 + 1; 16],
            partition: log as i32,
            config: self.config,
        }
    }

    pub fn folder(&self, log: LogId) -> PathBuf {
        Path::new(DATA).join(format!("topic-{log}-{log}"))
    }

    fn options(&self) -> StoreOptions {
        StoreOptions {
            data_directory: PathBuf::from(DATA),
            reserve_bytes: 64 << 10,
            free_bytes_min: 0,
            group_hold_ms: 0.0,
            flush: self.flush,
            files_open_max: 64,
        }
    }

    pub fn all_logs(&self) -> Vec<LogId> {
        (0..self.logs).collect()
    }
}

/// A store that runs on a simulated machine.
pub struct Running<'a> {
    store: Option<Store>,
    pub sink: Arc<Sink>,
    pub description: StoreDescription,
    pub vfs: SimVfs,
    setup: &'a Setup,
    requests: u64,
    tags: u32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // A store that no longer answers may not stop either: let the failure be seen.
        if std::thread::panicking() {
            std::mem::forget(self.store.take());
        }
    }
}

/// A machine with an empty data directory that survives everything.
pub fn fresh(vfs: SimVfs) -> SimVfs {
    vfs.mkdir(Path::new(DATA)).expect("mkdir");
    vfs.fsync_dir(Path::new("/")).expect("fsync_dir");
    vfs
}

impl<'a> Running<'a> {
    pub fn start(vfs: &SimVfs, setup: &'a Setup) -> Result<Running<'a>, Stopped> {
        watch_panics();
        let sink = Arc::new(Sink::default());
        let events: Arc<dyn mantou_log_core::EventSink> = sink.clone();
        match Store::open(setup.options(), Arc::new(vfs.clone()), events) {
            Ok((store, description)) => Ok(Running {
                store: Some(store),
                sink,
                description,
                vfs: vfs.clone(),
                setup,
                requests: 0,
                tags: 0,
            }),
            Err(error) => Err(Stopped(format!("open: {error}"))),
        }
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().expect("a running store")
    }

    pub fn command(&mut self, command: Command) -> Result<Reply, Stopped> {
        self.requests += 1;
        let text = format!("{command:?}");
        self.store().submit(self.requests, command);
        let text: String = text.chars().take(80).collect();
        match self.sink.completion(self.requests, &text) {
            Ok(reply) => Ok(reply),
            Err(error) => Err(Stopped(format!("{text}: {error}"))),
        }
    }

    pub fn open_logs(&mut self, logs: &[LogId]) -> Result<Vec<LogState>, Stopped> {
        let specs = logs.iter().map(|log| self.setup.spec(*log)).collect();
        match self.command(Command::OpenLogs(specs))? {
            Reply::Logs(states) => Ok(states),
            other => panic!("OpenLogs answered {other:?}"),
        }
    }

    fn done(&mut self, command: Command) -> Result<(), Stopped> {
        match self.command(command)? {
            Reply::Done => Ok(()),
            other => panic!("not Done: {other:?}"),
        }
    }

    fn state(&mut self, command: Command) -> Result<LogState, Stopped> {
        match self.command(command)? {
            Reply::State(state) => Ok(state),
            other => panic!("not a state: {other:?}"),
        }
    }

    /// Every batch that the store gives, back to back.
    pub fn read_all(&mut self, log: LogId, state: &LogState) -> Result<Vec<u8>, Stopped> {
        let mut bytes = Vec::new();
        let mut from = state.start_offset;
        while from < state.end_offset {
            let part = match self.command(Command::Read {
                log,
                from,
                bytes_max: 4096,
            })? {
                Reply::Bytes(part) => part,
                other => panic!("Read answered {other:?}"),
            };
            assert!(
                !part.is_empty(),
                "log {log}: nothing at {from} of {state:?}"
            );
            let batches = ledger::split(&part);
            let last = batches.last().expect("a batch");
            assert!(
                last.header.next_offset() > from,
                "log {log}: no progress at {from}"
            );
            from = last.header.next_offset();
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    fn append(
        &mut self,
        ledger: &mut Ledger,
        (log, batches, records, value_bytes): (LogId, usize, usize, usize),
    ) -> Result<(), Stopped> {
        let mut rows = Vec::new();
        let kept = ledger.log(log);
        for _ in 0..batches {
            let base_offset = kept.end;
            kept.serial += 1;
            let serial = kept.serial;
            let made: Vec<MadeRecord> = (0..records)
                .map(|index| {
                    let text = format!("{log}/{serial}/{index}/");
                    let value: Vec<u8> = text.bytes().cycle().take(value_bytes).collect();
                    MadeRecord::of(1_000_000 + serial as i64 * 10 + index as i64, &value)
                })
                .collect();
            let bytes = batch(&made);
            let mut image = bytes.clone();
            patch_for_append(&mut image, base_offset, kept.epoch, None).expect("a batch");
            kept.appended(base_offset, image);
            rows.push(AppendRow {
                log,
                payload: Box::new(bytes),
                base_offset,
                leader_epoch: kept.epoch,
                flags: append_flag::NOTIFY_WRITTEN,
                now_ms: 2_000_000,
            });
        }
        self.store().append(&mut rows);
        Ok(())
    }

    fn wait_durable(&mut self, ledger: &mut Ledger, log: LogId) -> Result<(), Stopped> {
        let end = ledger.log(log).end;
        if ledger.log(log).durable() >= end {
            return Ok(());
        }
        let answer = self.sink.durable(log, end);
        self.note_durable(ledger);
        answer.map_err(|what| Stopped(format!("waiting for {log} to be durable: {what}")))
    }

    /// Takes over what the store has acknowledged so far.
    pub fn note_durable(&self, ledger: &mut Ledger) {
        for (log, end) in self.sink.durable_ends() {
            ledger.log(log).acknowledged(end);
        }
    }

    /// Carries out one step. An error is the store's own; the ledger stays true in any case.
    pub fn step(&mut self, ledger: &mut Ledger, step: &Step) -> Result<(), Stopped> {
        let result = self.try_step(ledger, step);
        self.note_durable(ledger);
        result
    }

    fn try_step(&mut self, ledger: &mut Ledger, step: &Step) -> Result<(), Stopped> {
        match step.clone() {
            Step::Append {
                log,
                batches,
                records,
                value_bytes,
            } => self.append(ledger, (log, batches, records, value_bytes)),
            Step::Durable { log } => self.wait_durable(ledger, log),
            Step::Roll { log } => self.state(Command::Roll { log }).map(|_| ()),
            Step::Truncate { log, batches } => self.truncate(ledger, log, batches),
            Step::Trim { log, batches } => {
                let start = ledger.log(log).offset_of_batch(batches);
                ledger.log(log).start_max = start;
                let state = self.state(Command::Trim { log, start })?;
                assert_eq!(state.start_offset, start);
                ledger.log(log).trimmed(start);
                Ok(())
            }
            Step::Retain { log } => self.retain(ledger, log),
            Step::Remove { log } => {
                ledger.log(log).removal = Removal::Maybe;
                self.done(Command::Remove { log })?;
                ledger.log(log).removal = Removal::Yes;
                Ok(())
            }
            Step::Checkpoint => self.done(Command::Checkpoint),
            Step::PutFile { log, name, bytes } => {
                ledger.file(log, name).putting(Some(bytes.clone()));
                let name = name.to_owned();
                let put = Command::PutFile {
                    log,
                    name: name.clone(),
                    bytes,
                };
                self.done(put)?;
                ledger.file(log, &name).settled();
                Ok(())
            }
            Step::RemoveFile { log, name } => {
                ledger.file(log, name).putting(None);
                self.done(Command::RemoveFile {
                    log,
                    name: name.to_owned(),
                })?;
                ledger.file(log, name).settled();
                Ok(())
            }
            Step::Restart => self.restart(ledger),
            Step::Kill => self.kill(ledger),
        }
    }

    fn truncate(&mut self, ledger: &mut Ledger, log: LogId, batches: usize) -> Result<(), Stopped> {
        let end = ledger.log(log).offset_from_end(batches);
        self.note_durable(ledger);
        self.sink.limit_durable(log, end);
        ledger.log(log).truncating(end);
        let state = self.state(Command::Truncate { log, end })?;
        assert_eq!(state.end_offset, end, "truncate of {log}");
        // Acknowledgements from before may have come in meanwhile.
        self.sink.limit_durable(log, end);
        ledger.log(log).truncated(end);
        Ok(())
    }

    fn kill(&mut self, ledger: &mut Ledger) -> Result<(), Stopped> {
        self.store = None;
        self.note_durable(ledger);
        let mut next = Running::start(&self.vfs, self.setup)?;
        let context = format!("killed\n{:#?}", self.vfs.trace());
        next.open_and_compare(ledger, &context)?;
        *self = next;
        Ok(())
    }

    /// Opens the logs that are left and compares them with the ledger.
    fn open_and_compare(&mut self, ledger: &mut Ledger, context: &str) -> Result<(), Stopped> {
        let live = ledger.live();
        let states = self.open_logs(&live)?;
        assert_eq!(states.len(), live.len());
        for state in &states {
            let bytes = self.read_all(state.log, state)?;
            ledger.log(state.log).compare(state, &bytes, context);
        }
        Ok(())
    }

    fn retain(&mut self, ledger: &mut Ledger, log: LogId) -> Result<(), Stopped> {
        let kept = ledger.log(log);
        kept.start_max = kept.end;
        let limit = kept.end;
        let state = self.state(Command::Retain {
            log,
            retention_ms: -1,
            retention_bytes: 1,
            limit,
            now_ms: 3_000_000,
        })?;
        // Segments that were deleted by retention may be back after a crash, to be deleted again.
        ledger.log(log).start_max = state.start_offset;
        Ok(())
    }

    fn restart(&mut self, ledger: &mut Ledger) -> Result<(), Stopped> {
        self.done(Command::Close)?;
        // What was appended before a clean stop is durable behind it.
        let failed: Vec<LogId> = self
            .sink
            .failures()
            .iter()
            .map(|failure| failure.0)
            .collect();
        for log in ledger.live() {
            let end = ledger.log(log).end;
            if !failed.contains(&log) {
                ledger.log(log).acknowledged(end);
            }
        }
        let mut next = Running::start(&self.vfs, self.setup)?;
        assert!(next.description.clean, "a clean stop was not seen as one");
        let context = format!("a clean stop\n{:#?}", self.vfs.trace());
        next.open_and_compare(ledger, &context)?;
        *self = next;
        Ok(())
    }
}

/// Opens the store on `vfs`, opens every log that may be there, and compares everything with the
/// ledger. The ledger then holds what was found. Errors are the store's.
pub fn check<'a>(
    vfs: &SimVfs,
    setup: &'a Setup,
    ledger: &mut Ledger,
    context: &str,
) -> Result<Running<'a>, Stopped> {
    let mut running = Running::start(vfs, setup)?;
    for log in setup.all_logs() {
        let listed = running.description.logs.iter().any(|stored| {
            let spec = setup.spec(log);
            stored.topic == spec.topic && stored.partition == spec.partition
        });
        if ledger.log(log).removal == Removal::Yes {
            assert!(!listed, "{context}: removed log {log} is back");
        }
        if ledger.log(log).removal == Removal::Maybe && !listed {
            ledger.log(log).removal = Removal::Yes;
        }
    }
    running.open_and_compare(ledger, context)?;
    for (log, name) in ledger.file_names() {
        if log.is_some_and(|log| ledger.log(log).removal != Removal::No) {
            continue;
        }
        let found = match running.command(Command::GetFile {
            log,
            name: name.clone(),
        })? {
            Reply::File(found) => found,
            other => panic!("GetFile answered {other:?}"),
        };
        ledger
            .file(log, &name)
            .compare(found, &format!("{context}: file {name} of {log:?}"));
    }
    Ok(running)
}
