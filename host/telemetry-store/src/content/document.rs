//! Documents while they are built: their text with holes where ids go that only the writer knows.

/// What goes into a hole: an index into the event's contents, keys or plugin versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// `contents.id`.
    Content(u32),
    /// `strings.id` of an attribute's key.
    Key(u32),
    /// `plugin_versions.id`.
    Version(u32),
}

/// JSON text with holes.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The text without what goes into the holes.
    pub(crate) text: String,
    /// Where each hole is, in rising order.
    pub(crate) holes: Vec<(usize, Hole)>,
    in_piece: bool,
}

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    text: usize,
    holes: usize,
    in_piece: bool,
}

impl Document {
    /// Adds `text` as it is: brackets and commas between pieces.
    pub(crate) fn push_syntax(&mut self, text: &str) {
        self.close();
        self.text.push_str(text);
    }

    /// Adds JSON text to the piece that is open, or opens one behind a comma.
    pub(crate) fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.in_piece {
            self.text.push_str(",\"");
            self.in_piece = true;
        }
        push_escaped(&mut self.text, text);
    }

    /// Adds a hole behind a comma.
    pub(crate) fn push_reference(&mut self, hole: Hole) {
        self.close();
        self.text.push(',');
        self.push_hole(hole);
    }

    /// Adds a hole.
    pub(crate) fn push_hole(&mut self, hole: Hole) {
        self.holes.push((self.text.len(), hole));
    }

    /// Ends the piece that is open.
    pub(crate) fn close(&mut self) {
        if self.in_piece {
            self.text.push('"');
            self.in_piece = false;
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { text: self.text.len(), holes: self.holes.len(), in_piece: self.in_piece }
    }

    /// How many holes were made since `mark`.
    pub(crate) fn holes_since(&self, mark: Mark) -> usize {
        self.holes.len() - mark.holes
    }

    /// How many bytes of text were added since `mark`.
    pub(crate) fn text_since(&self, mark: Mark) -> usize {
        self.text.len() - mark.text
    }

    /// Goes back to `mark`.
    pub(crate) fn reset(&mut self, mark: Mark) {
        self.text.truncate(mark.text);
        self.holes.truncate(mark.holes);
        self.in_piece = mark.in_piece;
    }

    /// Takes what was added since `mark` away, as a document of its own.
    pub(crate) fn take_since(&mut self, mark: Mark) -> Document {
        self.close();
        let added = self.text.get(mark.text..).unwrap_or_default();
        // A piece that was open at the mark goes on inside `added`; one that was not starts there behind a comma.
        let (open, skipped) = if mark.in_piece { ("[\"", 0) } else { ("[", 1) };
        let mut text = String::with_capacity(added.len() + 4);
        text.push_str(open);
        // A piece that was open at the mark and ended before anything was added leaves an empty string, which is harmless.
        text.push_str(added.get(skipped..).unwrap_or_default());
        text.push(']');
        let holes = self.holes.drain(mark.holes..).map(|(at, hole)| (at - mark.text + open.len() - skipped, hole)).collect();
        self.reset(mark);
        Document { text, holes, in_piece: false }
    }

    /// The finished text. `id` names what goes into a hole.
    pub(crate) fn fill<E>(&self, mut id: impl FnMut(Hole) -> Result<i64, E>, out: &mut String) -> Result<(), E> {
        let mut from = 0;
        for (at, hole) in &self.holes {
            out.push_str(self.text.get(from..*at).unwrap_or_default());
            push_integer(out, id(*hole)?);
            from = *at;
        }
        out.push_str(self.text.get(from..).unwrap_or_default());
        Ok(())
    }
}

/// Appends `text`, which is JSON text, as the inside of a JSON string.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    out.reserve(text.len() + 16);
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(text.get(from..at).unwrap_or_default());
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            // JSON text has no other control characters.
            _ => {}
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
}

fn push_integer(out: &mut String, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.extend(digits.get(at..).unwrap_or_default().iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_holes_with_ids() {
        let mut document = Document::default();
        document.push_syntax("[[");
        document.push_hole(Hole::Key(0));
        document.push_text("{\"a\":");
        document.push_reference(Hole::Content(0));
        document.push_text("}");
        document.push_syntax("]]");
        let mut out = String::new();
        document.fill(|hole| Ok::<_, ()>(if hole == Hole::Key(0) { 7 } else { 1_204 }), &mut out).unwrap();
        assert_eq!(out, r#"[[7,"{\"a\":",1204,"}"]]"#);
    }

    #[test]
    fn takes_a_part_away_as_a_document() {
        for open in [true, false] {
            let mut document = Document::default();
            if open {
                document.push_text("[");
            }
            let mark = document.mark();
            document.push_text("{");
            document.push_reference(Hole::Content(3));
            document.push_text("}");
            let part = document.take_since(mark);
            let mut out = String::new();
            part.fill(|_| Ok::<_, ()>(9), &mut out).unwrap();
            assert_eq!(out, r#"["{",9,"}"]"#);
            assert_eq!(document.text, if open { ",\"[" } else { "" });
        }
    }
}
