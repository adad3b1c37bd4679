//! The arena as others than the reactor see it.

use std::sync::Arc;

use mantou_net_core::Arena;
use mantou_net_core::arena::{STEP_BYTES, UNIT_BYTES};

#[test]
fn runs_are_found_by_any_of_their_bytes() {
    let arena = Arena::map(4 * STEP_BYTES).unwrap();
    let first = arena.allocate(3 * UNIT_BYTES).unwrap();
    let second = arena.allocate(1).unwrap();
    assert_eq!(arena.used(), 4 * UNIT_BYTES);
    arena.retain(first + 2 * UNIT_BYTES as u32 + 5);
    arena.release(first + UNIT_BYTES as u32);
    assert_eq!(arena.used(), 4 * UNIT_BYTES);
    arena.release(first);
    assert_eq!(arena.used(), UNIT_BYTES);
    arena.release(second + 100);
    assert_eq!(arena.used(), 0);
}

#[test]
fn an_arena_is_sized_in_steps() {
    assert!(Arena::map(0).is_err());
    assert!(Arena::map(STEP_BYTES + 1).is_err());
    assert!(Arena::map(STEP_BYTES + 4096).is_err());
    assert!(Arena::map(4 << 30).is_err());
    assert_eq!(Arena::map(STEP_BYTES).unwrap().len(), STEP_BYTES);
}

#[test]
fn a_full_arena_gives_nothing_and_recovers() {
    let arena = Arena::map(STEP_BYTES).unwrap();
    let mut runs = Vec::new();
    while let Some(run) = arena.allocate(40_000) {
        runs.push(run);
    }
    // The reserve is for frames alone.
    assert!(arena.used() <= STEP_BYTES / 2);
    assert!(arena.allocate(40_000).is_none());
    assert!(arena.allocate(usize::MAX / 2).is_none());
    let last = runs.pop().unwrap();
    arena.release(last);
    assert_eq!(arena.allocate(40_000), Some(last));
    runs.push(last);
    runs.into_iter().for_each(|run| arena.release(run));
    assert_eq!(arena.used(), 0);
}

#[test]
#[should_panic(expected = "no run holds offset")]
fn a_second_release_is_a_mistake() {
    let arena = Arena::map(STEP_BYTES).unwrap();
    let run = arena.allocate(10).unwrap();
    arena.release(run);
    arena.release(run);
}

#[test]
#[should_panic(expected = "no run holds offset")]
fn an_offset_behind_a_run_is_a_mistake() {
    let arena = Arena::map(STEP_BYTES).unwrap();
    let run = arena.allocate(UNIT_BYTES).unwrap();
    arena.release(run + UNIT_BYTES as u32);
}

#[test]
#[should_panic(expected = "is outside")]
fn an_offset_outside_is_a_mistake() {
    let arena = Arena::map(STEP_BYTES).unwrap();
    arena.retain(STEP_BYTES as u32);
}

#[test]
fn trimming_gives_pages_back_and_keeps_what_is_in_use() {
    let arena = Arena::map(64 * STEP_BYTES).unwrap();
    let size = 20 << 20;
    let run = arena.allocate(size).unwrap();
    let kept = arena.allocate(UNIT_BYTES).unwrap();
    for offset in (0..size).step_by(4096).chain([kept as usize]) {
        // SAFETY: inside of the runs that were just allocated.
        unsafe { arena.base_ptr().add(offset).write(7) };
    }
    arena.release(run);
    let byte = |offset: usize| {
        // SAFETY: inside of the mapping; nobody writes.
        unsafe { arena.base_ptr().add(offset).read() }
    };
    // What was used since the last time stays; the lowest 16 MiB stay anyway.
    assert_eq!(arena.trim(), 0);
    assert_eq!(byte(size - 4096), 7);
    assert!(arena.trim() >= 4 << 20);
    assert_eq!(byte(size - 4096), 0);
    assert_eq!(byte(4096), 7);
    assert_eq!(byte(kept as usize), 7);
    assert_eq!(arena.trim(), 0);
    arena.release(kept);
    assert!(arena.trim() >= UNIT_BYTES);
    assert_eq!(arena.used(), 0);
}

/// Threads allocate, mark, share and release; a run given to two of them shows foreign marks.
#[test]
fn runs_belong_to_one_holder_at_a_time() {
    let arena = Arena::map(STEP_BYTES).unwrap();
    let threads: Vec<_> = (1..4u32)
        .map(|id| {
            let arena = Arc::clone(&arena);
            std::thread::spawn(move || {
                let mut held: Vec<(u32, usize, u8)> = Vec::new();
                for step in 0..30_000u32 {
                    let random = step.wrapping_mul(2_654_435_761).wrapping_add(id * 77) >> 8;
                    if random % 3 > 0 && held.len() < 6 {
                        let length = random as usize % 60_000 + 1;
                        if let Some(run) = arena.allocate(length) {
                            let mark = (random % 251) as u8;
                            mark_ends(&arena, run, length, mark);
                            held.push((run, length, mark));
                        }
                    } else if !held.is_empty() {
                        let (run, length, mark) = held.swap_remove(random as usize % held.len());
                        check_ends(&arena, run, length, mark);
                        arena.retain(run);
                        arena.release(run + length as u32 - 1);
                        check_ends(&arena, run, length, mark);
                        arena.release(run);
                    }
                }
                held.into_iter().for_each(|(run, ..)| arena.release(run));
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(arena.used(), 0);
}

fn mark_ends(arena: &Arena, run: u32, length: usize, mark: u8) {
    // SAFETY: both bytes lie in a run that the caller holds.
    unsafe {
        arena.base_ptr().add(run as usize).write(mark);
        arena.base_ptr().add(run as usize + length - 1).write(mark);
    }
}

fn check_ends(arena: &Arena, run: u32, length: usize, mark: u8) {
    // SAFETY: as above.
    let ends = unsafe {
        let base = arena.base_ptr().add(run as usize);
        [base.read(), base.add(length - 1).read()]
    };
    assert_eq!(ends, [mark; 2]);
}
