//! The write path: bytes to stored events. Knows no HTTP and no read path.

pub mod decode;
mod flags;
pub mod normalize;
