//! Clients that ask all the time, while something is done to what they ask.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::http::{self, Call, Session};
use crate::server::{Server, until};

/// How many there are.
pub(crate) const CLIENTS: usize = 4;

/// Sends requests for `host` while `work` is done, and sees every one of them answered 200.
///
/// Half of the clients keep their connection, half open one for each request; half ask for what is over at once, half
/// for what is under way when a task is told to stop.
pub(crate) fn while_asked<T>(server: &Server, host: &str, work: impl FnOnce() -> T) -> T {
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let path = if client % 2 == 0 { "/ok" } else { "/sleep?ms=40" };
                let (done, answered, to) = (&done, &answered, server.http);
                scope.spawn(move || {
                    let mut ask = asker(client, to, host, path);
                    while !done.load(Ordering::Relaxed) {
                        let before = answered.load(Ordering::Relaxed);
                        let (status, said) = ask();
                        assert_eq!(status, 200, "{path} after {before} answers: {said}");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let ends = EndWhenDone(&done);
        until("all are asking", || {
            (answered.load(Ordering::Relaxed) > 4 * CLIENTS).then_some(())
        });
        let worked = work();
        drop(ends);
        for client in clients {
            if let Err(panic) = client.join() {
                resume_unwind(panic);
            }
        }
        worked
    })
}

/// Tells threads to end that ask until they are told, also where what they are asked beside fails: their scope waits for
/// them.
pub(crate) struct EndWhenDone<'a>(pub(crate) &'a AtomicBool);

impl Drop for EndWhenDone<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks once per call: the status, and what was said with one that is not 200.
fn asker<'a>(
    client: usize,
    to: SocketAddr,
    host: &'a str,
    path: &'a str,
) -> Box<dyn FnMut() -> (u16, String) + 'a> {
    if client < CLIENTS / 2 {
        let mut session = Session::open(to);
        return Box::new(move || (session.get(host, path), String::new()));
    }
    Box::new(move || {
        let answer = http::send(to, Call::get(host, path));
        (answer.status, answer.body)
    })
}
