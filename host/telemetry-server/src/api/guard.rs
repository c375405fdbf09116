//! What stands around every route: request ids, panics, the Host rule, CORS, the admin rule, the read token.

mod access;
mod host;
mod origin;
mod panic;
mod request;

pub use access::{MayRead, access};
pub use host::host;
pub use origin::{admin, cross_origin};
pub use panic::panics;
pub use request::{RequestId, request_log};
