//! `config/fetcher.toml`

use serde::Deserialize;
use service::settings::Postgres;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    pub producer_url: String,
    /// What `${USERS_API}` stands for in pipelines where the environment has no such variable.
    pub users_api: String,
    /// The proxy that sources are asked through, never those on this machine; empty = none.
    pub proxy: String,
    pub postgres: Postgres,
}
