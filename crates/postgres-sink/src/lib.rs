//! postgres-sink
