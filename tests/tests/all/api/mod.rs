//! HTTP behaviour, route by route.

mod connections;
mod guards;
mod page;
mod plugins;
mod raw;
