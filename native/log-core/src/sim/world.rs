//! The simulated machine's file system behind its one lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Component, Path};

use super::disk_file::{DiskFile, Keep};
use super::fault::{Call, Fault, Faults};
use super::rng::Rng;

pub(super) type NodeId = usize;
const ROOT: NodeId = 0;
const TRACE_LINES: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) current: BTreeMap<String, NodeId>,
    durable: BTreeMap<String, NodeId>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Folder(Folder),
    File(DiskFile),
}

/// Entries that one call sets (or clears) together.
#[derive(Clone, Debug)]
struct FolderChange {
    edits: Vec<(NodeId, String, Option<NodeId>)>,
}

/// Which un-flushed changes of folders outlive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeepNames {
    Nothing,
    Everything,
    /// As a file system with one journal: the first changes in order.
    Prefix,
    /// The first changes of each folder.
    PrefixPerFolder,
}

/// What a call may do, decided when it begins.
pub(super) struct Turn {
    /// The call's number among all.
    pub(super) number: u64,
    /// Most bytes of a read or write.
    pub(super) bytes_max: usize,
    /// The machine stops in this call: its effect is pending, its answer never comes.
    pub(super) last: bool,
    /// The errno it fails with.
    pub(super) errno: Option<i32>,
}

impl Turn {
    pub(super) fn check(&self) -> io::Result<()> {
        self.errno
            .map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }
}

