//! Numbers as lower-case hexadecimal digits. `format!` takes several times as long, and every request has three of these.

/// The last `N` digits of a number.
pub(crate) fn digits<const N: usize>(number: u128) -> [u8; N] {
    let mut digits = [0; N];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let value = (rest & 0xf) as u8;
        *digit = if value < 10 {
            b'0' + value
        } else {
            b'a' + value - 10
        };
        rest >>= 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_format() {
        for number in [
            0,
            1,
            0xf,
            0x10,
            0x0123_4567_89ab_cdef,
            1 << 64,
            u128::MAX,
            u128::MAX - 0xf0,
        ] {
            assert_eq!(digits::<32>(number), format!("{number:032x}").as_bytes());
            assert_eq!(digits::<2>(number), format!("{:02x}", number & 0xff).as_bytes());
        }
    }
}
