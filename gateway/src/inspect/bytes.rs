//! Which bytes may stand where (RFC 9110 5.6.2, RFC 9112 3 and 5), one look-up each.

const TOKEN: u8 = 1;
const VALUE: u8 = 2;
const TARGET: u8 = 4;
const BLANK: u8 = 8;

static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut kind = 0;
        let symbol = matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        if byte.is_ascii_alphanumeric() || symbol {
            kind |= TOKEN;
        }
        if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
            kind |= VALUE;
        }
        if byte.is_ascii_graphic() && !matches!(byte, b'#' | b'<' | b'>' | b'`') {
            kind |= TARGET;
        }
        if byte == b' ' || byte == b'\t' {
            kind |= BLANK;
        }
        // The index is a byte, the table has one entry for each.
        #[expect(clippy::indexing_slicing, reason = "a byte cannot be out of a table of 256")]
        {
            table[byte as usize] = kind;
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

fn is(byte: u8, kind: u8) -> bool {
    KINDS
        .get(usize::from(byte))
        .is_some_and(|kinds| kinds & kind != 0)
}

/// What method and header names consist of.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is(*byte, TOKEN))
}

/// What header values consist of.
pub(super) fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is(*byte, VALUE))
}

/// What may stand in a request's target as it is. Wider than RFC 3986, as browsers are.
pub(super) fn is_target(byte: u8) -> bool {
    is(byte, TARGET)
}

pub(super) fn is_blank(byte: u8) -> bool {
    is(byte, BLANK)
}

/// Without blanks around it.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let from = bytes
        .iter()
        .position(|byte| !is_blank(*byte))
        .unwrap_or(bytes.len());
    let to = bytes
        .iter()
        .rposition(|byte| !is_blank(*byte))
        .map_or(from, |at| at + 1);
    bytes.get(from..to).unwrap_or_default()
}

/// Splits at the first `byte`, which belongs to neither half.
pub(super) fn split(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.get(1..)?))
}
