//! `Content-Encoding`, undone within a limit.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::refusal::{Refusal, RefusalKind};

/// How a body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 as some send it.
    Deflate,
}

impl Encoding {
    /// Reads a `Content-Encoding` header; `None` for `identity` and for an empty one.
    ///
    /// # Errors
    /// `unsupported-encoding` for any other, and for several.
    pub fn parse(header: &str) -> Result<Option<Self>, Refusal> {
        match header.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Encoding::Gzip)),
            "deflate" => Ok(Some(Encoding::Deflate)),
            _ => Err(Refusal::new(
                RefusalKind::UnsupportedEncoding,
                "unsupported-encoding",
                "the content encoding is not understood: send identity, gzip or deflate",
            )),
        }
    }
}

/// Decompresses `bytes` to at most `limit` bytes.
///
/// # Errors
/// `too-large-decompressed`, `invalid-compression`.
pub fn inflate(bytes: &[u8], encoding: Encoding, limit: usize) -> Result<Vec<u8>, Refusal> {
    match encoding {
        Encoding::Gzip => read(MultiGzDecoder::new(bytes), limit),
        Encoding::Deflate if is_zlib(bytes) => read(ZlibDecoder::new(bytes), limit),
        Encoding::Deflate => read(DeflateDecoder::new(bytes), limit),
    }
}

/// RFC 1950: method 8, and the first two bytes are a multiple of 31.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

fn read(reader: impl Read, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let allowed = u64::try_from(limit).unwrap_or(u64::MAX);
    reader
        .take(allowed.saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|_| Refusal::malformed("invalid-compression", "the body cannot be decompressed"))?;
    if out.len() > limit {
        let message = format!("the body is larger than {limit} bytes when decompressed");
        return Err(Refusal::new(RefusalKind::TooLarge, "too-large-decompressed", message));
    }
    Ok(out)
}
