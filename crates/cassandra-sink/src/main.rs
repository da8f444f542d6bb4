//! The process `cassandra-sink`.

fn main() -> std::process::ExitCode {
    service::main("cassandra-sink", cassandra_sink::run)
}
