//! What was just seen, as long as it counts: from the look that decides on a change until that change is made. A look can be
//! a process of its own, or a hundred questions to the kernel, so that one answers the steps that follow each other.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// For as long, others are taken to have changed nothing.
const FRESH: Duration = Duration::from_secs(1);

/// What was seen, by what it was seen of.
pub(super) struct Fresh<K, T> {
    seen: RefCell<BTreeMap<K, (Instant, T)>>,
}

impl<K, T> Default for Fresh<K, T> {
    fn default() -> Self {
        Self { seen: RefCell::default() }
    }
}

impl<K: Ord, T: Clone> Fresh<K, T> {
    /// Keeps what was seen now.
    pub(super) fn keep(&self, of: K, seen: T) {
        self.seen.borrow_mut().insert(of, (Instant::now(), seen));
    }

    /// What was just seen, unless something was changed since.
    pub(super) fn last<Q: Ord + ?Sized>(&self, of: &Q) -> Option<T>
    where
        K: Borrow<Q>,
    {
        self.seen.borrow().get(of).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, seen)| seen.clone())
    }

    /// Something was changed: what was seen may be so no longer.
    pub(super) fn forget(&self) {
        self.seen.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_counts_until_something_is_changed_or_a_second_is_over() {
        let fresh = Fresh::default();
        assert_eq!(fresh.last("kubelet.service"), None);
        fresh.keep("kubelet.service".to_owned(), 1);
        assert_eq!((fresh.last("kubelet.service"), fresh.last("containerd.service")), (Some(1), None));
        fresh.forget();
        assert_eq!(fresh.last("kubelet.service"), None);
        let long_ago = Instant::now().checked_sub(FRESH).unwrap();
        fresh.seen.borrow_mut().insert("kubelet.service".to_owned(), (long_ago, 2));
        assert_eq!(fresh.last("kubelet.service"), None);
    }
}
