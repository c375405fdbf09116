//! Replaces the numbers of employees' badges: EMP- and digits.

use cylestio_plugin_sdk::{Leaf, Masker, Spans, export_masker};

#[derive(Default)]
struct BadgeMasker;

impl Masker for BadgeMasker {
    fn mask(&self, leaf: &Leaf, out: &mut Spans) {
        for (start, word) in leaf.text.match_indices("EMP-") {
            let number = start + word.len();
            let digits = leaf.text[number..].bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 {
                out.replace(start..number + digits, "[badge]");
            }
        }
    }
}

export_masker!(BadgeMasker);
