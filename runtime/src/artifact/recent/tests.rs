use super::*;

/// Where it is kept, and whether the list could be locked when it went.
struct Kept {
    number: usize,
    list: Arc<Recent<Self>>,
    gone: Arc<Mutex<Vec<(usize, bool)>>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let is_free = self.list.0.try_lock().is_ok();
        self.gone.lock().unwrap().push((self.number, is_free));
    }
}

#[test]
fn the_one_longest_not_asked_for_goes_while_nobody_is_kept_waiting() {
    let (list, gone) = (Arc::new(Recent::default()), Arc::default());
    let prepare = |number| {
        let kept = Arc::new(Kept {
            number,
            list: Arc::clone(&list),
            gone: Arc::clone(&gone),
        });
        list.keep(&kept);
        kept
    };
    let first = prepare(0);
    for number in 1..RECENT {
        prepare(number);
    }
    list.keep(&first);
    drop(first);
    assert_eq!(*gone.lock().unwrap(), []);
    prepare(RECENT);
    prepare(RECENT + 1);
    assert_eq!(*gone.lock().unwrap(), [(1, true), (2, true)]);
    list.0.lock().unwrap().clear();
}
