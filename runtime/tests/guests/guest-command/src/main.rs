//! A command (`wasi:cli/command`) whose behaviour is chosen by its first argument.
//!
//! | arguments | behaviour |
//! |---|---|
//! | (none), `ok` | ends well |
//! | `exit N` | exit code N, by `exit-with-code` |
//! | `exit-until N` | exit code 1 before the `N`th attempt, which ends well |
//! | `exit-plain N` | `std::process::exit(N)`: WASI 0.2 knows success and failure only |
//! | `spin` | loops for ever |
//! | `sleep MS` | waits, then prints `slept` |
//! | `print N` | prints `line 1` … `line N` |
//! | `panic`, `unreachable` | panics; executes `unreachable` |
//! | `grow MIB` | allocates so much, touches it, prints how far it came; exit code 1 if refused |
//! | `grow-or-die MIB` | the same, but a failed allocation aborts |
//! | `stdin` | waits until stdin ends, then prints `bye` |
//! | `nap MS` | sleeps so long again and again, and ends when it wakes to a closed stdin |
//! | `doze MS AGAIN` | waits so long, prints `woke`, waits again, prints `slept N ms` |
//! | `env`, `args` | prints the environment as `NAME=value`, the arguments one a line |
//! | `cat PATH` | prints a file |

use std::hint::black_box;
use std::io::Read as _;
use std::time::{Duration, Instant};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::streams::StreamError;

const MIB: usize = 1024 * 1024;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = |n: usize| args.get(n).map_or("", String::as_str);
    let number = word(1).parse::<u64>().unwrap_or(0);
    match word(0) {
        "" | "ok" => {}
        "exit" => wasip2::cli::exit::exit_with_code(number as u8),
        "exit-until" if attempt() < number => wasip2::cli::exit::exit_with_code(1),
        "exit-until" => println!("attempt {number}"),
        "exit-plain" => std::process::exit(number as i32),
        "spin" => spin(),
        "sleep" => {
            wait_ms(number);
            println!("slept");
        }
        "print" => (1..=number).for_each(|n| println!("line {n}")),
        "panic" => panic_on_purpose(),
        "unreachable" => unreachable_on_purpose(),
        "grow" => grow(number),
        "grow-or-die" => {
            let memory = black_box(vec![1_u8; number as usize * MIB]);
            println!("grew by {} MiB", memory.len() / MIB);
        }
        "stdin" => until_stdin_ends(),
        "nap" => nap(Duration::from_millis(number)),
        "doze" => doze(number, word(2).parse().unwrap_or(0)),
        "env" => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        "args" => args.iter().for_each(|arg| println!("{arg}")),
        "cat" => print_file(word(1)),
        other => {
            eprintln!("no such behaviour: {other}");
            wasip2::cli::exit::exit_with_code(2);
        }
    }
}

/// Which attempt at its task this is.
fn attempt() -> u64 {
    let attempt = std::env::var("WHARF_ATTEMPT").unwrap_or_default();
    attempt.parse().unwrap_or(0)
}

fn wait_ms(ms: u64) {
    subscribe_duration(ms.saturating_mul(1_000_000)).block();
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Not inlined: a test looks for this name among the frames of the trap.
#[inline(never)]
fn panic_on_purpose() {
    panic!("a panic on purpose");
}

#[inline(never)]
fn unreachable_on_purpose() {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
}

fn grow(wanted: u64) {
    let mut chunks = Vec::new();
    for done in 0..wanted {
        let mut chunk: Vec<u8> = Vec::new();
        if chunk.try_reserve_exact(MIB).is_err() {
            drop(chunks);
            println!("refused after {done} of {wanted} MiB");
            wasip2::cli::exit::exit_with_code(1);
            return;
        }
        chunk.resize(MIB, 1);
        chunks.push(black_box(chunk));
    }
    println!("grew by {wanted} MiB");
}

fn until_stdin_ends() {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    println!("bye");
    if let Err(error) = read {
        eprintln!("stdin failed: {error}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a guest that sleeps is what the host is to wake"
)]
fn nap(long: Duration) {
    let stdin = wasip2::cli::stdin::get_stdin();
    while !matches!(stdin.read(1), Err(StreamError::Closed)) {
        println!("sleeping");
        std::thread::sleep(long);
    }
    println!("bye");
}

fn doze(ms: u64, again: u64) {
    println!("sleeping");
    wait_ms(ms);
    println!("woke");
    let begin = Instant::now();
    wait_ms(again);
    println!("slept {} ms", begin.elapsed().as_millis());
}

fn print_file(path: &str) {
    match std::fs::read_to_string(path) {
        Ok(text) => print!("{text}"),
        Err(error) => {
            eprintln!("{path}: {error}");
            wasip2::cli::exit::exit_with_code(1);
        }
    }
}
