//! The process `scheduler`.

fn main() -> std::process::ExitCode {
    let role = "all, or executor: only claims and runs tasks; MILLRACE_NAME tells executors apart";
    service::main_with("scheduler", &[("role", role)], scheduler::run)
}
