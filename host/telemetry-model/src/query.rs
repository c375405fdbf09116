//! A typed query over one relation: what the read path asks the store for.

use std::cmp::Ordering;
use std::sync::Arc;

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

/// How a filter compares a field with its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal to any.
    #[default]
    Equal,
    /// Less than one.
    Less,
    /// Less than one, or equal.
    AtMost,
    /// Greater than one.
    Greater,
    /// Greater than one, or equal.
    AtLeast,
}

impl Comparison {
    /// The sign, as SQL and requests write it.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        }
    }

    /// Whether `ordering`, of the field against a value, passes.
    pub fn passes(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::Less => ordering.is_lt(),
            Comparison::AtMost => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::AtLeast => ordering.is_ge(),
        }
    }
}

/// `field = any of values`, or `field > value` and the like; a text compares with the plain value of the field (numbers by value). What
/// is less is told among numbers when the value is a number, else among texts by their bytes; nothing else passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What to compare.
    pub field: Field,
    /// How.
    pub comparison: Comparison,
    /// Any of these matches.
    pub values: Vec<String>,
}

impl Filter {
    /// `field = any of values`.
    pub fn equal(field: Field, values: Vec<String>) -> Self {
        Filter { field, comparison: Comparison::Equal, values }
    }
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
    pub values: Vec<Option<GroupValue>>,
}

/// A value that groups: values that differ in type are different, whatever their text. A clone shares the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupValue {
    /// A text, and a moment in RFC 3339.
    Text(Arc<str>),
    /// The JSON text of anything else: a boolean, a number, a list, an object.
    Json(Arc<str>),
}

impl GroupValue {
    /// The text, or the JSON text.
    pub fn as_str(&self) -> &str {
        match self {
            GroupValue::Text(text) | GroupValue::Json(text) => text,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            GroupValue::Json(text) if matches!(&**text, "false" | "true") => 0,
            GroupValue::Json(text) if !text.starts_with(['[', '{']) => 1,
            GroupValue::Text(_) => 2,
            GroupValue::Json(_) => 3,
        }
    }
}

impl From<&str> for GroupValue {
    fn from(text: &str) -> Self {
        GroupValue::Text(text.into())
    }
}

impl PartialOrd for GroupValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Booleans, numbers by their value, texts, then lists and objects.
impl Ord for GroupValue {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |value: &Self| if value.rank() == 1 { value.as_str().parse::<f64>().unwrap_or(0.0) } else { 0.0 };
        let numbers = || number(self).total_cmp(&number(other));
        self.rank().cmp(&other.rank()).then_with(numbers).then_with(|| self.as_str().cmp(other.as_str()))
    }
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
    /// The attribute by whose filter rows were sought in its index.
    pub sought: Option<Field>,
    /// Attributes whose filters only a scan of the window could answer: they have no index, or it is not filled yet.
    pub unindexed: Vec<Field>,
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
    /// Whether it wants [`RowSink::ids`].
    fn wants_ids(&self) -> bool {
        false
    }
    /// Ids of the rows of the next batch, in order: of the relation's rows; of a session `strings.id`.
    fn ids(&mut self, _ids: &[i64]) {}
}
