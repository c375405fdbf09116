//! Nothing here: the integration binary is `all.rs`.
