//! A simulated file system: a machine whose disk forgets what was not flushed, fails at a chosen
//! call, runs full, or stops in the middle of anything.
//!
//! It keeps apart what processes see and what the disk is known to hold. A successful `fsync` of a
//! file, or `fsync_dir` of a folder, moves the former into the latter; everything else *may* have
//! arrived. After [`SimVfs::crash_at`] has stopped the machine, [`SimVfs::survivors`] gives
//! machines that such a stop can leave behind: any subset of unflushed sectors and pages, torn
//! writes, lost or kept creations and renames. The same seed gives the same survivors.
//!
//! It is stricter than any one file system: creations are not durable with the file's own fsync,
//! sizes and data are independent, and a flush covers another file's written-back pages only
//! where no metadata is missing (see `disk_file.rs`).

mod disk_file;
mod fault;
mod rng;
mod vfs_impl;
mod world;
mod write_back_errors;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use fault::{Call, Fault, FaultRule, When};
pub use rng::Rng;

use disk_file::Keep;
use world::{KeepNames, Node, World};

/// How the simulated volume presents itself.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// For what a failed flush loses.
    pub seed: u64,
    /// Bytes on the volume; None: no limit.
    pub capacity: Option<u64>,
    /// See [`VolumeInfo`](crate::vfs::VolumeInfo).
    pub file_system: String,
    pub single_device: bool,
    pub files_open_limit: u64,
}

impl Default for SimOptions {
    fn default() -> SimOptions {
        SimOptions {
            seed: 0,
            capacity: None,
            file_system: "ext4".to_owned(),
            single_device: true,
            files_open_limit: 1024,
        }
    }
}

struct Shared {
    options: SimOptions,
    world: Mutex<World>,
}

/// A simulated machine's file system. Clones are the same machine.
#[derive(Clone)]
pub struct SimVfs {
    shared: Arc<Shared>,
}

impl Default for SimVfs {
    fn default() -> SimVfs {
        SimVfs::new(SimOptions::default())
    }
}

impl SimVfs {
    /// An empty machine: there is `/`, and nothing in it.
    pub fn new(options: SimOptions) -> SimVfs {
        let mut world = World::new(options.seed);
        world.capacity = options.capacity;
        SimVfs::of(options, world)
    }

    fn of(options: SimOptions, world: World) -> SimVfs {
        SimVfs {
            shared: Arc::new(Shared {
                options,
                world: Mutex::new(world),
            }),
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault; its calls are counted from now.
    pub fn inject(&self, rule: FaultRule) {
        self.world().faults.add(rule);
    }

    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// Faults that have happened so far.
    pub fn faults_met(&self) -> u64 {
        self.world().faults.met
    }

    /// Stops the machine in the `nth` mutating call from now (from 0): what that call does may
    /// survive in part, and it and every later call fail.
    pub fn crash_at(&self, nth: u64) {
        let mut world = self.world();
        world.stop_at = Some(world.mutating_calls + nth);
    }

    /// Stops the machine now.
    pub fn crash_now(&self) {
        self.world().has_stopped = true;
    }

    pub fn has_crashed(&self) -> bool {
        self.world().has_stopped
    }

    /// Mutating calls so far.
    pub fn mutating_calls(&self) -> u64 {
        self.world().mutating_calls
    }

    /// The last mutating calls and the faults that were met, one a line, oldest first.
    pub fn trace(&self) -> Vec<String> {
        self.world().trace.iter().cloned().collect()
    }

    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// Bytes that files take on the volume.
    pub fn used_bytes(&self) -> u64 {
        self.world().used_bytes()
    }

    /// Whether files count as being in memory (they do at first).
    pub fn set_resident(&self, resident: bool) {
        self.world().resident = resident;
    }

    /// Machines that a power failure can leave: first the four corners (nothing or everything of
    /// the files, nothing or everything of the folders), then mixtures that follow from `seed`.
    /// Each has a new boot id, no faults, no locks, and takes nothing from this machine.
    pub fn survivors(&self, seed: u64, count: usize) -> Vec<SimVfs> {
        let world = self.world();
        let corners = [
            (Keep::Nothing, KeepNames::Nothing),
            (Keep::Everything, KeepNames::Everything),
            (Keep::Nothing, KeepNames::Everything),
            (Keep::Everything, KeepNames::Nothing),
        ];
        let survivor = |index: usize| {
            let seed = seed.wrapping_add((index as u64).wrapping_mul(0xD134_2543_DE82_EF95));
            if let Some((files, names)) = corners.get(index) {
                return world.after_power_loss(|_| *files, *names, seed);
            }
            let names = match index % 3 {
                0 => KeepNames::Prefix,
                1 => KeepNames::PrefixPerFolder,
                _ => KeepNames::Everything,
            };
            world.after_power_loss(mixture, names, seed)
        };
        let options = &self.shared.options;
        (0..count)
            .map(|index| SimVfs::of(options.clone(), survivor(index)))
            .collect()
    }

    /// The same machine after its processes were killed: what they wrote is still there, flushed
    /// or not, and the boot id is the same.
    pub fn after_kill(&self) -> SimVfs {
        SimVfs::of(self.shared.options.clone(), self.world().after_kill())
    }

    /// What processes read at `path`.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        let node = world.find(path).ok().flatten()?;
        world.file(node).ok().map(|file| file.bytes().to_vec())
    }

    /// What the file that is now at `path` is sure to hold after a crash.
    pub fn durable_contents(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        let node = world.find(path).ok().flatten()?;
        world
            .file(node)
            .ok()
            .map(|file| file.durable_bytes().to_vec())
    }

    /// Flips the bits of `mask` in one byte of a file, in memory and on the disk, behind
    /// everyone's back; false where the file has no such byte.
    pub fn corrupt(&self, path: &Path, offset: usize, mask: u8) -> bool {
        let mut world = self.world();
        let Ok(Some(node)) = world.find(path) else {
            return false;
        };
        let Ok(file) = world.file_mut(node) else {
            return false;
        };
        file.corrupt(offset, mask)
    }

    /// Every file that a path leads to, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let world = self.world();
        let mut found = Vec::new();
        let mut rest = vec![(PathBuf::from("/"), 0)];
        while let Some((path, node)) = rest.pop() {
            match &world.nodes[node] {
                Node::File(_) => found.push(path),
                Node::Folder(folder) => {
                    rest.extend(
                        folder
                            .current
                            .iter()
                            .map(|(name, node)| (path.join(name), *node)),
                    );
                }
            }
        }
        found.sort();
        found
    }
}

fn mixture(rng: &mut Rng) -> Keep {
    match rng.below(9) {
        0 => Keep::Nothing,
        1 => Keep::Everything,
        2 | 3 => Keep::Prefix,
        4 => Keep::TornLast,
        5 => Keep::OnlyLast,
        6 => Keep::Pages,
        _ => Keep::Sectors,
    }
}
