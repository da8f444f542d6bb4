//! Pages and addresses, from a made-up cluster. No server is needed.

mod http;
mod made_up;
mod pages;
