use std::collections::VecDeque;

use super::*;

/// The system's error for a process that has as many files open as it may.
const OUT_OF_FILES: i32 = 24;

fn out_of_files() -> io::Result<u32> {
    Err(io::Error::from_raw_os_error(OUT_OF_FILES))
}

fn nobody() -> io::Result<u32> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Who is let in of these, where three have a place, and what becomes of the rest.
async fn called(outcomes: impl IntoIterator<Item = io::Result<u32>>) -> (Vec<u32>, Rest) {
    let mut outcomes: VecDeque<_> = outcomes.into_iter().collect();
    let mut admitted = Vec::new();
    let accept = || outcomes.pop_front().unwrap_or_else(out_of_files);
    let rest = last_call(accept, |client| {
        (admitted.len() < 3).then(|| {
            admitted.push(client);
            Admitted
        })
    })
    .await;
    (admitted, rest)
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_the_end_is_let_in_once_there_are_files_again() {
    let gone = Err(io::ErrorKind::ConnectionAborted.into());
    let (admitted, rest) = called([Ok(1), out_of_files(), gone, out_of_files(), Ok(2), nobody()]).await;
    assert_eq!((admitted, rest.turned_away), (vec![1, 2], 0));
    assert!(rest.error.is_none(), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn files_that_do_not_come_are_not_waited_for_for_long() {
    let begin = tokio::time::Instant::now();
    let (admitted, rest) = called([Ok(1)]).await;
    assert_eq!(admitted, [1]);
    assert_eq!(rest.error.unwrap().raw_os_error(), Some(OUT_OF_FILES));
    assert_eq!(begin.elapsed(), ACCEPT_PAUSE * LAST_PAUSES);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_place_is_counted_and_who_keeps_coming_is_not_waited_for() {
    let (admitted, rest) = called([Ok(1), Ok(2), Ok(3), Ok(4), Ok(5), nobody()]).await;
    assert_eq!((admitted, rest.turned_away), (vec![1, 2, 3], 2));
    let (admitted, rest) = called((0..).take(BACKLOG as usize + 5).map(Ok)).await;
    assert_eq!((admitted.len(), rest.turned_away), (3, BACKLOG - 3));
}
