use super::*;

#[test]
fn sizes_are_read_as_people_write_them() {
    let table = [
        ("64MiB", Some(Bytes::mib(64))),
        ("1 GiB", Some(Bytes::gib(1))),
        ("512KiB", Some(Bytes::kib(512))),
        ("2TiB", Some(Bytes::gib(2048))),
        ("1048576", Some(Bytes::mib(1))),
        ("7B", Some(Bytes::new(7))),
        ("64MB", None),
        ("64 mib", None),
        ("", None),
        ("MiB", None),
        ("-1MiB", None),
        ("1.5GiB", None),
        ("18446744073709551615KiB", None),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse::<Bytes>().ok(), expected, "{text:?}");
    }
}

#[test]
fn sizes_print_in_the_largest_unit_that_fits() {
    assert_eq!(Bytes::mib(64).to_string(), "64MiB");
    assert_eq!(Bytes::new(1536).to_string(), "1.5KiB");
    assert_eq!(Bytes::new(3).to_string(), "3B");
    assert_eq!(Bytes::gib(3).to_string(), "3GiB");
}

#[test]
fn a_share_earns_its_fraction_of_wall_time() {
    let quarter = CpuUnits::new(256).unwrap();
    assert_eq!(
        quarter.earned_in(Duration::from_millis(100)),
        Duration::from_millis(25)
    );
    assert!(CpuUnits::new(0).is_none());
    assert!(CpuUnits::new(CpuUnits::MAX + 1).is_none());
}
