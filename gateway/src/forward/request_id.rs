//! The id a request goes under: the client's, if it is one, else a new one that sorts by time.

use http::HeaderValue;
use jiff::Timestamp;

use super::chance;

/// The header that carries it.
pub(crate) const X_REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-request-id");

/// The longest id taken from a client.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The client's id if it can go into logs and JSON as it is, else a new one of now.
pub(crate) fn keep_or_make(sent: Option<&HeaderValue>, now: Timestamp) -> HeaderValue {
    match sent {
        Some(id) if is_valid(id.as_bytes()) => id.clone(),
        _ => make(now),
    }
}

/// A new id: a UUID, version 7.
fn make(now: Timestamp) -> HeaderValue {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let chance = (u128::from(chance::number()) << 64 | u128::from(chance::number())).to_le_bytes();
    let chance = chance.first_chunk().unwrap_or(&[0; 10]);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, chance).into_uuid();
    let text = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

fn is_valid(id: &[u8]) -> bool {
    let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
    !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.iter().all(safe)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn valid_ids_are_kept_and_others_replaced() {
        let longest = "a".repeat(MAX_REQUEST_ID_BYTES);
        for id in [
            "a",
            "0198-abc_DEF.1:2+3/4=@",
            "1-67891233-abcdef012345678912345678",
            &longest,
        ] {
            let sent = HeaderValue::from_str(id).unwrap();
            assert_eq!(keep_or_make(Some(&sent), Timestamp::now()), sent);
        }
        let too_long = "a".repeat(MAX_REQUEST_ID_BYTES + 1);
        for id in ["", "a b", "a\"b", "a\\b", "<script>", &too_long] {
            let made = keep_or_make(Some(&HeaderValue::from_str(id).unwrap()), Timestamp::now());
            let uuid = Uuid::try_parse(made.to_str().unwrap()).unwrap();
            assert_eq!(uuid.get_version_num(), 7, "{id:?}");
        }
        let now = Timestamp::now();
        assert_ne!(keep_or_make(None, now), keep_or_make(None, now));
    }
}
