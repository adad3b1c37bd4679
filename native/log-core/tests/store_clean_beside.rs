//! Compaction beside everything else that is asked of a log.

mod batch_maker;
mod clean_harness;
mod store_harness;

use clean_harness::bench::Bench;
use clean_harness::{clean_spec, read_all};
use mantou_log_core::*;
use store_harness::{Harness, files, until};

const TIME: i64 = 1_000_000;

/// Large enough to be held up by a pace of a byte a second.
fn fill(bench: &mut Bench, batches: usize) {
    let value = "v".repeat(3000);
    for round in 0..batches {
        let key = format!("k{}", round % 5);
        bench.put(&[(&key, Some(&value))]);
    }
    bench.roll();
    bench.store.command(Command::Checkpoint).expect("written");
}

#[test]
fn a_run_that_is_held_to_its_pace_holds_nobody_else_up() {
    let mut bench = Bench::new();
    fill(&mut bench, 30);
    let mut spec = clean_spec(0, bench.model.end, TIME);
    spec.bytes_per_second = 1;
    let spec = Box::new(spec);
    let run = bench.store.begin(Command::Clean { log: 0, spec });
    // Appends, reads, rolls, trims and cuts go on beside it.
    bench.put(&[("k0", Some("newer"))]);
    bench.roll();
    bench.put(&[("k1", Some("newer"))]);
    let start = 7;
    bench.store.state(Command::Trim { log: 0, start });
    let end = bench.model.end - 1;
    assert_eq!(
        bench
            .store
            .state(Command::Truncate { log: 0, end })
            .end_offset,
        end
    );
    bench.model.truncate(end);
    bench.model.start = start;
    let read = read_all(&bench.store, 0, start).expect("readable");
    bench.model.check(&read, "beside a run");
    // And so does a stop, which ends it.
    let Bench {
        store, directory, ..
    } = bench;
    let stopped = store.begin(Command::Close);
    assert_eq!(
        store.answer(run).expect_err("it was not done").code,
        "CLOSED"
    );
    assert_eq!(store.answer(stopped), Ok(Reply::Done));
    drop(store);
    let names = files(&directory.path().join("topic0-0"));
    assert!(
        names.iter().all(|name| !name.ends_with(".cleaned")),
        "{names:?}"
    );
    let store = Harness::open(directory.path());
    assert!(store.description.clean);
    store.close();
}

#[test]
fn whatever_happens_beside_a_run_the_newest_records_stay() {
    let mut bench = Bench::new();
    let (mut interrupted, mut done) = (0, 0);
    for round in 0..15_i64 {
        fill(&mut bench, 4);
        let limit = bench.model.stable_end();
        let spec = Box::new(clean_spec(0, limit, TIME));
        let run = bench.store.begin(Command::Clean { log: 0, spec });
        let beside = match round % 5 {
            0 => Some(bench.store.begin(Command::Roll { log: 0 })),
            1 => {
                // Nothing that was cleaned is ever cut, nor is it here.
                let (end, log) = (bench.model.end, 0);
                Some(bench.store.begin(Command::Truncate { log, end }))
            }
            2 => {
                bench.model.start = bench.model.end - 10;
                let (start, log) = (bench.model.start, 0);
                Some(bench.store.begin(Command::Trim { log, start }))
            }
            _ => None,
        };
        let key = format!("k{}", round % 5);
        bench.put(&[(&key, Some("beside a run"))]);
        let read = read_all(&bench.store, 0, bench.model.start).expect("readable");
        bench.model.check(&read, &format!("round {round}"));
        if let Some(beside) = beside {
            bench.store.answer(beside).expect("carried out");
        }
        match bench.store.answer(run) {
            Ok(_) => done += 1,
            Err(error) => {
                assert_eq!(error.code, "INTERRUPTED", "{error}");
                interrupted += 1;
            }
        }
        let read = read_all(&bench.store, 0, bench.model.start).expect("readable");
        bench.model.check(&read, &format!("behind round {round}"));
    }
    assert!(done > 3, "{done} done, {interrupted} interrupted");
    bench.store.close();
}

#[test]
fn a_removed_log_is_not_cleaned_any_more() {
    let mut bench = Bench::new();
    fill(&mut bench, 30);
    let mut spec = clean_spec(0, bench.model.end, TIME);
    spec.bytes_per_second = 4 << 20;
    let spec = Box::new(spec);
    let run = bench.store.begin(Command::Clean { log: 0, spec });
    assert_eq!(
        bench.store.command(Command::Remove { log: 0 }),
        Ok(Reply::Done)
    );
    let answer = bench.store.answer(run);
    if let Err(error) = answer {
        assert_eq!(error.code, "INTERRUPTED", "{error}");
    }
    let path = bench.directory.path().to_owned();
    until("the folder to go", || {
        files(&path)
            .iter()
            .all(|name| !name.starts_with("topic0-0"))
    });
    bench.store.close();
}
