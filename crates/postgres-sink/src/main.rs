//! The process `postgres-sink`.

fn main() -> std::process::ExitCode {
    service::main("postgres-sink", postgres_sink::run)
}
