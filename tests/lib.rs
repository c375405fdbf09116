//! Nothing here: the integration binary is `main.rs`.
