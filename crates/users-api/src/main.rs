//! The process `users-api`.

fn main() -> std::process::ExitCode {
    service::main("users-api", users_api::run)
}
