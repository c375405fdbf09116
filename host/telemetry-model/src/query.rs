//! A typed query over one relation: what the read path asks the store for.

use crate::batch::Batch;
use crate::field::{Field, FieldType, Relation};
use crate::time::Timestamp;

/// [from, to); an end that is `None` is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first moment in it.
    pub from: Option<Timestamp>,
    /// The first moment after it.
    pub to: Option<Timestamp>,
}

/// `field = any of values`; a text compares with the plain value of the field (numbers by value).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What to compare.
    pub field: Field,
    /// Any of these matches.
    pub values: Vec<String>,
}

/// Rows of one relation as columns, grouped.
#[derive(Clone, Debug)]
pub struct RowQuery {
    /// The relation.
    pub relation: Relation,
    /// The columns to hand over, in order, with the types declared for them.
    pub columns: Vec<(Field, FieldType)>,
    /// By the row's own time (of its start, for calls, executions and sessions).
    pub window: Window,
    /// All must match.
    pub filters: Vec<Filter>,
    /// One group for each combination of values, absent included.
    pub group_by: Vec<Field>,
    /// Also one group for each time bucket.
    pub interval: Option<Interval>,
    /// More groups than this are an error.
    pub max_groups: usize,
}

/// Time buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Length of a bucket, nanoseconds, positive.
    pub nanoseconds: i64,
    /// A moment at which one bucket begins (the epoch, or a Monday for weeks).
    pub origin: Timestamp,
}

impl Interval {
    /// The beginning of the bucket that holds `time`.
    pub fn bucket(&self, time: Timestamp) -> Timestamp {
        let offset = i128::from(time.0) - i128::from(self.origin.0);
        let start = offset.div_euclid(i128::from(self.nanoseconds)) * i128::from(self.nanoseconds) + i128::from(self.origin.0);
        Timestamp(i64::try_from(start).unwrap_or(i64::MIN))
    }
}

/// The key of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// The bucket's beginning, when the query has an interval.
    pub bucket: Option<Timestamp>,
    /// A value for each of `group_by`; `None` when the row has none.
    pub values: Vec<Option<Box<str>>>,
}

/// What a scan found beside the rows it handed over.
#[derive(Clone, Debug, Default)]
pub struct RowScan {
    /// The key of each group id, in order of first sight.
    pub groups: Vec<GroupKey>,
    /// Rows read from the database to answer.
    pub scanned_rows: u64,
    /// Rows that passed the filters.
    pub matched_rows: u64,
}

/// Takes rows in batches: the query's columns, then a last column of kind `group`.
pub trait RowSink {
    /// Why the sink stopped the scan.
    type Error;
    /// Takes one batch. `group_count` is the number of groups seen so far.
    ///
    /// # Errors
    /// Ends the scan with the error.
    fn rows(&mut self, batch: Batch, group_count: u32) -> Result<(), Self::Error>;
}
