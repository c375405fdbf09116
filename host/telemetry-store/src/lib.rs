//! The database layer: SQLite schema, the writer, the read pool, every SQL statement.
