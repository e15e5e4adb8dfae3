use super::*;

#[test]
fn meminfo_is_read_in_kibibytes() {
    let text = "MemTotal:       24545212 kB\nMemFree:  1 kB\nMemAvailable:   123 kB\n";
    assert_eq!(parse_meminfo(text, "MemTotal:"), Some(Bytes::kib(24_545_212)));
    assert_eq!(parse_meminfo(text, "MemAvailable:"), Some(Bytes::kib(123)));
    assert_eq!(parse_meminfo(text, "SwapTotal:"), None);
}

#[test]
fn a_host_below_its_reserve_has_no_room() {
    assert!(HostMemory::with_reserve(Bytes::new(1)).has_room());
    assert!(!HostMemory::with_reserve(Bytes::new(u64::MAX)).has_room());
}
