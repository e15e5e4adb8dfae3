//! Work for the CPU and the memory, to see limits hold.

use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;
use wharf::{Error, Request, Response, Result, StatusCode};

/// The largest `n`: some seconds of a whole CPU.
const MAX_N: u64 = 20_000_000;
/// The largest `mib`: what 32-bit memory can hold at all.
const MAX_MIB: u64 = 4096;

const MIB: usize = 1024 * 1024;
const PAGE: usize = 4096;

#[derive(Serialize)]
struct Primes {
    n: u64,
    primes: u64,
    milliseconds: u128,
}

#[wharf::http]
async fn handle(request: Request) -> Result<Response> {
    match request.path() {
        "/" => {
            let n = number(&request, "n", MAX_N)?;
            let start = Instant::now();
            let primes = count_primes(n);
            Response::json(&Primes {
                n,
                primes,
                milliseconds: start.elapsed().as_millis(),
            })
        }
        "/spin" => spin(),
        "/grow" => Ok(grow(number(&request, "mib", MAX_MIB)?)),
        _ => Err(Error::new(
            StatusCode::NOT_FOUND,
            "try /?n=100000, /spin or /grow?mib=16",
        )),
    }
}

fn number(request: &Request, name: &str, max: u64) -> Result<u64> {
    let number = request
        .query(name)
        .and_then(|text| text.parse().ok())
        .filter(|number| *number <= max);
    number.ok_or_else(|| {
        Error::new(
            StatusCode::BAD_REQUEST,
            format!("`{name}` is a number from 0 to {max}: /?{name}=100"),
        )
    })
}

/// By trial division, because the point is the work.
fn count_primes(n: u64) -> u64 {
    let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..=n).filter(is_prime).count() as u64
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Allocates a MiB at a time and touches every page, so that the memory is really there.
fn grow(mib: u64) -> Response {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for done in 0..mib {
        let mut chunk = Vec::new();
        if chunk.try_reserve_exact(MIB).is_err() {
            // First, or there is no memory to say so with.
            drop(held);
            let message = format!("refused after {done} of {mib} MiB\n");
            return Response::text(message).with_status(StatusCode::INSUFFICIENT_STORAGE);
        }
        chunk.resize(MIB, 0);
        chunk.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        held.push(black_box(chunk));
    }
    Response::text(format!("held {mib} MiB\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_counted() {
        for (n, primes) in [(0, 0), (1, 0), (2, 1), (10, 4), (100, 25), (10_000, 1229)] {
            assert_eq!(count_primes(n), primes, "up to {n}");
        }
    }
}
