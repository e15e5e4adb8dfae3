use super::*;

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "{what} did not come true");
        std::thread::yield_now();
    }
}

#[test]
fn the_clock_parks_without_guests_and_wakes_with_one() {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let ticker = Ticker::start(Engine::new(&config).unwrap()).unwrap();
    let parked = || ticker.shared.parked.load(Ordering::SeqCst);
    until("parking", parked);
    for _ in 0..3 {
        let running = ticker.guest_runs();
        until("waking", || !parked());
        drop(running);
        until("parking again", parked);
    }
}
