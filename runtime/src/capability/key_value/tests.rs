use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;
use crate::key_value::{Expected, Item, Page, Range};
use crate::size::Bytes as Size;

/// Its writes wait until it is opened.
#[derive(Debug)]
struct Gate(Semaphore);

#[wasmtime_wasi::async_trait]
impl KeyValue for Gate {
    fn get(&self, _: &str) -> Result<Option<Item>, KeyValueError> {
        Ok(None)
    }

    fn list(&self, _: &Range) -> Result<Page, KeyValueError> {
        Ok(Page::default())
    }

    async fn write(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, KeyValueError> {
        let _open = self.0.acquire().await.unwrap();
        Ok(writes.iter().map(|_| Outcome::WasAbsent).collect())
    }
}

fn value(bytes: usize) -> Vec<Write> {
    let change = Change::Set {
        value: vec![0; bytes].into(),
        ttl: None,
        expected: Expected::Any,
    };
    let key = "k".to_owned();
    vec![Write { key, change }]
}

#[tokio::test]
async fn what_waits_for_the_disk_is_charged_to_the_task() {
    let gate = Arc::new(Gate(Semaphore::new(0)));
    let charged = Charged {
        store: gate.clone(),
        envelope: Arc::new(Envelope::new(Size::kib(100))),
    };
    let mut first = std::pin::pin!(charged.write(value(60 * 1024)));
    assert!(futures_util::poll!(&mut first).is_pending());
    assert_eq!(charged.envelope.used(), 60 * 1024 + 1);
    let refused = charged.write(value(60 * 1024)).await.unwrap_err();
    assert!(
        matches!(&refused, KeyValueError::Unavailable(why) if why.contains("`memory`")),
        "{refused}"
    );
    gate.0.add_permits(1);
    first.await.unwrap();
    assert_eq!(charged.envelope.used(), 0);
    charged.write(value(60 * 1024)).await.unwrap();
}

#[tokio::test]
async fn one_call_writes_so_many_keys_at_most() {
    let charged = Charged {
        store: Arc::new(Gate(Semaphore::new(1))),
        envelope: Arc::new(Envelope::new(Size::mib(1))),
    };
    let many = |count| {
        vec![
            Write {
                key: "k".to_owned(),
                change: Change::Delete
            };
            count
        ]
    };
    assert_eq!(charged.write(many(MAX_ENTRIES)).await.unwrap().len(), MAX_ENTRIES);
    let refused = charged.write(many(MAX_ENTRIES + 1)).await.unwrap_err();
    assert_eq!(
        refused,
        KeyValueError::Invalid("1001 keys at once; 1000 are allowed".to_owned())
    );
}
