//! The process `producer`.

fn main() -> std::process::ExitCode {
    producer::main()
}
