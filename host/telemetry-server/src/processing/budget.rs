//! Bytes of bodies that may be in the server at once: what keeps memory flat when more comes in than can be stored.
//!
//! Large bodies may not take all of it, so that a few of them do not turn lone events away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A body of more bytes is large.
const SMALL: usize = 1 << 20;
/// Large bodies leave at least so much of a budget to small ones, or a quarter of it when that is less.
const RESERVE: usize = 16 << 20;

/// More bytes were asked for than are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many bytes wait to be processed")]
pub struct Exhausted;

/// Shared by all requests.
#[derive(Clone, Debug)]
pub struct Budget {
    used: Arc<Mutex<Used>>,
    limit: usize,
}

/// Bytes held by bodies of each kind.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    small: usize,
    large: usize,
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

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allows(&self, used: Used) -> bool {
        let reserve = RESERVE.min(self.limit / 4);
        used.large <= self.limit - reserve && used.large.saturating_add(used.small) <= self.limit
    }
}

impl Used {
    /// Exchanges what one lease holds: its kind goes by its size.
    fn exchange(mut self, before: usize, after: usize) -> Self {
        *self.of(before) -= before;
        let slot = self.of(after);
        *slot = slot.saturating_add(after);
        self
    }

    fn of(&mut self, held: usize) -> &mut usize {
        if held > SMALL { &mut self.large } else { &mut self.small }
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
        let held = self.held.checked_add(bytes).ok_or(Exhausted)?;
        let mut used = self.budget.used();
        let then = used.exchange(self.held, held);
        if !self.budget.allows(then) {
            return Err(Exhausted);
        }
        *used = then;
        self.held = held;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut used = self.budget.used();
        *used = used.exchange(self.held, 0);
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

    #[test]
    fn large_bodies_leave_room_for_small_ones() {
        let budget = Budget::new(100 << 20);
        let (mut first, mut second, mut third) = (budget.lease(), budget.lease(), budget.lease());
        assert_eq!((first.grow(80 << 20), second.grow(1 << 20), second.grow(4 << 20)), (Ok(()), Ok(()), Err(Exhausted)));
        assert_eq!(second.grow(3 << 20), Ok(()));
        let small: Vec<_> = std::iter::repeat_with(|| {
            let mut lease = budget.lease();
            lease.grow(SMALL).map(|()| lease)
        })
        .map_while(Result::ok)
        .collect();
        assert_eq!(small.len(), 16);
        drop((first, small));
        assert_eq!((third.grow(80 << 20), third.grow(1)), (Ok(()), Err(Exhausted)));
        drop((second, third));
        let used = *budget.used();
        assert_eq!((used.small, used.large), (0, 0));
    }
}
