//! The last lines that a plugin logged. They never reach the server's log.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// A line of a plugin's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Counts from 1 for each plugin; gaps are lines that were dropped.
    pub number: u64,
    /// debug, info, warn or error.
    pub level: &'static str,
    /// At most 2 KiB.
    pub message: String,
}

/// Bytes of a line that are kept.
pub(crate) const MAX_LINE: usize = 2 << 10;

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    keep: usize,
    lines: Mutex<(u64, VecDeque<LogLine>)>,
}

impl Ring {
    pub(crate) fn new(keep: usize) -> Self {
        Ring { keep, lines: Mutex::default() }
    }

    /// Adds a line, or only counts it.
    pub(crate) fn push(&self, level: &'static str, message: Option<String>) {
        let mut guard = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, lines) = &mut *guard;
        *number += 1;
        let Some(message) = message else { return };
        if lines.len() >= self.keep {
            lines.pop_front();
        }
        lines.push_back(LogLine { number: *number, level, message });
    }

    /// The lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).1.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_lines_and_counts_the_others() {
        let ring = Ring::new(2);
        for message in ["a", "b", "c"] {
            ring.push("info", Some(message.into()));
        }
        ring.push("info", None);
        ring.push("warn", Some("d".into()));
        let kept: Vec<_> = ring.lines().into_iter().map(|line| (line.number, line.message)).collect();
        assert_eq!(kept, [(3, "c".to_owned()), (5, "d".to_owned())]);
    }
}
