//! The process `producer`.

/// A body of one record is two dozen small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    producer::main()
}
