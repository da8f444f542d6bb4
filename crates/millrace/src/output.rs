//! Standard output, whose reader may leave early: `millrace status | head -1`.

use std::io::Write as _;

/// Prints a line.
pub fn line(text: impl std::fmt::Display) {
    bytes(format!("{text}\n").as_bytes());
}

/// Prints JSON for programs, indented for people who look all the same.
pub fn json(value: &serde_json::Value) {
    line(format_args!("{value:#}"));
}

/// Prints as it is. Ends this program quietly when nobody reads any more, where `println!` would panic.
pub fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
