//! Generates users in the shape of randomuser.me 1.4: the same seed and page give the same users, on any machine.
//!
//! `GET /api/1.4/` takes the parameters of the real one (`results`, `page`, `seed`, `gender`, `nat`, `inc`, `exc`,
//! `noinfo`), and `fault` and `fault_seed`, by which it misbehaves on demand, for tests of those who ask it.

mod asked;
mod body;
mod config;
mod fault;
mod http;
mod latin;
mod limit;
mod nation;
mod random;
mod show;
mod user;

pub use config::Config;

use service::Service;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("users-api", run)
}

/// The whole process.
async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let routes = http::routes(http::State::new(&config)?);
    service.health.good("api");
    service.serve(&config.listen, routes).await
}
