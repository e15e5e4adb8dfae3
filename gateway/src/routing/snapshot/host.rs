//! A request's host in the one form that rules know: lower case, without port and final dot.

/// The longest host that can match a rule: a longer one is no DNS name and only meets rules without a host.
pub(crate) const MAX_HOST_BYTES: usize = 255;

/// Lower case, without the port and without the dot that may end a full name, on the stack. A host too long to be one
/// becomes empty.
pub(crate) fn normalise<'b>(host: &[u8], buffer: &'b mut [u8; MAX_HOST_BYTES]) -> &'b [u8] {
    let (host, _) = split_port(host);
    let host = host.strip_suffix(b".").unwrap_or(host);
    let Some(lower) = buffer.get_mut(..host.len()) else {
        return &[];
    };
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    lower
}

/// The port that a client named with its host.
pub(crate) fn port(host: &[u8]) -> Option<u16> {
    let (_, port) = split_port(host);
    std::str::from_utf8(port.strip_prefix(b":")?).ok()?.parse().ok()
}

fn split_port(host: &[u8]) -> (&[u8], &[u8]) {
    let end = if host.starts_with(b"[") {
        host.iter().position(|byte| *byte == b']').map(|at| at + 1)
    } else {
        host.iter().position(|byte| *byte == b':')
    };
    host.split_at_checked(end.unwrap_or(host.len()))
        .unwrap_or((host, &[]))
}

#[cfg(test)]
mod tests;
