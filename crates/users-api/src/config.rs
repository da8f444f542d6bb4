//! `config/users-api.toml`

use serde::Deserialize;
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// Users that one address may have within a window; 0 = no limit.
    pub users_max: u64,
    #[serde(deserialize_with = "model::span::parse")]
    pub window: Duration,
    /// Used where a request has none.
    pub seed: String,
    /// `kind:probability` with commas between; used where a request has none.
    pub fault: String,
    /// Another number, other requests that fail.
    pub fault_seed: u64,
    /// How long the fault `slow` keeps back the body.
    #[serde(deserialize_with = "model::span::parse")]
    pub slow: Duration,
}
