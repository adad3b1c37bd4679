//! A load generator that costs little next to the broker that it loads. See `--help`.

mod batch;
mod fetch;
mod forget;
mod group_wire;
mod lane;
mod member;
mod options;
mod poll;
mod produce;
mod rebalance;
mod report;
mod stamp;
mod standstill;
mod stop;
mod tail;
mod usage;
mod warm;
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use options::{Mode, Options, Parsed};
use report::Tally;
use usage::Usage;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["forget", folder] => return told(folder, forget::run(Path::new(folder))),
        ["warm", bytes] => return told("warm", warm(bytes)),
        ["standstill"] => return ended("standstill", standstill::run()),
        ["rebalance", rest @ ..] => return ended("rebalance", rebalance::run(rest)),
        _ => {}
    }
    let options = match Options::parse(words) {
        Parsed::Run(options) => options,
        Parsed::Help => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(what) => {
            eprintln!("loadgen: {what} (see --help)");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(error) => {
            eprintln!("loadgen: {}: {error}", options.address);
            ExitCode::FAILURE
        }
    }
}

fn warm(bytes: &str) -> std::io::Result<u64> {
    let count: usize = bytes.parse().map_err(std::io::Error::other)?;
    warm::run(count)?;
    Ok(count as u64)
}

/// The status of a command that has printed what it found.
fn ended(what: &str, result: std::io::Result<()>) -> ExitCode {
    result.map_or_else(
        |error| {
            eprintln!("loadgen: {what}: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Prints how many bytes a command went over, or why it failed.
fn told(what: &str, bytes: std::io::Result<u64>) -> ExitCode {
    match bytes {
        Ok(bytes) => {
            println!("{{\"bytes\":{bytes}}}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("loadgen: {what}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether there was an error in an answer.
fn run(options: &Options) -> std::io::Result<bool> {
    stop::listen();
    let mut lanes = lane::connect_all(options)?;
    // All threads measure the same window.
    let begin = Instant::now() + options.warmup;
    let end = begin + options.duration;
    let (tally, before, after) = std::thread::scope(|scope| {
        let threads: Vec<std::thread::ScopedJoinHandle<'_, _>> = (0..options.threads)
            .map(|_| {
                let mine = lanes.pop().unwrap_or_default();
                scope.spawn(move || match options.mode {
                    Mode::Produce => produce::run(options, mine, begin, end),
                    Mode::Fetch => fetch::run(options, mine, begin, end),
                    Mode::Tail => tail::run(options, mine, begin, end),
                })
            })
            .collect();
        stop::sleep_until(begin, || false);
        let before = Usage::now(options.server_pid);
        stop::sleep_until(end, || threads.iter().all(|thread| thread.is_finished()));
        let after = Usage::now(options.server_pid);
        let mut total = Tally::new();
        let mut fault = None;
        for thread in threads {
            match thread
                .join()
                .map_err(|_| std::io::Error::other("a thread panicked"))
            {
                Ok(Ok(tally)) => total.add(&tally),
                Ok(Err(error)) | Err(error) => fault = Some(error),
            }
        }
        fault.map_or(Ok((total, before, after)), Err)
    })?;
    println!("{}", tally.to_json(options, &before, &after));
    Ok(!tally.errors.is_empty())
}
