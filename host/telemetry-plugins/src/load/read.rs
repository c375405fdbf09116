//! Reading a component's file: its size is known before a byte is read.

use std::io::Read as _;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::LoadError;

/// The bytes of `path`: a regular file of at most `limit` bytes, links not followed.
///
/// # Errors
/// [`LoadError::Read`], [`LoadError::NotAFile`], [`LoadError::Linked`], [`LoadError::TooLarge`].
pub(crate) fn file(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let failed = |source: std::io::Error| LoadError::Read { path: path.to_owned(), source };
    // Without blocking: opening a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let descriptor = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => descriptor,
        Err(rustix::io::Errno::LOOP) => return Err(LoadError::Linked(path.to_owned())),
        Err(error) => return Err(failed(error.into())),
    };
    let stat = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(LoadError::NotAFile(path.to_owned()));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let too_large = |size| LoadError::TooLarge { path: path.to_owned(), size, limit };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // One byte more than allowed: the file may have grown since.
    std::fs::File::from(descriptor).take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// SHA-256, hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_by_size_before_reading_and_what_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wasm");
        std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(matches!(file(&path, 32 << 20), Err(LoadError::TooLarge { size: 0x4000_0000, .. })));
        assert!(matches!(file(folder.path(), 32 << 20), Err(LoadError::NotAFile(_))));
        let link = folder.path().join("link.wasm");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(file(&link, 2 << 30), Err(LoadError::Linked(_))));
        assert!(matches!(file(Path::new("/dev/zero"), 32 << 20), Err(LoadError::NotAFile(_))));
        assert!(matches!(file(&folder.path().join("none"), 9), Err(LoadError::Read { .. })));
        std::fs::write(folder.path().join("small"), b"abc").unwrap();
        assert_eq!(file(&folder.path().join("small"), 3).unwrap(), b"abc");
    }
}
