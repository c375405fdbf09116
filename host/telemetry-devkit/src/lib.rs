//! What a plugin author runs: building a component from a core module and its manifest.
