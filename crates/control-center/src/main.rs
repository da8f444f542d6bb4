//! The process `control-center`.

fn main() -> std::process::ExitCode {
    service::main("control-center", control_center::run)
}
