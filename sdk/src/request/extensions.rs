//! Values by their type: what a router gives its handlers, and middleware to what comes after it.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

/// Values by their type. There are few of them, so they are looked for one by one.
#[derive(Clone, Default)]
pub struct Extensions(Vec<Rc<dyn Any>>);

impl Extensions {
    /// Adds a value. An earlier one of the same type is hidden.
    pub fn insert<T: 'static>(&mut self, value: T) {
        self.0.push(Rc::new(value));
    }

    /// The value of that type that was added last.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.iter().rev().find_map(|value| value.downcast_ref())
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}
