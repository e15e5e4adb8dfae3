//! What holds of every byte a client may send.

use crate::{
    config::{DesyncMode, Limits},
    inspect::{Body, Inspected, Passed, Reason, Scan, inspect, stand_in},
};

const MODES: [DesyncMode; 3] = [DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest];

/// A head that is let through has one reading, wherever it is cut; and what stands in for a refused one is let through.
///
/// The first byte says where it is cut.
pub fn head_inspection(bytes: &[u8]) {
    let Some((cut, head)) = bytes.split_first() else {
        return;
    };
    let limits = Limits::default();
    for mode in MODES {
        let whole = inspect(head, &mut Scan::default(), &limits, mode);
        let mut scan = Scan::default();
        let part = head.get(..usize::from(*cut)).unwrap_or(head);
        let cut = match inspect(part, &mut scan, &limits, mode) {
            Inspected::Partial => inspect(head, &mut scan, &limits, mode),
            decided => decided,
        };
        assert_eq!(summary(&whole), summary(&cut));
        if let Inspected::Passed(passed) = whole {
            check(head, &passed, &limits);
        }
    }
    let instead = stand_in(head);
    match inspect(&instead, &mut Scan::default(), &limits, DesyncMode::Strictest) {
        Inspected::Passed(passed) => assert_eq!((passed.length, passed.mended), (instead.len(), None)),
        refused => panic!("{refused:?}"),
    }
}

/// The length and class of a head that passes; nought while there is none; nothing for a refused one, which may be
/// refused before its end has come.
fn summary(inspected: &Inspected) -> Option<(usize, Reason)> {
    match inspected {
        Inspected::Passed(passed) => Some((passed.length, passed.reason)),
        Inspected::Partial => Some((0, Reason::Compliant)),
        Inspected::Refused(_) => None,
    }
}

/// What was mended needs no more mending, and ends where it ended.
fn check(head: &[u8], passed: &Passed, limits: &Limits) {
    let given = passed
        .mended
        .as_deref()
        .or(head.get(..passed.length))
        .unwrap_or_default();
    match inspect(given, &mut Scan::default(), limits, DesyncMode::Defensive) {
        Inspected::Passed(again) => assert_eq!(
            (again.length, again.body, again.mended),
            (given.len(), passed.body, None),
            "{}",
            given.escape_ascii()
        ),
        refused => panic!("{} of {}: {refused:?}", given.escape_ascii(), head.escape_ascii()),
    }
}

/// A chunked body ends at the same byte, wherever it is cut. The first byte says where.
pub fn chunked_body(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else {
        return;
    };
    let mut whole = Body::CHUNKED;
    let at_once = whole.advance(body);
    let (before, after) = body.split_at(usize::from(*cut).min(body.len()));
    let mut parts = Body::CHUNKED;
    let (mut count, mut kept) = parts.advance(before);
    if kept.is_ok() && count == before.len() {
        let (more, result) = parts.advance(after);
        (count, kept) = (count + more, result);
    }
    assert_eq!(
        (count, kept, parts.has_ended()),
        (at_once.0, at_once.1, whole.has_ended())
    );
}
