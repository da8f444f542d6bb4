//! What crosses a process: Avro in Confluent's framing, and the bodies that our processes say to each other.

pub mod avro;
pub mod binary;
pub mod fetch;
pub mod frame;
pub mod ingest;
pub mod key;
pub mod passed;
pub mod record;
