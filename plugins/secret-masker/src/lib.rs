//! Replaces credentials by `[secret:kind:last4]`. What is no credential by its shape stays.

mod card;
mod keys;
mod kind;
mod many;
mod pem;
mod scan;
mod token;
mod url;

use cylestio_plugin_sdk::{Leaf, Masker, Settings, Spans, export_masker};
use kind::Kind;
use scan::scan;

#[derive(Default)]
struct SecretMasker {
    /// A bit for each kind that is left alone.
    left: u64,
}

impl Masker for SecretMasker {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        if settings.raw("leave").is_none_or(|raw| raw == "\"\"") {
            return Ok(());
        }
        for name in settings.text("leave").unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let kind = Kind::ALL.iter().find(|kind| kind.name() == name).ok_or_else(|| format!("`leave`: `{name}` is not a kind"))?;
            self.left |= 1 << *kind as u8;
        }
        Ok(())
    }

    fn mask(&self, leaf: &Leaf, out: &mut Spans) {
        let text = leaf.text.as_bytes();
        scan::<false>(text, |secret| {
            if self.left & (1 << secret.kind as u8) == 0 {
                out.replace(secret.place.clone(), &mark(text, &secret));
            }
        });
    }
}

export_masker!(SecretMasker);

/// `[secret:kind:last4]`; of a short secret the last four are not told.
fn mark(text: &[u8], secret: &scan::Secret) -> String {
    let last = text.get(secret.place.end.saturating_sub(4)..secret.place.end).filter(|last| secret.is_long && last.is_ascii());
    let last = last.and_then(|last| std::str::from_utf8(last).ok()).filter(|last| !last.contains(']')).unwrap_or("****");
    let mut mark = String::with_capacity(40);
    for part in ["[secret:", secret.kind.name(), ":", last, "]"] {
        mark.push_str(part);
    }
    mark
}
