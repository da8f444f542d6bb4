//! The process `scheduler`.

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some(scheduler::WARDEN) {
        return scheduler::warden();
    }
    scheduler::main()
}
