//! From a stream of bytes to frames that lie whole in the arena.
//!
//! Frames are packed back to back into runs that hold about eight of them. A frame that does not
//! fit the rest of its run is moved to the next one, so a run is sized, and receiving stops, at
//! multiples of the last frame. No memory is held between frames but a run whose frames are still
//! in use; before the first frame the size prefix is read alone.

use crate::arena::{Arena, Run, UNIT_BYTES};
use crate::rows::CloseReason;

/// Bytes of the size that precedes every frame.
pub(crate) const PREFIX_BYTES: u32 = 4;
/// Runs for several frames are no longer than this.
const RUN_BYTES_MAX: u32 = 1 << 20;
const FRAMES_PER_RUN: u32 = 8;
/// With less room than this a run is not begun a further frame in.
const ROOM_MIN: u32 = 64;
/// An api key, a version and a correlation id.
const REQUEST_BYTES_MIN: u32 = 8;
/// A correlation id.
const RESPONSE_BYTES_MIN: u32 = 4;

/// What a connection may send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) frame_bytes_max: u32,
    pub(crate) outbound: bool,
    /// Longest run that is taken ahead of need.
    pub(crate) run_bytes_max: u32,
}

impl Rules {
    /// Bytes of the frame with its prefix, if such a frame is allowed.
    fn check(&self, prefix: [u8; 4]) -> Result<u32, CloseReason> {
        let least = if self.outbound {
            RESPONSE_BYTES_MIN
        } else {
            REQUEST_BYTES_MIN
        };
        match u32::try_from(i32::from_be_bytes(prefix)) {
            Err(_) => Err(CloseReason::FrameInvalid),
            Ok(length) if length > self.frame_bytes_max => Err(CloseReason::FrameTooLarge),
            Ok(length) if length < least => Err(CloseReason::FrameInvalid),
            Ok(length) => Ok(length + PREFIX_BYTES),
        }
    }
}

/// A frame that is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Where it begins in the arena, behind its prefix.
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// Where the next bytes go.
pub(crate) enum Room {
    /// So many bytes from this offset of the arena.
    Arena { offset: u32, length: u32 },
    /// Into the prefix, see [`Reader::prefix_room`].
    Prefix,
    /// Nowhere before a run of so many bytes was granted.
    Wanted(u32),
}

struct Filling {
    run: Run,
    /// Where the frame in progress begins, from the start of the run.
    start: u32,
    filled: u32,
    /// Takes this one frame and nothing behind it. Such a run may lie in the arena's reserve,
    /// where nothing may stay that waits for more memory.
    single: bool,
}

/// The receiving half of a connection. Whoever drops it calls [`Reader::abandon`] first.
#[derive(Default)]
pub(crate) struct Reader {
    filling: Option<Filling>,
    /// A prefix that is read before there is a run.
    prefix: [u8; 4],
    prefix_filled: u32,
    /// Bytes of the frame in progress with its prefix, 0 while unknown.
    total: u32,
    /// The same of the frame before, 0 before the first one.
    last: u32,
    /// Bytes of a run that must be granted before anything else is received.
    wanted: u32,
}

impl Reader {
    /// Bytes the peer has promised to go on with: those of a begun frame, 0 between frames.
    pub(crate) fn partial(&self) -> u32 {
        let begun = self
            .filling
            .as_ref()
            .is_some_and(|filling| filling.filled > filling.start);
        if begun || self.prefix_filled > 0 {
            self.total.max(PREFIX_BYTES)
        } else {
            0
        }
    }

    /// Whether it holds a run between frames.
    pub(crate) fn is_idle_with_run(&self) -> bool {
        self.filling.is_some() && self.partial() == 0
    }

    /// Finds room for the next bytes.
    pub(crate) fn room(&mut self, arena: &Arena, owner: u64, rules: &Rules) -> Room {
        if self.wanted > 0 {
            return Room::Wanted(self.wanted);
        }
        self.leave_used_up(arena);
        if self.filling.is_none() {
            if self.last == 0 || self.prefix_filled > 0 {
                return Room::Prefix;
            }
            match take_ahead(arena, owner, self.last, rules) {
                Some(run) => self.begin(arena, run, false),
                None => return Room::Prefix,
            }
        }
        match &self.filling {
            Some(filling) => Room::Arena {
                offset: filling.run.offset + filling.filled,
                length: filling.room(self.total, self.last),
            },
            None => Room::Prefix,
        }
    }

