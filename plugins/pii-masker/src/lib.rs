//! Replaces personal data by `[pii:category]`; of a card the last four digits stay: `[pii:card:1111]`.

mod card;
mod contact;
mod number;
mod scan;

use cylestio_plugin_sdk::{Leaf, Masker, Settings, Spans, export_masker};
use scan::{Category, scan};

struct PiiMasker {
    /// A bit for each category.
    on: u8,
}

impl Default for PiiMasker {
    fn default() -> Self {
        PiiMasker { on: u8::MAX }
    }
}

impl Masker for PiiMasker {
    fn configure(&mut self, settings: &Settings) -> Result<(), String> {
        let Some(list) = settings.text("categories") else { return Ok(()) };
        self.on = 0;
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = Category::ALL.iter().find(|category| category.name() == name);
            let category = known.ok_or_else(|| format!("`categories`: `{name}` is not one of email, phone, card, iban, ssn, ip"))?;
            self.on |= 1 << *category as u8;
        }
        Ok(())
    }

    fn mask(&self, leaf: &Leaf, out: &mut Spans) {
        let text = leaf.text;
        scan(text.as_bytes(), self.on, |category, place| {
            let last = place.end.checked_sub(4).and_then(|from| text.get(from..place.end));
            match (category, last) {
                (Category::Card, Some(last)) => out.replace(place, &["[pii:card:", last, "]"].concat()),
                _ => out.replace(place, &["[pii:", category.name(), "]"].concat()),
            }
        });
    }
}

export_masker!(PiiMasker);
