//! Keeps the folder small: a plugin that is built again and again would leave an entry each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};

/// Bytes of all entries together.
pub(super) const MOST: u64 = 1 << 30;

/// Notes that an entry was used now.
pub(super) fn touch(entry: &Path) {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    };
    // One that cannot be noted is removed a little early.
    let _ = utimensat(CWD, entry, &times, AtFlags::SYMLINK_NOFOLLOW);
}

/// Removes entries, those that were used the longest ago first, until `most` bytes are left. `kept` is not removed.
pub(super) fn prune(folder: &Path, most: u64, kept: &Path) {
    let Ok(listed) = fs::read_dir(folder) else { return };
    let mut entries: Vec<(SystemTime, u64, PathBuf)> = listed.filter_map(|entry| described(&entry.ok()?)).collect();
    let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
    entries.sort();
    for (_, size, path) in entries {
        if total <= most {
            return;
        }
        if path != kept && fs::remove_file(&path).is_ok() {
            total = total.saturating_sub(size);
        }
    }
}

fn described(entry: &fs::DirEntry) -> Option<(SystemTime, u64, PathBuf)> {
    let (path, meta) = (entry.path(), entry.metadata().ok()?);
    let is_ours = meta.is_file() && path.extension().is_some_and(|extension| extension == "cwasm" || extension == "new");
    is_ours.then_some(()).and_then(|()| Some((meta.modified().ok()?, meta.len(), path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_what_was_used_the_longest_ago() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, age) in [("a.cwasm", 5), ("b.cwasm", 4), ("c.cwasm", 3), ("notes.txt", 9)] {
            fs::write(path(name), [0; 100]).unwrap();
            let times = Timestamps {
                last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
                last_modification: Timespec { tv_sec: 1_000_000 - age, tv_nsec: 0 },
            };
            utimensat(CWD, path(name), &times, AtFlags::empty()).unwrap();
        }
        touch(&path("a.cwasm"));
        prune(folder.path(), 200, &path("c.cwasm"));
        assert!(path("a.cwasm").exists() && !path("b.cwasm").exists() && path("c.cwasm").exists());
        prune(folder.path(), 0, &path("c.cwasm"));
        assert!(!path("a.cwasm").exists() && path("c.cwasm").exists() && path("notes.txt").exists());
    }
}
