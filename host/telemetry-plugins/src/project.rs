//! Projection: of each row the declared fields and nothing else, in columns.

use std::cell::RefCell;

use telemetry_model::{Batch, BatchBuilder, Rows};

use crate::manifest::Read;

/// Buffers larger than this are given back to the system.
const KEEP: usize = 2 << 20;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The columns `reads` of `chosen` rows.
pub(crate) fn project(rows: &dyn Rows, chosen: &[u32], reads: &[Read]) -> Batch {
    let mut batch = BatchBuilder::new(chosen.len(), BUFFER.take());
    for read in reads {
        batch.values(read.ty, |at| match chosen.get(at) {
            Some(row) => rows.value(*row as usize, &read.field),
            None => telemetry_model::Value::Absent,
        });
    }
    batch.finish()
}

/// Gives the buffer of a batch back for the next one of this thread.
pub(crate) fn recycle(batch: Batch) {
    let mut data = batch.data;
    if data.capacity() <= KEEP {
        data.clear();
        BUFFER.replace(data);
    }
}
