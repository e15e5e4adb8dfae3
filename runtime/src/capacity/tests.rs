use super::*;

fn cpu(units: u32) -> CpuUnits {
    CpuUnits::new(units).unwrap()
}

#[test]
fn reservations_fill_the_host_and_come_back_when_dropped() {
    let capacity = Capacity::new(2, Bytes::gib(1), 1.0, 1.0);
    let first = capacity.reserve(cpu(1536), Bytes::mib(512)).unwrap();
    let short = capacity.reserve(cpu(1024), Bytes::mib(1)).unwrap_err();
    assert_eq!(
        short,
        Shortfall::Cpu {
            wanted: 1024,
            free: 512,
            limit: 2048
        }
    );
    assert!(short.is_temporary());
    let short = capacity.reserve(cpu(1), Bytes::mib(600)).unwrap_err();
    assert_eq!(
        short.to_string(),
        "not enough memory: 600MiB wanted, 512MiB of 1GiB free"
    );
    drop(first);
    assert_eq!(capacity.reserved(), Amount::default());
    capacity.reserve(cpu(2048), Bytes::gib(1)).unwrap();
}

#[test]
fn overcommit_admits_more_tasks_but_never_one_above_the_host() {
    let capacity = Capacity::new(1, Bytes::mib(100), 16.0, 4.0);
    let held: Vec<_> = (0..16)
        .map(|_| capacity.reserve(cpu(1024), Bytes::mib(25)).unwrap())
        .collect();
    assert!(capacity.reserve(cpu(1), Bytes::mib(1)).is_err());
    drop(held);
    assert!(
        !capacity
            .could_ever_fit(cpu(1025), Bytes::mib(1))
            .unwrap_err()
            .is_temporary()
    );
    assert!(
        !capacity
            .could_ever_fit(cpu(1), Bytes::mib(101))
            .unwrap_err()
            .is_temporary()
    );
}
