//! A JSON object, written field by field.
//!
//! serde_json looks at every byte of every key and text for what must be escaped, one by one: a tenth of what the gateway
//! does for a proxied request. Keys are known here, and text that needs no escape is found to be so many bytes at once;
//! all else is left to serde_json.

use serde::Serialize;

/// An object that is being written.
pub(super) struct Object<'l> {
    line: &'l mut Vec<u8>,
    is_empty: bool,
}

impl<'l> Object<'l> {
    pub(super) fn begin(line: &'l mut Vec<u8>) -> Self {
        line.push(b'{');
        Self { line, is_empty: true }
    }

    pub(super) fn end(self) {
        self.line.push(b'}');
    }

    /// A text, if there is one.
    pub(super) fn text<'t>(&mut self, key: &'static str, text: impl Into<Option<&'t str>>) {
        let Some(text) = text.into() else { return };
        if !needs_no_escape(text.as_bytes()) {
            return self.value(key, Some(text));
        }
        self.key(key);
        self.line.push(b'"');
        self.line.extend_from_slice(text.as_bytes());
        self.line.push(b'"');
    }

    /// A value of any kind, if there is one.
    pub(super) fn value(&mut self, key: &'static str, value: Option<impl Serialize>) {
        let Some(value) = value else { return };
        self.key(key);
        // Neither writing to memory nor what is written here can fail.
        let _ = serde_json::to_writer(&mut *self.line, &value);
    }

    /// Keys are plain words.
    fn key(&mut self, key: &'static str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.line.push(b',');
        }
        self.line.push(b'"');
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }
}

/// RFC 8259 7: quotes, backslashes and control characters are escaped. Without an early end, so that it can be done for
/// many bytes at once.
fn needs_no_escape(text: &[u8]) -> bool {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    text.iter().fold(true, |all, byte| all & plain(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Object<'_>)) -> String {
        let mut line = Vec::new();
        let mut object = Object::begin(&mut line);
        write(&mut object);
        object.end();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let text = written(|object| {
            object.text("a", None);
            object.text("b", "x");
            object.value("c", None::<u32>);
            object.value("d", Some(0.5));
        });
        assert_eq!(text, r#"{"b":"x","d":0.5}"#);
        assert_eq!(written(|_| {}), "{}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>()) {
            let line = written(|object| object.text("key", text.as_str()));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&read["key"], &text);
            prop_assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn every_byte_that_must_be_escaped_is() {
        for byte in 0..=127_u8 {
            let text = format!("ab{}c", char::from(byte));
            let expected = format!(r#"{{"key":{}}}"#, serde_json::to_string(&text).unwrap());
            assert_eq!(written(|object| object.text("key", text.as_str())), expected);
        }
    }
}
