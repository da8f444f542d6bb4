//! The process `fetcher`.

/// Gives back what a large batch took; glibc's keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    fetcher::main()
}
