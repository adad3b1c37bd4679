//! `mutate TARGET SECONDS [SEED]`: runs a target over mutated seeds and prints how many. A panic
//! leaves the input in `crash-<target>-<seed>`.

use std::time::{Duration, Instant};

use mantou_fuzz::{Mutator, TARGETS, seeds};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let name = arguments.first().map_or("", String::as_str);
    let Some((name, target)) = TARGETS.iter().find(|target| target.0 == name) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.0).collect();
        eprintln!("usage: mutate {} SECONDS [SEED]", names.join("|"));
        std::process::exit(2);
    };
    let seconds = number(1).unwrap_or(10);
    let seed = number(2).unwrap_or(1);
    let mut mutator = Mutator::new(seed, seeds(name));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0u64;
    while Instant::now() < end {
        for _ in 0..64 {
            let input = mutator.next_input();
            if std::panic::catch_unwind(|| target(&input)).is_err() {
                let path = format!("crash-{name}-{seed}");
                std::fs::write(&path, &input).expect("the crash file");
                eprintln!("run {runs} of seed {seed} panicked; its input is in {path}");
                std::process::exit(1);
            }
            runs += 1;
        }
    }
    println!("{name}: {runs} runs in {seconds} s, seed {seed}, no panic");
}
