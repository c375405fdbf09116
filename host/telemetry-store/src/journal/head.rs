//! The chain's end, written to a file outside of the database, so that a journal whose end was cut off does not verify.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

/// So long the file may lag behind.
const PAUSE: Duration = Duration::from_secs(1);

/// The last entry and its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `journal_entries.id`; 0 of an empty journal.
    pub entry: i64,
    /// Its `chain`.
    pub chain: [u8; 32],
}

impl Head {
    /// The hash in hex.
    pub fn hex(&self) -> String {
        self.chain.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// One line: number and hash.
    pub fn line(&self) -> String {
        format!("{} {}\n", self.entry, self.hex())
    }

    /// Reads [`Head::line`]. `None` when it is not one.
    pub fn parse(line: &str) -> Option<Self> {
        let (entry, hex) = line.trim().split_once(' ')?;
        let mut chain = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in chain.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Head { entry: entry.parse().ok()?, chain })
    }
}

/// Keeps the file up to date, on a thread of its own that sleeps while nothing is appended.
pub(crate) struct HeadFile {
    last: Arc<Mutex<Head>>,
    wake: Option<Sender<()>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HeadFile {
    pub(crate) fn start(path: Option<PathBuf>) -> Self {
        let last = Arc::new(Mutex::new(Head::default()));
        let Some(path) = path else { return HeadFile { last, wake: None, end: None, thread: None } };
        let (wake, woken) = bounded::<()>(1);
        let (end, ending) = bounded::<()>(0);
        let seen = Arc::clone(&last);
        let write = move || {
            let mut written = Head::default();
            while woken.recv().is_ok() {
                // What comes meanwhile is written together; at the end nobody waits.
                let ended = ending.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected);
                let head = *seen.lock().unwrap_or_else(PoisonError::into_inner);
                if head != written && save(&path, head) {
                    written = head;
                }
                if ended {
                    break;
                }
            }
            let head = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            if head != written {
                save(&path, head);
            }
        };
        let thread = std::thread::Builder::new().name("journal-head".into()).spawn(write).ok();
        HeadFile { last, wake: Some(wake), end: Some(end), thread }
    }

    /// The chain now ends here.
    pub(crate) fn moved(&self, head: Option<Head>) {
        let Some(head) = head else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == head {
            return;
        }
        *last = head;
        drop(last);
        if let Some(wake) = &self.wake {
            // One who is awake already will see it.
            let _ = wake.try_send(());
        }
    }

    /// Writes the last and ends.
    pub(crate) fn finish(mut self) {
        let head = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if head.entry > 0 {
            tracing::info!(journal.entry = head.entry, journal.head = head.hex(), "journal head");
        }
        self.wake = None;
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A reader sees the old line or the new one, never a part.
fn save(path: &Path, head: Head) -> bool {
    let beside = path.with_extension("new");
    let done = std::fs::write(&beside, head.line()).and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = &done {
        tracing::warn!(path = %path.display(), error = %error, "journal.head.failed");
    }
    done.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let head = Head { entry: 7, chain: [0xa5; 32] };
        assert_eq!(Head::parse(&head.line()), Some(head));
        assert_eq!(Head::parse("7 a5"), None);
        assert_eq!(Head::parse(""), None);
    }

    #[test]
    fn the_file_has_the_last_head_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let file = HeadFile::start(Some(path.clone()));
        for entry in 1..=3 {
            file.moved(Some(Head { entry, chain: [entry as u8; 32] }));
        }
        file.finish();
        assert_eq!(Head::parse(&std::fs::read_to_string(path).unwrap()).map(|head| head.entry), Some(3));
    }
}
