//! Bytes of bodies that may be in the server at once: what keeps memory flat when more comes in than can be stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More bytes were asked for than are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many bytes wait to be processed")]
pub struct Exhausted;

/// Shared by all requests.
#[derive(Clone, Debug)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Budget { used: Arc::default(), limit }
    }

    /// An empty lease.
    pub fn lease(&self) -> Lease {
        Lease { budget: self.clone(), held: 0 }
    }
}

/// Bytes taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    held: usize,
}

impl Lease {
    /// Takes `bytes` more.
    ///
    /// # Errors
    /// [`Exhausted`]; what is held stays held.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let limit = self.budget.limit;
        let take = |used: usize| used.checked_add(bytes).filter(|total| *total <= limit);
        self.budget.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).map_err(|_| Exhausted)?;
        self.held += bytes;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.held, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_no_more_than_it_has_and_takes_back() {
        let budget = Budget::new(10);
        let (mut first, mut second) = (budget.lease(), budget.lease());
        assert_eq!((first.grow(6), second.grow(5), second.grow(4)), (Ok(()), Err(Exhausted), Ok(())));
        drop(first);
        assert_eq!((second.grow(6), second.grow(usize::MAX)), (Ok(()), Err(Exhausted)));
    }
}
