//! Numbers for ids: unlike one another, quick to have, and not secret. A system call for each would cost a request more
//! than all else about its ids.

use std::{
    cell::Cell,
    hash::{BuildHasher as _, RandomState},
};

thread_local! {
    /// Keyed by the system for every thread.
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::thread::current().id()));
}

/// The next number (SplitMix64).
pub(super) fn number() -> u64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
