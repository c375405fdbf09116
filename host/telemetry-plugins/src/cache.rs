//! Compiled components on disk. A `.cwasm` is native code: it is only ever loaded from a buffer whose MAC was checked.
//!
//! The folder is 0700 and the user's own, an entry 0600; an entry is `MAC || bytes`, the MAC a keyed BLAKE3 over the engine, the
//! component's digest and the bytes. Whatever is not as it must be is recompiled, with a warning.

mod prune;

use std::fs::{self, DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::Made;
use crate::load::read::hex;

const MAC: usize = 32;
/// No compiled component is larger, bytes.
const MAX_ENTRY: u64 = 512 << 20;

/// A folder of compiled components and the key that authenticates them.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    engine: [u8; 32],
}

/// Why an entry is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    /// There is none.
    #[error("no entry")]
    Absent,
    /// A link, another owner, a loose mode, a wrong MAC, refused by the engine.
    #[error("{0}")]
    Untrusted(String),
    /// The system says no.
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl Cache {
    /// Opens or makes the folders and the key.
    ///
    /// # Errors
    /// When they cannot be made, or are another's, or open to others.
    pub(crate) fn open(folder: &Path, state: &Path, engine: &Engine) -> Result<Self, CacheError> {
        private_folder(folder)?;
        private_folder(state)?;
        let key = read_or_make_key(&state.join("component-cache.key"))?;
        Ok(Cache { folder: folder.to_owned(), key, engine: fingerprint(engine) })
    }

    /// The compiled component of `digest`.
    ///
    /// # Errors
    /// [`CacheError::Absent`], or why the entry is not trusted.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Result<Component, CacheError> {
        let entry = read_private(&self.path(digest), MAX_ENTRY)?;
        let Some((mac, code)) = entry.split_first_chunk::<MAC>() else {
            return Err(CacheError::Untrusted("shorter than its MAC".into()));
        };
        // `Hash` compares in constant time.
        if blake3::Hash::from_bytes(*mac) != self.mac(digest, code) {
            return Err(CacheError::Untrusted("its MAC is wrong".into()));
        }
        prune::touch(&self.path(digest));
        native::deserialize(engine, code).map_err(|error| CacheError::Untrusted(format!("the engine refuses it: {error}")))
    }

    /// Keeps a compiled component, in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn store(&self, digest: &str, component: &Component) -> Result<(), CacheError> {
        let code = component.serialize().map_err(|error| CacheError::Untrusted(format!("it cannot be serialized: {error}")))?;
        self.keep(digest, &code)
    }

    fn keep(&self, digest: &str, code: &[u8]) -> Result<(), CacheError> {
        let path = self.path(digest);
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let written = write_new(&draft, &[self.mac(digest, code).as_bytes(), code]).and_then(|()| fs::rename(&draft, &path));
        prune::prune(&self.folder, prune::MOST, &path);
        written.map_err(|source| {
            // What is left is refused for want of a MAC in any case.
            let _ = fs::remove_file(&draft);
            CacheError::Io { what: "write the entry", source }
        })
    }

    /// Whether there is an entry for `digest`, trusted or not.
    pub(crate) fn has(&self, digest: &str) -> bool {
        self.path(digest).is_file()
    }

    fn path(&self, digest: &str) -> PathBuf {
        let engine: [u8; 8] = self.engine.first_chunk().copied().unwrap_or_default();
        self.folder.join(format!("{digest}-{}.cwasm", hex(&engine)))
    }

    fn mac(&self, digest: &str, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&self.engine);
        hasher.update(digest.as_bytes());
        hasher.update(code);
        hasher.finalize()
    }
}

/// Takes what a compiling child of this very program wrote into its pipe, and keeps it when there is a cache.
///
/// # Errors
/// When the engine refuses it.
pub(crate) fn take(engine: &Engine, cache: Option<&Cache>, digest: &str, made: &Made) -> Result<Component, CacheError> {
    let component = native::deserialize(engine, made.code())
        .map_err(|error| CacheError::Untrusted(format!("the engine refuses what was compiled apart: {error}")))?;
    if let Some(cache) = cache
        && let Err(error) = cache.keep(digest, made.code())
    {
        tracing::warn!(error = %error, "compiled component not cached");
    }
    Ok(component)
}

/// A hash of all that makes compiled code fit this engine.
fn fingerprint(engine: &Engine) -> [u8; 32] {
    struct Collect(blake3::Hasher);
    impl Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut collect = Collect(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut collect);
    collect.0.finalize().into()
}

/// Makes `path` with mode 0700, or checks that it is a folder of this user's that nobody else can enter.
fn private_folder(path: &Path) -> Result<(), CacheError> {
    let io = |what| move |source| CacheError::Io { what, source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("make the folder above"))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io("make the folder")(error)),
        _ => {}
    }
    let meta = fs::symlink_metadata(path).map_err(io("look at the folder"))?;
    let shown = path.display();
    if !meta.is_dir() {
        return Err(CacheError::Untrusted(format!("`{shown}` is not a folder")));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(CacheError::Untrusted(format!("`{shown}` belongs to another user")));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(CacheError::Untrusted(format!("`{shown}` is open to others (mode {:o})", meta.mode() & 0o777)));
    }
    Ok(())
}

