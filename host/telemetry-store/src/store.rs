//! The handle that everyone holds.

use std::sync::Arc;

use r2d2_sqlite::SqliteConnectionManager;
use telemetry_model::{Clock, DigestKey};

use crate::error::StoreError;
use crate::open;
use crate::settings::StoreSettings;

/// One open database. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    key: DigestKey,
    readers: r2d2::Pool<SqliteConnectionManager>,
    clock: Arc<dyn Clock>,
    _lock: open::WriterLock,
}

impl Store {
    /// Makes or migrates the file and takes the right to write to it.
    ///
    /// # Errors
    /// When the path is unusable, the file foreign, too new or in use by another process.
    pub fn open(settings: StoreSettings, clock: Arc<dyn Clock>) -> Result<Store, StoreError> {
        let file = open::open(&settings)?;
        let readers = open::readers(&settings)?;
        Ok(Store { shared: Arc::new(Shared { key: file.key, readers, clock, _lock: file.lock }) })
    }

    /// The key of this database's digests.
    pub fn digest_key(&self) -> &DigestKey {
        &self.shared.key
    }

    /// A connection for reading; back to the pool when dropped.
    pub(crate) fn reader(&self) -> Result<r2d2::PooledConnection<SqliteConnectionManager>, StoreError> {
        self.shared.readers.get().map_err(|_| StoreError::Busy)
    }

    /// The clock the store was opened with.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }
}
