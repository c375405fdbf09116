//! The HTTP server, its configuration and the wiring; binary cylestio-server.