fn read_or_make_key(path: &Path) -> Result<[u8; 32], CacheError> {
    match read_private(path, 32) {
        Err(CacheError::Absent) => {}
        other => {
            let key = other?;
            return key.as_slice().try_into().map_err(|_| CacheError::Untrusted("the key is not 32 bytes".into()));
        }
    }
    let io = |what| move |source| CacheError::Io { what, source };
    let mut key = [0; 32];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut key)).map_err(io("draw a key"))?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    write_new(&draft, &[&key]).map_err(io("write the key"))?;
    // A link fails when another process was first: then its key holds.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(io("write the key"))?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let key = read_private(path, 32)?;
            key.as_slice().try_into().map_err(|_| CacheError::Untrusted("the key is not 32 bytes".into()))
        }
        Err(error) => Err(io("write the key")(error)),
    }
}

/// The bytes of a regular file of this user's with mode 0600 or less; links are not followed.
fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, CacheError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let descriptor = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => descriptor,
        Err(rustix::io::Errno::NOENT) => return Err(CacheError::Absent),
        Err(rustix::io::Errno::LOOP) => return Err(CacheError::Untrusted("it is a link".into())),
        Err(error) => return Err(CacheError::Io { what: "open", source: error.into() }),
    };
    let stat = rustix::fs::fstat(&descriptor).map_err(|error| CacheError::Io { what: "look at", source: error.into() })?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(CacheError::Untrusted("it is not a regular file".into()));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(CacheError::Untrusted("it belongs to another user".into()));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(CacheError::Untrusted(format!("it is open to others (mode {:o})", stat.st_mode & 0o777)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0));
    File::from(descriptor).take(limit + 1).read_to_end(&mut bytes).map_err(|source| CacheError::Io { what: "read", source })?;
    if bytes.len() as u64 > limit { Err(CacheError::Untrusted("it is too large".into())) } else { Ok(bytes) }
}

fn write_new(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let descriptor = match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        // Left by a process of the same id that died.
        Err(rustix::io::Errno::EXIST) => {
            fs::remove_file(path)?;
            rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?
        }
        other => other?,
    };
    let mut file = File::from(descriptor);
    parts.iter().try_for_each(|part| file.write_all(part))
}

/// The one unsafe step.
#[allow(unsafe_code)]
mod native {
    use wasmtime::component::Component;
    use wasmtime::{Engine, Result};

    /// Takes native code as a component. Only for a buffer whose MAC was checked against this process's key, or that a child of this
    /// program wrote into a pipe that nobody else holds: such bytes are what the engine's own compiler gave.
    pub(super) fn deserialize(engine: &Engine, code: &[u8]) -> Result<Component> {
        // SAFETY: see above; the bytes are those that were authenticated or made by our child, in memory, and cannot change since.
        unsafe { Component::deserialize(engine, code) }
    }
}

/// Whether `engine` takes `code`.
#[cfg(test)]
pub(crate) fn fits(engine: &Engine, code: &[u8]) -> bool {
    native::deserialize(engine, code).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::engine::Host;

    struct Bench {
        folder: tempfile::TempDir,
        host: Host,
        cache: Cache,
    }

    const DIGEST: &str = "d1";

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new().unwrap();
        let cache = Cache::open(&folder.path().join("cache"), &folder.path().join("state"), &host.engine).unwrap();
        let component = Component::new(&host.engine, wasm_encoder::Component::new().finish()).unwrap();
        cache.store(DIGEST, &component).unwrap();
        Bench { folder, host, cache }
    }

    fn refused(bench: &Bench) -> String {
        bench.cache.load(&bench.host.engine, DIGEST).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn loads_what_it_stored_also_after_a_restart() {
        let bench = bench();
        bench.cache.load(&bench.host.engine, DIGEST).unwrap();
        let again = Cache::open(&bench.folder.path().join("cache"), &bench.folder.path().join("state"), &bench.host.engine).unwrap();
        again.load(&bench.host.engine, DIGEST).unwrap();
        assert!(matches!(again.load(&bench.host.engine, "d2"), Err(CacheError::Absent)));
    }

    #[test]
    fn refuses_a_flipped_byte_anywhere() {
        let bench = bench();
        let path = bench.cache.path(DIGEST);
        let good = fs::read(&path).unwrap();
        for at in [0, 31, 32, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(refused(&bench), "its MAC is wrong");
        }
        fs::write(&path, &good[..20]).unwrap();
        assert_eq!(refused(&bench), "shorter than its MAC");
    }

    #[test]
    fn refuses_an_entry_of_another_component() {
        let bench = bench();
        fs::copy(bench.cache.path(DIGEST), bench.cache.path("d2")).unwrap();
        let error = bench.cache.load(&bench.host.engine, "d2").map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "its MAC is wrong");
    }

    #[test]
    fn refuses_a_link() {
        let bench = bench();
        let path = bench.cache.path(DIGEST);
        let elsewhere = bench.folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert_eq!(refused(&bench), "it is a link");
    }

    #[test]
    fn refuses_a_loose_mode() {
        let bench = bench();
        fs::set_permissions(bench.cache.path(DIGEST), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(refused(&bench), "it is open to others (mode 644)");
        let cache = bench.folder.path().join("cache");
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Cache::open(&cache, &bench.folder.path().join("state"), &bench.host.engine).is_err());
    }

    #[test]
    fn refuses_a_key_open_to_others_or_linked() {
        let bench = bench();
        let state = bench.folder.path().join("state");
        let key = state.join("component-cache.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Cache::open(&bench.folder.path().join("cache"), &state, &bench.host.engine).is_err());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&key, state.join("moved")).unwrap();
        symlink(state.join("moved"), &key).unwrap();
        assert!(Cache::open(&bench.folder.path().join("cache"), &state, &bench.host.engine).is_err());
    }
}
