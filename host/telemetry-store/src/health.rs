//! Whether events can be stored, as the last writes told. Asking writes a few bytes, so that no silence looks like health.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use telemetry_model::Timestamp;

/// How long a probe that went well is believed, nanoseconds.
const BELIEVED: i64 = 10_000_000_000;
/// Bytes of a probe while all is well.
const SMALL: usize = 16;
/// Bytes at least and at most of a probe after a failure: as many as could not be written.
const LARGE: [usize; 2] = [64 << 10, 1 << 20];

/// What the writer remembers of its last writes.
pub(crate) struct WriteHealth {
    /// Bytes of what could not be written; 0 while all is well.
    failed: AtomicUsize,
    /// When a probe was last asked for, UTC nanoseconds.
    asked: AtomicI64,
}

impl WriteHealth {
    pub(crate) fn new() -> Self {
        WriteHealth { failed: AtomicUsize::new(0), asked: AtomicI64::new(i64::MIN) }
    }

    /// Whether to probe: always after a failure, else when the last probe is no longer believed.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        let believed = asked <= now.0 && now.0 < asked.saturating_add(BELIEVED);
        if self.failed.load(Ordering::Relaxed) == 0 && believed {
            return false;
        }
        self.asked.store(now.0, Ordering::Relaxed);
        true
    }

    /// Bytes that the next probe must write.
    pub(crate) fn probe_bytes(&self) -> usize {
        let [least, most] = LARGE;
        match self.failed.load(Ordering::Relaxed) {
            0 => SMALL,
            bytes => bytes.clamp(least, most),
        }
    }

    /// Bytes were written.
    pub(crate) fn worked(&self) {
        self.failed.store(0, Ordering::Relaxed);
    }

    /// A request of `bytes` could not be written for want of room or a working disk.
    pub(crate) fn failed(&self, bytes: usize) {
        self.failed.fetch_max(bytes.max(1), Ordering::Relaxed);
    }
}
