//! The component host: loads, limits, grants and calls WebAssembly plugins.
