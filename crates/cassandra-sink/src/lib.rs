//! cassandra-sink
