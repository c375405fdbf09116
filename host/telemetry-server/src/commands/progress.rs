//! How far a command has come, on a terminal only.

use std::io::{IsTerminal as _, Write as _};

/// One line that is written over.
pub(super) struct Progress {
    what: &'static str,
    is_shown: bool,
    told: u64,
}

impl Progress {
    /// Of so many `what`.
    pub(super) fn new(what: &'static str) -> Self {
        Progress { what, is_shown: std::io::stderr().is_terminal(), told: 0 }
    }

    /// So many are done; always true: it goes on.
    pub(super) fn tell(&mut self, done: u64) -> bool {
        if self.is_shown && done >= self.told + 1_000 {
            self.told = done;
            // A terminal that is gone has no progress to show.
            let _ = write!(std::io::stderr(), "\r{done} {}", self.what);
        }
        true
    }

    /// So many are done, and what is said of it.
    pub(super) fn tell_of(&mut self, done: u64, line: &str) {
        if self.is_shown {
            self.told = done.max(1);
            let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        if self.told > 0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
