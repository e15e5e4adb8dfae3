use super::*;

#[test]
fn what_nohup_ignores_is_known() {
    let status = "Name:\twharf\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
    assert_eq!(ignored(status), 1 << (hangup() - 1) | 1 << 12);
    assert_eq!(ignored(""), 0);
    assert_eq!(ignored("SigIgn:\tnothing"), 0);
}

fn hangup() -> i32 {
    SignalKind::hangup().as_raw_value()
}
