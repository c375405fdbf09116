//! Cutting JSON text: at the elements of lists of objects and at long strings, at every level.

use memchr::memchr2;
use telemetry_model::{Digest, DigestKey, JsonText};

use super::document::{Document, Hole};
use super::{Body, Content, Contents};

/// The deepest content; the views rebuild as many levels.
pub(crate) const MAX_DEPTH: u8 = 2;
/// Values of at most so many bytes are not cut.
const VALUE_MIN: usize = 256;
/// Strings longer than this, quotes included, are pieces of their own.
const STRING_MIN: usize = 256;
/// The least text that an element of a list of the value itself must keep after its own cuts, to be a piece of its own: such lists
/// are histories that come again at every turn. Shorter ones cost less in place than as a row of their own.
const ELEMENT_MIN: usize = 64;
/// The same inside such an element: it comes again with it, so a reference must save more.
const INNER_ELEMENT_MIN: usize = 128;
/// An event with so many pieces already is no history of messages: from then on pieces must be longer, or their rows would take more
/// room than the event.
const MANY_PIECES: usize = 4_096;
const LONG: usize = 1_024;
/// Deeper nesting is not looked into. The decoder allows less.
const NESTING_MAX: u16 = 512;

/// Cuts values into a document and the event's contents.
pub(crate) struct Cutter<'a> {
    key: &'a DigestKey,
    contents: &'a mut Contents,
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(key: &'a DigestKey, contents: &'a mut Contents) -> Self {
        Cutter { key, contents }
    }

    /// Adds the pieces of `value` to `document`, each behind a comma.
    pub(crate) fn cut(&mut self, value: JsonText, document: &mut Document) {
        if value.as_str().len() <= VALUE_MIN {
            document.push_text(value.as_str());
            return;
        }
        let source = self.contents.sources.len() as u32;
        let text = value.as_str();
        let mut walk = Walk {
            text,
            bytes: text.as_bytes(),
            at: 0,
            written: 0,
            source,
            nesting: 0,
            key: self.key,
            pieces: &mut self.contents.pieces,
            document,
        };
        walk.value(i8::try_from(MAX_DEPTH).unwrap_or(0));
        walk.at = text.len();
        walk.flush(text.len());
        self.contents.sources.push(value);
    }
}

struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Everything before is in the document.
    written: usize,
    source: u32,
    nesting: u16,
    key: &'a DigestKey,
    pieces: &'a mut Vec<Content>,
    document: &'a mut Document,
}

impl Walk<'_> {
    /// Passes one value. References to contents of at most depth `level` may be made; none when it is negative.
    fn value(&mut self, level: i8) {
        match self.bytes.get(self.at) {
            Some(b'"') => self.string(level),
            Some(b'{' | b'[') if level < 0 || self.nesting >= NESTING_MAX => self.skip_container(),
            Some(b'{') => self.container(level, b'}'),
            Some(b'[') => self.container(level, b']'),
            _ => self.skip_scalar(),
        }
    }

    fn container(&mut self, level: i8, close: u8) {
        self.at += 1;
        self.nesting += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b if *b == close => {
                    self.at += 1;
                    break;
                }
                b'{' if close == b']' => self.element(level),
                b'"' | b'{' | b'[' => self.value(level),
                _ => self.at += 1,
            }
        }
        self.nesting -= 1;
    }

    /// An object in a list: a content of its own if enough text remains after its own cuts.
    fn element(&mut self, level: i8) {
        let start = self.at;
        self.flush(start);
        let mark = self.document.mark();
        self.value(level - 1);
        let end = self.at;
        let holes = self.document.holes_since(mark);
        let least = self.least(if level == MAX_DEPTH as i8 { ELEMENT_MIN } else { INNER_ELEMENT_MIN });
        if holes == 0 {
            if end - start >= least {
                self.document.reset(mark);
                let digest = self.digest(0, self.text.get(start..end).unwrap_or_default().as_bytes(), &[]);
                self.reference(digest, 0, Body::Raw { source: self.source, start: start as u32, end: end as u32 }, end);
            }
            return;
        }
        if self.document.text_since(mark) + (end - self.written) < least {
            return;
        }
        self.flush(end);
        let part = self.document.take_since(mark);
        let children: Vec<_> = part.holes.iter().filter_map(|(_, hole)| self.child(*hole)).collect();
        let depth = children.iter().map(|(depth, _)| depth + 1).max().unwrap_or(1);
        let digests: Vec<_> = children.iter().map(|(_, digest)| *digest).collect();
        let digest = self.digest(depth, part.text.as_bytes(), &digests);
        self.reference(digest, depth, Body::Document(part), end);
    }

    fn string(&mut self, level: i8) {
        let start = self.at;
        self.skip_string();
        if level >= 0 && self.at - start > self.least(STRING_MIN) {
            self.flush(start);
            let end = self.at;
            let digest = self.digest(0, self.text.get(start..end).unwrap_or_default().as_bytes(), &[]);
            self.reference(digest, 0, Body::Raw { source: self.source, start: start as u32, end: end as u32 }, end);
        }
    }

    fn least(&self, usual: usize) -> usize {
        if self.pieces.len() < MANY_PIECES { usual } else { usual.max(LONG) }
    }

    fn child(&self, hole: Hole) -> Option<(u8, Digest)> {
        match hole {
            Hole::Content(index) => self.pieces.get(index as usize).map(|content| (content.depth, content.digest)),
            _ => None,
        }
    }

    fn reference(&mut self, digest: Digest, depth: u8, body: Body, end: usize) {
        let index = self.pieces.len() as u32;
        self.pieces.push(Content { digest, depth, body });
        self.document.push_reference(Hole::Content(index));
        self.written = end;
    }

    /// The depth is part of it: the same text may be cut otherwise elsewhere, and a reader must know how deep to look.
    fn digest(&self, depth: u8, text: &[u8], children: &[Digest]) -> Digest {
        let mut parts: Vec<&[u8]> = Vec::with_capacity(children.len() + 2);
        let tag = [depth];
        parts.push(&tag);
        parts.push(text);
        parts.extend(children.iter().map(|child| child.0.as_slice()));
        self.key.digest_parts(&parts)
    }

    /// Writes what lies between the last piece and `end`.
    fn flush(&mut self, end: usize) {
        if self.written < end {
            self.document.push_text(self.text.get(self.written..end).unwrap_or_default());
            self.written = end;
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(rest) = self.bytes.get(self.at..) {
            match memchr2(b'"', b'\\', rest) {
                Some(found) if rest.get(found) == Some(&b'"') => {
                    self.at += found + 1;
                    return;
                }
                Some(found) => self.at += found + 2,
                None => break,
            }
        }
        self.at = self.bytes.len();
    }

    fn skip_scalar(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            if matches!(byte, b',' | b']' | b'}') {
                return;
            }
            self.at += 1;
        }
    }

    fn skip_container(&mut self) {
        let mut open = 0_usize;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }
}
