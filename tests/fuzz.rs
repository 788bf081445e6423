//! Replays the corpus of `fuzz/` and mutations of it. No input may panic or exceed the limits of time
//! and memory. `INPUTS=20000 cargo test --test fuzz` tries more mutations.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[allow(dead_code)]
#[path = "common/memory.rs"]
mod memory;
#[path = "../fuzz/src/lib.rs"]
mod targets;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};
use targets::{TARGETS, Target};

/// Generous enough for a debug build on a busy machine.
const MAX_TIME: Duration = Duration::from_secs(10);
/// The largest allowed image needs the most, when it is decoded and measured.
const MAX_BYTES: usize = 256 << 20;

/// Number of mutations for all targets together.
fn mutations() -> usize {
    let inputs = std::env::var("INPUTS").ok();
    inputs.and_then(|n| n.parse().ok()).unwrap_or(600)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // The same order on every machine.
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Mutates one input in a few places, as damage or an attacker would.
fn mutate(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..8) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            1 if at < input.len() => input[at] = random.random(),
            2 => input.truncate(at),
            3 => {
                // Extreme lengths and counts.
                let numbers: [&[u8]; 5] = [
                    &[0; 4],
                    &[0xff; 4],
                    &[0x7f, 0xff, 0xff, 0xff],
                    b"99999999999999999999",
                    b"-1",
                ];
                let number = numbers[random.random_range(0..numbers.len())];
                let end = input.len().min(at + number.len());
                input.splice(at..end, number.iter().copied());
            }
            4 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            5 => {
                let end = input.len().min(at + random.random_range(0..40));
                let part = input[at..end].to_vec();
                for _ in 0..random.random_range(1..50) {
                    input.splice(at..at, part.iter().copied());
                }
            }
            6 => {
                let end = input.len().min(at + random.random_range(0..20));
                input.drain(at..end);
            }
            _ => {
                let odd = [
                    "\u{0}", "\u{feff}", "\"", "\\", "{", "[[[[", "\u{1b}", "가", "\r", "1e999",
                ];
                input.splice(at..at, odd[random.random_range(0..odd.len())].bytes());
            }
        }
    }
    input.truncate(1 << 16);
    input
}

/// Runs a target and returns what it did wrong, if anything. `worst` keeps the longest time and the
/// most bytes.
fn try_input(target: Target, input: &[u8], worst: &mut (Duration, usize)) -> Option<String> {
    let started = Instant::now();
    let (result, bytes) = memory::peak_of_process(|| catch_unwind(|| target(input)));
    let time = started.elapsed();
    *worst = (worst.0.max(time), worst.1.max(bytes));
    if result.is_err() {
        return Some("panicked".to_owned());
    }
    if time > MAX_TIME {
        return Some(format!("took {time:?}"));
    }
    (bytes > MAX_BYTES).then(|| format!("took {} MiB", bytes >> 20))
}

#[test]
fn no_input_panics_or_exceeds_the_limits() {
    let mut failures = Vec::new();
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        let mut random = StdRng::seed_from_u64(7);
        let mut worst = (Duration::ZERO, 0);
        let many = mutations() / TARGETS.len();
        let mutated = (0..many).map(|_| mutate(&corpus, &mut random));
        for (at, input) in corpus.iter().cloned().chain(mutated).enumerate() {
            if let Some(failure) = try_input(target, &input, &mut worst) {
                let path = std::env::temp_dir().join(format!("labeler-tui-{name}-{at}"));
                std::fs::write(&path, &input).unwrap();
                failures.push(format!("{name}: {} {failure}", path.display()));
            }
        }
        let (time, bytes) = worst;
        println!(
            "{name}: {} inputs, at most {time:?}, {} KiB",
            corpus.len() + many,
            bytes >> 10
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