    /// Where the missing bytes of the prefix go.
    pub(crate) fn prefix_room(&mut self) -> &mut [u8] {
        &mut self.prefix[self.prefix_filled as usize..]
    }

    /// `count` bytes came into [`Reader::prefix_room`].
    pub(crate) fn prefix_received(
        &mut self,
        count: u32,
        arena: &Arena,
        owner: u64,
        rules: &Rules,
    ) -> Result<(), CloseReason> {
        self.prefix_filled += count;
        if self.prefix_filled < PREFIX_BYTES {
            return Ok(());
        }
        self.total = rules.check(self.prefix)?;
        // Nothing is known of what follows a first frame: it gets its own size.
        let run = if self.last == 0 {
            arena.take_run(self.total as usize, owner)
        } else {
            take_ahead(arena, owner, self.total, rules)
        };
        match run {
            Some(run) => self.begin(arena, run, false),
            None => self.wanted = self.total,
        }
        Ok(())
    }

    /// `count` bytes came into the arena. Hands every frame that is complete to `emit`.
    pub(crate) fn received(
        &mut self,
        count: u32,
        arena: &Arena,
        owner: u64,
        rules: &Rules,
        mut emit: impl FnMut(Frame),
    ) -> Result<(), CloseReason> {
        let Some(filling) = &mut self.filling else {
            return Ok(());
        };
        filling.filled += count;
        loop {
            let there = filling.filled - filling.start;
            if self.total == 0 {
                if there < PREFIX_BYTES {
                    break;
                }
                self.total = rules.check(read_prefix(arena, filling.at()))?;
            }
            if there < self.total {
                break;
            }
            // The receiver charges the frame to its account before the run does: a release of an
            // earlier frame may credit the run's whole charge at any time.
            emit(Frame {
                offset: filling.at() + PREFIX_BYTES,
                length: self.total - PREFIX_BYTES,
            });
            arena.add_frame(&filling.run, self.total);
            filling.start += self.total;
            self.last = self.total;
            self.total = 0;
        }
        self.make_room(arena, owner, rules);
        Ok(())
    }

    /// The run that [`Room::Wanted`] asked for is there.
    pub(crate) fn granted(&mut self, arena: &Arena, run: Run) {
        self.wanted = 0;
        self.begin(arena, run, true);
    }

    /// Gives a run back that is held between frames.
    pub(crate) fn rest(&mut self, arena: &Arena) {
        if self.is_idle_with_run() {
            self.abandon(arena);
        }
    }

    /// Gives back what a drained socket does not need: a run without frames in use, but for the
    /// begin of a prefix at most.
    pub(crate) fn drained(&mut self, arena: &Arena) {
        if self
            .filling
            .as_ref()
            .is_some_and(|filling| arena.is_unreferenced(&filling.run))
        {
            self.set_prefix_aside(arena);
            self.rest(arena);
        }
    }

    /// Keeps less than a prefix outside of the run, and gives the run back.
    fn set_prefix_aside(&mut self, arena: &Arena) {
        if let Some(filling) = &self.filling
            && self.total == 0
            && filling.filled > filling.start
        {
            let there = (filling.filled - filling.start) as usize;
            read_bytes(arena, filling.at(), &mut self.prefix[..there]);
            self.prefix_filled = there as u32;
            self.abandon(arena);
        }
    }

    /// Gives the run back, whatever is in it.
    pub(crate) fn abandon(&mut self, arena: &Arena) {
        if let Some(filling) = self.filling.take() {
            arena.leave_run(filling.run);
        }
    }

