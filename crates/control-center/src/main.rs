//! The process `control-center`.

fn main() -> std::process::ExitCode {
    control_center::main()
}
