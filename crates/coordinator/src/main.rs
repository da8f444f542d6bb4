//! The process `coordinator`.

fn main() -> std::process::ExitCode {
    coordinator::main()
}
