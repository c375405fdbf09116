//! Content is stored once: JSON text is cut into pieces, each kept under its keyed digest, and events hold references.
//!
//! A *document* is an array whose strings are pieces of JSON text and whose integers are `contents.id`; its text is their
//! concatenation, byte for byte what was sent. A content that holds references is a document itself, of a lower depth each time,
//! two at most. Nothing a client sends can look like a reference: client bytes only ever stand inside the array's strings.

mod cut;
mod document;

pub(crate) use cut::Cutter;
pub(crate) use document::{Document, Hole, push_escaped};

use telemetry_model::{Digest, JsonText};

/// A piece that is kept once.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    /// 0: plain text; else one more than the deepest content it refers to.
    pub(crate) depth: u8,
    pub(crate) body: Body,
}

/// Where the bytes of a content are.
#[derive(Debug)]
pub(crate) enum Body {
    /// `start..end` of a source text: it is not copied until it is written.
    Raw { source: u32, start: u32, end: u32 },
    /// A document with references to contents that come before it.
    Document(Document),
}

/// All contents of one event, and the texts that they are slices of.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) pieces: Vec<Content>,
    pub(crate) sources: Vec<JsonText>,
}

impl Contents {
    /// The bytes of a plain content.
    pub(crate) fn raw(&self, source: u32, start: u32, end: u32) -> &str {
        self.sources.get(source as usize).and_then(|text| text.as_str().get(start as usize..end as usize)).unwrap_or_default()
    }
}
