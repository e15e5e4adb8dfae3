use std::pin::pin;

use futures_util::poll;

use super::*;

fn places(instances: u32, core_instances: u32, memories: u32, tables: u32) -> Places {
    Places {
        instances,
        core_instances,
        memories,
        tables,
    }
}

/// An instance of a small component.
const SMALL: Places = Places {
    instances: 1,
    core_instances: 2,
    memories: 1,
    tables: 1,
};

#[test]
fn each_resource_is_counted() {
    for (size, wanted) in [
        (places(1, 8, 8, 8), SMALL),
        (places(8, 3, 8, 8), SMALL),
        (places(8, 8, 1, 8), SMALL),
        (places(8, 8, 8, 1), SMALL),
    ] {
        let pool = Pool::new(size);
        let first = pool.try_take(wanted).unwrap();
        assert!(pool.try_take(wanted).is_none(), "{size:?}");
        drop(first);
        drop(pool.try_take(wanted).unwrap());
        assert_eq!(pool.lock().free, size);
    }
}

#[tokio::test]
async fn the_line_is_served_in_order_and_nobody_overtakes() {
    let pool = Pool::new(places(4, 8, 4, 4));
    let held: Vec<_> = (0..3).map(|_| pool.try_take(SMALL).unwrap()).collect();
    let mut large = pin!(pool.take(places(2, 4, 2, 2)));
    let mut small = pin!(pool.take(SMALL));
    assert!(poll!(large.as_mut()).is_pending());
    // It would fit, and came later.
    assert!(poll!(small.as_mut()).is_pending());
    assert!(pool.try_take(SMALL).is_none());

    let mut held = held.into_iter();
    drop(held.next());
    let large = large.await;
    assert!(poll!(small.as_mut()).is_pending());
    drop(held.next());
    drop(small.await);
    drop((large, held));
    assert_eq!(pool.lock().free, places(4, 8, 4, 4));
}

#[tokio::test]
async fn who_gives_up_holds_nobody_up() {
    let pool = Pool::new(places(2, 4, 2, 2));
    let held = pool.try_take(SMALL).unwrap();
    let mut small = pin!(pool.take(SMALL));
    {
        let mut large = pin!(pool.take(places(2, 4, 2, 2)));
        assert!(poll!(large.as_mut()).is_pending());
        assert!(poll!(small.as_mut()).is_pending());
    }
    let small = small.await;
    assert!(pool.lock().line.is_empty());

    // Served in the very moment in which it gives up.
    {
        let mut served = pin!(pool.take(SMALL));
        assert!(poll!(served.as_mut()).is_pending());
        drop(small);
    }
    drop(held);
    assert_eq!(pool.lock().free, places(2, 4, 2, 2));
}

#[test]
fn a_share_holds_one_instance_at_least() {
    let size = places(16, 128, 32, 64);
    assert_eq!(size.share(4, SMALL), places(4, 32, 8, 16));
    assert_eq!(size.share(4, places(1, 64, 8, 32)), places(4, 64, 8, 32));
}
