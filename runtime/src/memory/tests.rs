use super::*;

const MIB: u64 = 1 << 20;

fn instance(envelope: &Arc<Envelope>, reserve: u64) -> InstanceMemory {
    InstanceMemory::new(envelope.charge(reserve).unwrap(), INSTANCE_CHARGE)
}

#[test]
fn instances_share_one_envelope() {
    let envelope = Arc::new(Envelope::new(Bytes::mib(10)));
    let mut first = instance(&envelope, MIB);
    let mut second = instance(&envelope, MIB);
    assert!(first.memory_growing(0, 6 * MIB as usize, None).unwrap());
    assert!(!second.memory_growing(0, 4 * MIB as usize, None).unwrap());
    let refusal = second.refusal().unwrap();
    assert_eq!(refusal.limit, 10 * MIB);
    assert!(
        refusal.to_string().starts_with("out of memory: 4MiB more wanted"),
        "{refusal}"
    );
    drop(first);
    assert!(second.memory_growing(0, 4 * MIB as usize, None).unwrap());
    drop(second);
    assert_eq!(envelope.used(), 0);
    assert!(envelope.peak() > 6 * MIB && envelope.peak() <= 10 * MIB);
}

#[test]
fn a_reservation_is_used_up_before_more_is_charged() {
    let envelope = Arc::new(Envelope::new(Bytes::mib(10)));
    let mut memory = instance(&envelope, 2 * MIB);
    assert!(memory.memory_growing(0, MIB as usize, None).unwrap());
    assert_eq!(envelope.used(), 2 * MIB);
    assert!(
        memory
            .memory_growing(MIB as usize, 3 * MIB as usize, None)
            .unwrap()
    );
    assert_eq!(envelope.used(), 3 * MIB + INSTANCE_CHARGE.get());
    assert_eq!(memory.peak(), envelope.used());
}

#[test]
fn a_memory_s_own_maximum_is_not_the_envelope_s_refusal() {
    let envelope = Arc::new(Envelope::new(Bytes::mib(10)));
    let mut memory = instance(&envelope, MIB);
    assert!(
        !memory
            .memory_growing(0, 2 * MIB as usize, Some(MIB as usize))
            .unwrap()
    );
    assert_eq!(memory.refusal(), None);
}

#[test]
fn tables_count() {
    let envelope = Arc::new(Envelope::new(Bytes::mib(1)));
    let mut memory = instance(&envelope, INSTANCE_CHARGE.get());
    assert!(!memory.table_growing(0, 1_000_000, None).unwrap());
    assert!(memory.table_growing(0, 1000, None).unwrap());
    assert_eq!(envelope.used(), INSTANCE_CHARGE.get() + 16_000);
}

#[test]
fn the_expectation_rises_at_once_and_falls_slowly() {
    let expected = ExpectedPeak::new(MIB);
    expected.observe(9 * MIB);
    assert_eq!(expected.get(), 9 * MIB);
    expected.observe(MIB);
    assert_eq!(expected.get(), 7 * MIB);
    for _ in 0..200 {
        expected.observe(MIB);
    }
    assert_eq!(expected.get(), MIB);
}
