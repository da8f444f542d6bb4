//! The process `users-api`.

fn main() -> std::process::ExitCode {
    users_api::main()
}
