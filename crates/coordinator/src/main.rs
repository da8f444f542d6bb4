//! The process `coordinator`.

fn main() -> std::process::ExitCode {
    service::main("coordinator", coordinator::run)
}
