//! One call of a masker, whatever was seen before: for measuring it.

use super::columns::LeafBatch;
use super::{Leaf, answer};
use crate::call::CallError;
use crate::plugin::Plugin;

/// Shows `leaves` to a fresh instance and checks what it answers. Gives the instance's linear memory, bytes.
///
/// # Errors
/// How it failed.
pub(crate) fn mask_once(plugin: &Plugin, leaves: &[Leaf<'_>], budget: u64) -> Result<usize, CallError> {
    let sent = LeafBatch::new(leaves, 0..leaves.len(), plugin.manifest.leaves.pointer);
    let (answered, _) = plugin.callee.fresh(budget, |live| {
        let answer = plugin.enrich(live, &sent.batch)?;
        Ok(answer.map(|answer| (answer, live.store.data().memory_bytes())))
    });
    let limit = plugin.limits.output_bytes;
    let memory = answered.and_then(|(answer, memory)| answer::read(&sent, &answer, limit).map(|_| memory));
    sent.recycle();
    memory
}
