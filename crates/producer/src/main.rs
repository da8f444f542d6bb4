//! The process `producer`.

fn main() -> std::process::ExitCode {
    service::main("producer", producer::run)
}
