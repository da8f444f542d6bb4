//! The process `cassandra-sink`.

/// Gives back what a large batch took; glibc's keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    service::main("cassandra-sink", cassandra_sink::run)
}
