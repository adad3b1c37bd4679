//! Replays what was found earlier, and a few thousand mutations of it.

use mantou_fuzz::{Mutator, TARGETS, seeds};

#[test]
fn every_seed_and_its_mutations_are_read_without_a_panic() {
    for (name, target) in TARGETS {
        let inputs = seeds(name);
        inputs.iter().for_each(|input| target(input));
        let runs = if name == "recovery" { 100 } else { 2_000 };
        for seed in 0..2 {
            let mut mutator = Mutator::new(seed, inputs.clone());
            for run in 0..runs {
                let input = mutator.next_input();
                let sound = std::panic::catch_unwind(|| target(&input)).is_ok();
                assert!(sound, "{name}: run {run} of seed {seed}: {input:02x?}");
            }
        }
    }
}