    /// Sees to it that the frame in progress fits its run.
    fn make_room(&mut self, arena: &Arena, owner: u64, rules: &Rules) {
        let Some(filling) = &self.filling else {
            return;
        };
        let there = filling.filled - filling.start;
        if there == 0 {
            return;
        }
        if self.total == 0 {
            if filling.filled == filling.run.bytes {
                self.set_prefix_aside(arena);
            }
        } else if filling.start + self.total > filling.run.bytes {
            match take_ahead(arena, owner, self.total, rules) {
                Some(run) => self.begin(arena, run, false),
                None => self.wanted = self.total,
            }
        }
    }

    /// Goes on in `run`, to which the bytes of the frame in progress are moved.
    fn begin(&mut self, arena: &Arena, run: Run, single: bool) {
        let mut filled = 0;
        if self.prefix_filled > 0 {
            filled = self.prefix_filled;
            // SAFETY: a fresh run that only this reader knows, at least a prefix long.
            unsafe {
                let to = arena.base_ptr().add(run.offset as usize);
                std::ptr::copy_nonoverlapping(self.prefix.as_ptr(), to, filled as usize);
            }
            self.prefix_filled = 0;
        } else if let Some(old) = &self.filling {
            filled = old.filled - old.start;
            // SAFETY: both ranges lie in runs that this reader holds; the runs are distinct.
            unsafe {
                let from = arena.base_ptr().add(old.at() as usize);
                let to = arena.base_ptr().add(run.offset as usize);
                std::ptr::copy_nonoverlapping(from, to, filled as usize);
            }
        }
        self.abandon(arena);
        self.filling = Some(Filling {
            run,
            start: 0,
            filled,
            single,
        });
    }

    /// Between frames: leaves a run that has no room for another one, or starts it anew when
    /// nobody needs its frames any more.
    fn leave_used_up(&mut self, arena: &Arena) {
        let Some(filling) = &mut self.filling else {
            return;
        };
        if filling.filled > filling.start {
            return;
        }
        if filling.single {
            self.abandon(arena);
        } else if arena.is_unreferenced(&filling.run) {
            filling.start = 0;
            filling.filled = 0;
        } else if filling.run.bytes - filling.filled < self.last.max(ROOM_MIN) {
            self.abandon(arena);
        }
    }
}

impl Filling {
    /// Arena offset of the frame in progress.
    fn at(&self) -> u32 {
        self.run.offset + self.start
    }

    /// Bytes to receive: the rest of the frame in progress and then whole frames of that size.
    fn room(&self, total: u32, last: u32) -> u32 {
        let space = self.run.bytes - self.filled;
        let rest = if total > 0 {
            self.start + total - self.filled
        } else {
            0
        };
        if self.single {
            return rest;
        }
        let frame = total.max(last).max(1);
        let behind = space - rest;
        let whole = behind - behind % frame;
        if rest + whole > 0 {
            rest + whole
        } else {
            space
        }
    }
}

/// A run for several frames of `frame` bytes, or at least for one.
fn take_ahead(arena: &Arena, owner: u64, frame: u32, rules: &Rules) -> Option<Run> {
    if !arena.is_crowded() {
        let longest = RUN_BYTES_MAX
            .min(rules.run_bytes_max)
            .max(UNIT_BYTES as u32);
        let frames = (longest / frame).clamp(1, FRAMES_PER_RUN);
        let run = arena.take_run(frame as usize * frames as usize, owner);
        if run.is_some() {
            return run;
        }
    }
    arena.take_run(frame as usize, owner)
}

fn read_prefix(arena: &Arena, offset: u32) -> [u8; 4] {
    let mut prefix = [0; 4];
    read_bytes(arena, offset, &mut prefix);
    prefix
}

/// Copies bytes out of a run that the caller holds.
pub(crate) fn read_bytes(arena: &Arena, offset: u32, to: &mut [u8]) {
    assert!(
        offset as usize + to.len() <= arena.len(),
        "arena: read outside"
    );
    // SAFETY: inside of the mapping; the caller holds the run, so nobody writes there but the
    // kernel on behalf of the same thread.
    unsafe {
        let from = arena.base_ptr().add(offset as usize);
        std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len());
    }
}
