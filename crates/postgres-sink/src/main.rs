//! The process `postgres-sink`.

/// Gives back what a large batch took; glibc's keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    postgres_sink::main()
}
