use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn found(trie: &Trie<Vec<usize>>, text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    trie.each(text.bytes(), &mut |value| found.extend(value));
    found
}

#[test]
fn every_key_the_text_begins_with_is_found() {
    let mut trie = Trie::<Vec<usize>>::default();
    for (index, key) in ["/abc", "/ab", "", "/abd", "/x", "/abc"].into_iter().enumerate() {
        trie.entry(key.as_bytes()).push(index);
    }
    for (text, keys) in [
        ("", &[2][..]),
        ("/", &[2]),
        ("/a", &[2]),
        ("/ab", &[2, 1]),
        ("/abc/d", &[2, 1, 0, 5]),
        ("/abx", &[2, 1]),
        ("/x", &[2, 4]),
        ("y", &[2]),
    ] {
        assert_eq!(found(&trie, text), keys, "{text}");
    }
}

proptest! {
    #[test]
    fn it_agrees_with_looking_at_every_key(
        keys in prop::collection::vec("[ab]{0,5}", 0..20),
        text in "[abc]{0,7}",
    ) {
        let mut trie = Trie::<Vec<usize>>::default();
        let mut plain = BTreeMap::<&str, Vec<usize>>::new();
        for (index, key) in keys.iter().enumerate() {
            trie.entry(key.as_bytes()).push(index);
            plain.entry(key).or_default().push(index);
        }
        let prefixes = plain.iter().filter(|(key, _)| text.starts_with(**key));
        let expected: Vec<usize> = prefixes.flat_map(|(_, values)| values.clone()).collect();
        prop_assert_eq!(found(&trie, &text), expected);
    }
}
