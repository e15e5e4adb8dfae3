//! Finds all keys that a text begins with, in one walk over the text.
//!
//! A radix tree: a node has the bytes that all keys under it share, so ten thousand keys are a few steps deep.

/// Values by keys.
#[derive(Debug)]
pub(super) struct Trie<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    /// What leads here from the parent; empty only in the root.
    label: Box<[u8]>,
    value: Option<T>,
    /// By the first byte of their labels, no two with the same.
    children: Vec<Node<T>>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        let root = Node::new(&[]);
        Self { root }
    }
}

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self {
            label: label.into(),
            value: None,
            children: Vec::new(),
        }
    }

    fn position(&self, first: u8) -> Result<usize, usize> {
        self.children
            .binary_search_by_key(&Some(&first), |child| child.label.first())
    }

    /// Shortens the label to its first `length` bytes; the rest moves to a child.
    fn split(&mut self, length: usize) {
        let Some((head, tail)) = self.label.split_at_checked(length) else {
            return;
        };
        let mut child = Self::new(tail);
        child.value = self.value.take();
        child.children = std::mem::take(&mut self.children);
        self.label = head.into();
        self.children.push(child);
    }
}

impl<T: Default> Trie<T> {
    /// The value of a key; made if there is none.
    pub(super) fn entry(&mut self, key: &[u8]) -> &mut T {
        let (mut node, mut rest) = (&mut self.root, key);
        while let Some(first) = rest.first() {
            let at = node.position(*first).unwrap_or_else(|at| {
                node.children.insert(at, Node::new(rest));
                at
            });
            #[expect(clippy::indexing_slicing, reason = "it was found there, or put there")]
            let child = &mut node.children[at];
            let common = child.label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            if common < child.label.len() {
                child.split(common);
            }
            rest = rest.get(common..).unwrap_or_default();
            node = child;
        }
        node.value.get_or_insert_default()
    }
}

impl<T> Trie<T> {
    /// Visits the values of all keys that the text begins with, the empty one's first.
    pub(super) fn each<'t>(&'t self, text: impl IntoIterator<Item = u8>, visit: &mut impl FnMut(&'t T)) {
        let mut text = text.into_iter();
        let mut node = &self.root;
        loop {
            if let Some(value) = &node.value {
                visit(value);
            }
            let next = text.next().and_then(|first| node.position(first).ok());
            let Some(child) = next.and_then(|at| node.children.get(at)) else {
                return;
            };
            if !child.label.iter().skip(1).all(|byte| text.next() == Some(*byte)) {
                return;
            }
            node = child;
        }
    }
}

#[cfg(test)]
mod tests;
