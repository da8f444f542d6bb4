//! The process `fetcher`.

fn main() -> std::process::ExitCode {
    service::main("fetcher", fetcher::run)
}
