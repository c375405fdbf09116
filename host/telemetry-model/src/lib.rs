//! The vocabulary of telemetry: events, fields, columns, rows, outcomes, queries. No I/O, no clock of its own.
//!
//! Every other crate speaks these types. What stands here is checked once, at the edge, and trusted after.

pub mod batch;
pub mod digest;
pub mod event;
pub mod facts;
pub mod field;
pub mod journal;
pub mod json;
pub mod outcome;
pub mod query;
pub mod rows;
pub mod time;

pub use batch::{Batch, BatchBuilder, BatchError, BatchView, Column, Kind};
pub use digest::{Digest, DigestHasher, DigestKey, Memo};
pub use event::{Attributes, Event, Flag, Level, Member, RawEvent};
pub use field::{Class, Family, Field, FieldType, Relation};
pub use json::{JsonKind, JsonText};
pub use outcome::{Outcome, Reason};
pub use rows::{Rows, Value};
pub use time::{Clock, Timestamp};
