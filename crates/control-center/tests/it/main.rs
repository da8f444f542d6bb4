//! Pages and addresses, from a made-up cluster. No server is needed.

// Helpers of tests are tests too; clippy knows only the functions themselves.
#![allow(clippy::unwrap_used)]

mod http;
mod made_up;
mod pages;
