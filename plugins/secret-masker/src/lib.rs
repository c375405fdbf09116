//! Replaces credentials by `[secret:kind:last4]`. What is no credential by its shape stays.

mod card;
mod keys;
mod kind;
mod many;
mod pem;
mod scan;
mod set;
#[cfg(test)]
mod tests;
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
        scan::<false>(text, self.left, |secret| {
            let (mut mark, length) = MARKS[secret.kind as usize];
            if let Some(last) = last(text, &secret)
                && let Some(told) = mark.get_mut(length - 5..length - 1)
            {
                told.copy_from_slice(&last);
            }
            let mark = mark.get(..length).and_then(|mark| std::str::from_utf8(mark).ok()).unwrap_or("[secret]");
            out.replace(secret.place, mark);
        });
    }
}

export_masker!(SecretMasker);

/// The last four characters of a long secret.
fn last(text: &[u8], secret: &scan::Secret) -> Option<[u8; 4]> {
    let last = text.get(..secret.place.end)?.last_chunk::<4>().filter(|_| secret.is_long)?;
    (last.is_ascii() && !last.contains(&b']')).then_some(*last)
}

/// `[secret:kind:****]` of each kind and its length: made once, since a component copies what has a fixed size much faster.
static MARKS: [([u8; 32], usize); Kind::ALL.len()] = {
    let mut marks = [([0; 32], 0); Kind::ALL.len()];
    let mut kind = 0;
    while kind < marks.len() {
        let parts = [b"[secret:", Kind::ALL[kind].name().as_bytes(), b":****]"];
        let (mut part, mut length) = (0, 0);
        while part < parts.len() {
            let mut byte = 0;
            while byte < parts[part].len() {
                marks[kind].0[length] = parts[part][byte];
                length += 1;
                byte += 1;
            }
            part += 1;
        }
        marks[kind].1 = length;
        kind += 1;
    }
    marks
};
