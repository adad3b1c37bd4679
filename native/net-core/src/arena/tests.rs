use super::*;

/// Waits for memory and tries to get it.
fn wait_for(arena: &Arena, owner: u64, bytes: usize) -> Option<Run> {
    arena.wait(owner);
    arena.take_run_waiting(bytes, owner)
}

#[test]
fn small_frames_share_a_part_of_the_reserve() {
    let arena = Arena::map(8 * STEP_BYTES).unwrap();
    let general_bytes = 8 * STEP_BYTES / 16 * 5;
    let general = arena.take_run(general_bytes, 1).unwrap();
    assert!(arena.take_run(1, 2).is_none());
    // The first that waits gets something, one after the other, up to the share of all of them.
    let mut runs = Vec::new();
    let mut owner = 2;
    while let Some(run) = wait_for(&arena, owner, UNIT_BYTES) {
        runs.push(run);
        owner += 1;
    }
    let share = 5 * STEP_BYTES / RESERVE_SHARE;
    assert_eq!(arena.used(), general_bytes + share);
    // A frame as large as the reserve has its turn once they are gone, whoever else waits.
    arena.stop_waiting(owner);
    assert!(wait_for(&arena, 1000, arena.largest_run()).is_none());
    let last = runs.pop().unwrap();
    runs.into_iter().for_each(|run| arena.leave_run(run));
    assert!(wait_for(&arena, 1001, UNIT_BYTES).is_none());
    let largest = arena.largest_run();
    assert!(arena.take_run_waiting(largest, 1000).is_none());
    arena.leave_run(last);
    let whole = arena.take_run_waiting(largest, 1000).unwrap();
    // Nobody gets in beside it, not even the first.
    assert!(arena.take_run_waiting(UNIT_BYTES, 1001).is_none());
    arena.leave_run(general);
    let run = arena.take_run_waiting(UNIT_BYTES, 1001).unwrap();
    arena.leave_run(run);
    arena.leave_run(whole);
    assert_eq!(arena.used(), 0);
}
