//! The process `scheduler`.

fn main() -> std::process::ExitCode {
    scheduler::main()
}
