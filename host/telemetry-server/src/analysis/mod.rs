//! The read path: parameters -> query -> rows of one snapshot -> metric component -> report. It knows no HTTP.

pub mod fill;
pub mod filters;
pub mod listing;
pub mod params;
pub mod pool;
pub mod report;
pub mod request;
pub mod series;
pub mod tokens;
pub mod window;
