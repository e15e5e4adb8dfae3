//! Behaviours that go against a limit or break the protocol.

use crate::http::{Query, Reply, wait_ms};
use std::hint::black_box;
use wasip2::http::types::Fields;

const MIB: usize = 1024 * 1024;
/// Every page of a chunk is written, so that the memory is really there.
const PAGE: usize = 4096;

pub fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub fn spin_after_head(reply: Reply) {
    let mut body = reply.start(200, Fields::new());
    body.write(b"first\n");
    body.flush();
    spin();
}

/// Not inlined: a test looks for this name among the frames of the trap.
#[inline(never)]
pub fn trap_on_purpose() {
    panic!("a panic on purpose");
}

/// A deployment's mistake, which only its requests find.
pub fn trap_if(query: &Query, reply: Reply) {
    let name = query.text("env");
    if std::env::var_os(name).is_some() {
        eprintln!("{name} is set, so this goes wrong");
        trap_on_purpose();
    }
    reply.text(200, "ok");
}

#[inline(never)]
pub fn unreachable_on_purpose() {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
}

pub fn trap_after_head(reply: Reply) {
    let mut body = reply.start(200, Fields::new());
    body.write(b"first\n");
    body.flush();
    trap_on_purpose();
}

pub fn short_body(reply: Reply) {
    reply.with(200, &[("content-length", "100")], b"short");
}

/// Allocates chunk by chunk; how many MiB came, and the memory itself.
fn allocate(mib: u64) -> (u64, Vec<Vec<u8>>) {
    let mut chunks = Vec::new();
    for done in 0..mib {
        let mut chunk: Vec<u8> = Vec::new();
        if chunk.try_reserve_exact(MIB).is_err() {
            return (done, chunks);
        }
        chunk.resize(MIB, 0);
        for byte in chunk.iter_mut().step_by(PAGE) {
            *byte = 1;
        }
        chunks.push(black_box(chunk));
    }
    (mib, chunks)
}

fn answer_growth(wanted: u64, got: u64, reply: Reply) {
    if got == wanted {
        reply.text(200, &format!("grew by {got} MiB"));
    } else {
        reply.text(500, &format!("refused after {got} of {wanted} MiB"));
    }
}

pub fn grow(query: &Query, reply: Reply) {
    let wanted = query.number("mib");
    // Freed before the answer: the text itself needs a little memory.
    let (got, chunks) = allocate(wanted);
    drop(chunks);
    answer_growth(wanted, got, reply);
}

pub fn grow_or_die(query: &Query, reply: Reply) {
    let wanted = query.number("mib");
    let memory = black_box(vec![1_u8; wanted as usize * MIB]);
    answer_growth(wanted, (memory.len() / MIB) as u64, reply);
}

pub fn hold(query: &Query, reply: Reply) {
    let wanted = query.number("mib");
    let (got, chunks) = allocate(wanted);
    wait_ms(query.number("ms"));
    drop(chunks);
    answer_growth(wanted, got, reply);
}

pub fn handles(query: &Query, reply: Reply) {
    let handles: Vec<Fields> = (0..query.number("n")).map(|_| Fields::new()).collect();
    reply.text(200, &format!("made {}", handles.len()));
}

pub fn headers(query: &Query, reply: Reply) {
    let value = "h".repeat(query.number("len") as usize);
    let fields = Fields::new();
    for n in 0..query.number("n") {
        if let Err(error) = fields.append(&format!("x-bomb-{n}"), value.as_bytes()) {
            return reply.text(500, &format!("header {n} was refused: {error:?}"));
        }
    }
    reply.start(200, fields).finish();
}
