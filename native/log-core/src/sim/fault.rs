//! What goes wrong, and when.

use std::path::Path;

/// Kinds of calls on the simulated file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Open,
    /// An open that makes a file.
    Create,
    Rename,
    Unlink,
    Mkdir,
    Rmdir,
    ReadDir,
    FsyncDir,
    Metadata,
    Volume,
    Read,
    Write,
    Fsync,
    Fdatasync,
    SyncRange,
    Syncfs,
    Truncate,
    Allocate,
    WriteZeros,
    Len,
    Map,
    Lock,
}

impl Call {
    /// Whether the call can change what a crash leaves behind.
    pub fn is_mutating(self) -> bool {
        match self {
            Call::Create
            | Call::Rename
            | Call::Unlink
            | Call::Mkdir
            | Call::Rmdir
            | Call::FsyncDir
            | Call::Write
            | Call::Fsync
            | Call::Fdatasync
            | Call::SyncRange
            | Call::Syncfs
            | Call::Truncate
            | Call::Allocate
            | Call::WriteZeros => true,
            Call::Open
            | Call::ReadDir
            | Call::Metadata
            | Call::Volume
            | Call::Read
            | Call::Len
            | Call::Map
            | Call::Lock => false,
        }
    }
}

/// Which calls a fault may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Any,
    Mutating,
    Only(Call),
}

impl When {
    fn matches(self, call: Call) -> bool {
        match self {
            When::Any => true,
            When::Mutating => call.is_mutating(),
            When::Only(wanted) => wanted == call,
        }
    }
}

/// What happens instead of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with this errno and changes nothing, except that a failed flush leaves its
    /// pages clean and (some of them) lost, as on Linux.
    Errno(i32),
    /// A write or read ends after so many bytes (at least one); other calls are not affected.
    Short(usize),
}

/// A fault that is waiting for its call.
#[derive(Clone, Debug)]
pub struct FaultRule {
    pub when: When,
    /// Calls that match are counted from 0; the fault meets the one with this number.
    pub nth: u64,
    pub fault: Fault,
    /// Only calls on paths that end like this; empty: all.
    pub path_ends: String,
    /// Goes on from there instead of happening once.
    pub forever: bool,
}

impl FaultRule {
    /// Meets the `nth` call (from 0) that matches `when`, once.
    pub fn once(when: When, nth: u64, fault: Fault) -> FaultRule {
        FaultRule {
            when,
            nth,
            fault,
            path_ends: String::new(),
            forever: false,
        }
    }

    /// Meets the `nth` call (from 0) that matches `when`, and every later one.
    pub fn from(when: When, nth: u64, fault: Fault) -> FaultRule {
        FaultRule {
            forever: true,
            ..FaultRule::once(when, nth, fault)
        }
    }

    /// Narrows the rule to paths that end with `path_ends`.
    pub fn on(self, path_ends: &str) -> FaultRule {
        FaultRule {
            path_ends: path_ends.to_owned(),
            ..self
        }
    }
}

/// Rules and how often each has matched.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<(FaultRule, u64)>,
    /// Faults that have happened.
    pub(super) met: u64,
}

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) {
        self.rules.push((rule, 0));
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault of this call, if any.
    pub(super) fn meet(&mut self, call: Call, path: &Path) -> Option<Fault> {
        let mut met = None;
        for (rule, matched) in &mut self.rules {
            if !rule.when.matches(call) {
                continue;
            }
            if !path
                .as_os_str()
                .to_string_lossy()
                .ends_with(&rule.path_ends)
            {
                continue;
            }
            let number = *matched;
            *matched += 1;
            if number == rule.nth || (rule.forever && number > rule.nth) {
                met = met.or(Some(rule.fault));
            }
        }
        self.met += u64::from(met.is_some());
        met
    }
}
