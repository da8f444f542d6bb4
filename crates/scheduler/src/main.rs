//! The process `scheduler`.

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some(scheduler::checking::ARGUMENT) {
        return scheduler::checking::answer();
    }
    service::main("scheduler", scheduler::run)
}