pub(super) fn errno(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

pub(super) fn stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    /// Who holds the lock of a file: handle numbers by node.
    pub(super) locks: BTreeMap<NodeId, u64>,
    pub(super) opens: BTreeMap<NodeId, u64>,
    pub(super) handles: u64,
    pub(super) faults: Faults,
    pub(super) rng: Rng,
    pub(super) boot: u64,
    pub(super) capacity: Option<u64>,
    pub(super) resident: bool,
    pub(super) calls: u64,
    pub(super) mutating_calls: u64,
    /// Number of the mutating call in which the machine stops.
    pub(super) stop_at: Option<u64>,
    pub(super) has_stopped: bool,
    changes: Vec<FolderChange>,
    pub(super) trace: VecDeque<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        World {
            nodes: vec![Node::Folder(Folder::default())],
            locks: BTreeMap::new(),
            opens: BTreeMap::new(),
            handles: 0,
            faults: Faults::default(),
            rng: Rng::new(seed),
            boot: 1,
            capacity: None,
            resident: true,
            calls: 0,
            mutating_calls: 0,
            stop_at: None,
            has_stopped: false,
            changes: Vec::new(),
            trace: VecDeque::new(),
        }
    }

    /// Begins a call: counts it, and decides whether it fails or is the last one.
    pub(super) fn turn(&mut self, call: Call, path: &Path) -> io::Result<Turn> {
        if self.has_stopped {
            return Err(stopped());
        }
        self.calls += 1;
        let mut last = false;
        if call.is_mutating() {
            last = self.stop_at == Some(self.mutating_calls);
            if self.trace.len() == TRACE_LINES {
                self.trace.pop_front();
            }
            let line = format!("{} {call:?} {}", self.mutating_calls, path.display());
            self.trace.push_back(line);
            self.mutating_calls += 1;
        }
        let fault = self.faults.meet(call, path);
        if fault.is_some() {
            self.trace
                .push_back(format!("      {call:?} {} meets {fault:?}", path.display()));
        }
        let (bytes_max, errno) = match fault {
            None => (usize::MAX, None),
            Some(Fault::Errno(errno)) => (usize::MAX, Some(errno)),
            Some(Fault::Short(bytes)) => (bytes.max(1), None),
        };
        Ok(Turn {
            number: self.calls,
            bytes_max,
            last,
            errno,
        })
    }

    /// Ends a mutating call whose effect is pending.
    pub(super) fn end(&mut self, turn: &Turn) -> io::Result<()> {
        if turn.last {
            self.has_stopped = true;
            return Err(stopped());
        }
        Ok(())
    }

    pub(super) fn folder(&self, node: NodeId) -> io::Result<&Folder> {
        match &self.nodes[node] {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(errno(libc::ENOTDIR)),
        }
    }

    pub(super) fn file(&self, node: NodeId) -> io::Result<&DiskFile> {
        match &self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Folder(_) => Err(errno(libc::EISDIR)),
        }
    }

    pub(super) fn file_mut(&mut self, node: NodeId) -> io::Result<&mut DiskFile> {
        match &mut self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Folder(_) => Err(errno(libc::EISDIR)),
        }
    }

    /// The node at `path`.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<NodeId>> {
        let mut node = ROOT;
        for component in path.components() {
            match component {
                Component::Normal(name) => {
                    let name = name.to_str().ok_or_else(|| errno(libc::EILSEQ))?;
                    match self.folder(node)?.current.get(name) {
                        Some(child) => node = *child,
                        None => return Ok(None),
                    }
                }
                Component::ParentDir => return Err(errno(libc::EINVAL)),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Ok(Some(node))
    }

    /// The folder that holds `path`, and the name in it.
    pub(super) fn place(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let parent = path.parent().ok_or_else(|| errno(libc::EINVAL))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| errno(libc::EINVAL))?;
        let folder = self.find(parent)?.ok_or_else(|| errno(libc::ENOENT))?;
        self.folder(folder)?;
        Ok((folder, name.to_owned()))
    }

    /// Changes entries now, and on the disk some time later.
    pub(super) fn edit(&mut self, edits: Vec<(NodeId, String, Option<NodeId>)>) {
        for (folder, name, node) in &edits {
            if let Node::Folder(folder) = &mut self.nodes[*folder] {
                set(&mut folder.current, name, *node);
            }
        }
        self.changes.push(FolderChange { edits });
    }

    pub(super) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Whether the rename of a folder's entry would put the folder into itself.
    pub(super) fn contains(&self, outer: NodeId, inner: NodeId) -> bool {
        outer == inner
            || match &self.nodes[outer] {
                Node::Folder(folder) => folder
                    .current
                    .values()
                    .any(|child| self.contains(*child, inner)),
                Node::File(_) => false,
            }
    }

    /// Makes the entries of a folder durable.
    pub(super) fn sync_folder(&mut self, folder: NodeId) {
        // A rename between folders carries the earlier changes of both with it.
        let mut folders = BTreeSet::from([folder]);
        loop {
            let before = folders.len();
            for change in &self.changes {
                if change
                    .edits
                    .iter()
                    .any(|(folder, ..)| folders.contains(folder))
                {
                    folders.extend(change.edits.iter().map(|(folder, ..)| *folder));
                }
            }
            if folders.len() == before {
                break;
            }
        }
        let changes = std::mem::take(&mut self.changes);
        for change in changes {
            if change
                .edits
                .iter()
                .any(|(folder, ..)| folders.contains(folder))
            {
                self.apply(&change);
            } else {
                self.changes.push(change);
            }
        }
    }

    pub(super) fn sync_everything(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            self.apply(&change);
        }
        for node in &mut self.nodes {
            if let Node::File(file) = node {
                file.sync();
            }
        }
    }

    /// Pages of other files that had left the page cache reach the disk with any device flush.
    pub(super) fn flush_device(&mut self) {
        for node in &mut self.nodes {
            if let Node::File(file) = node {
                file.device_flushed();
            }
        }
    }

    fn apply(&mut self, change: &FolderChange) {
        for (folder, name, node) in &change.edits {
            if let Node::Folder(folder) = &mut self.nodes[*folder] {
                set(&mut folder.durable, name, *node);
            }
        }
    }

    /// Nodes that a path leads to.
    pub(super) fn reachable(&self) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut rest = vec![ROOT];
        while let Some(node) = rest.pop() {
            if found.insert(node)
                && let Node::Folder(folder) = &self.nodes[node]
            {
                rest.extend(folder.current.values());
            }
        }
        found
    }

    /// Bytes taken on the volume: files that can be reached, and unlinked ones that are open.
    pub(super) fn used_bytes(&self) -> u64 {
        let reachable = self.reachable();
        let taken = |(id, node): (NodeId, &Node)| match node {
            Node::File(file) if reachable.contains(&id) || self.opens.contains_key(&id) => {
                file.allocated_bytes()
            }
            _ => 0,
        };
        self.nodes.iter().enumerate().map(taken).sum()
    }

    /// Bytes that may still be taken.
    pub(super) fn free_bytes(&self) -> u64 {
        match self.capacity {
            Some(capacity) => capacity.saturating_sub(self.used_bytes()),
            None => 1 << 40,
        }
    }

    /// The machine after its processes died: everything written is still there.
    pub(super) fn after_kill(&self) -> World {
        World {
            nodes: self.nodes.clone(),
            changes: self.changes.clone(),
            rng: self.rng.clone(),
            boot: self.boot,
            capacity: self.capacity,
            resident: self.resident,
            calls: self.calls,
            ..World::new(0)
        }
    }

    /// The machine after a power failure.
    pub(super) fn after_power_loss(
        &self,
        files: impl Fn(&mut Rng) -> Keep,
        names: KeepNames,
        seed: u64,
    ) -> World {
        let mut rng = Rng::new(seed);
        let mut world = self.after_kill();
        world.boot = self.boot + 1;
        world.rng = Rng::new(seed);
        let changes = std::mem::take(&mut world.changes);
        let cut = rng.below(changes.len() + 1);
        let mut blocked = BTreeSet::new();
        for (index, change) in changes.iter().enumerate() {
            let keeps = match names {
                KeepNames::Nothing => false,
                KeepNames::Everything => true,
                KeepNames::Prefix => index < cut,
                KeepNames::PrefixPerFolder => {
                    let is_blocked = change
                        .edits
                        .iter()
                        .any(|(folder, ..)| blocked.contains(folder));
                    let keeps = !is_blocked && rng.chance(3, 4);
                    if !keeps {
                        blocked.extend(change.edits.iter().map(|(folder, ..)| *folder));
                    }
                    keeps
                }
            };
            if keeps {
                world.apply(change);
            }
        }
        for node in &mut world.nodes {
            match node {
                Node::Folder(folder) => folder.current = folder.durable.clone(),
                Node::File(file) => *file = file.survivor(files(&mut rng), &mut rng),
            }
        }
        world
    }
}

fn set(entries: &mut BTreeMap<String, NodeId>, name: &str, node: Option<NodeId>) {
    match node {
        Some(node) => entries.insert(name.to_owned(), node),
        None => entries.remove(name),
    };
}
