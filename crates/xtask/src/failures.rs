//! What failed among the tests: said again at the end, where somebody looks first.

use std::io::Write;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Of one panic: its message may have a line for each of twenty stories.
const PANIC_LINES_MAX: usize = 40;

/// Passes on `to`, line by line, what the tests print. Answers the lines that name a failed test, and those of panics.
pub async fn pass_on(printed: impl AsyncRead + Unpin, mut to: impl Write) -> Vec<String> {
    let (mut lines, mut kept) = (BufReader::new(printed).split(b'\n'), Failures::default());
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
        // Who cannot be told need not be.
        let _ = writeln!(to, "{line}");
        kept.look_at(&line);
    }
    kept.found
}

#[derive(Default)]
struct Failures {
    found: Vec<String>,
    /// Lines that are still of the last panic.
    left: usize,
}

impl Failures {
    fn look_at(&mut self, line: &str) {
        if line.contains("panicked at ") {
            self.left = PANIC_LINES_MAX;
        } else if line.starts_with("note:") || line.starts_with("stack backtrace:") || line.is_empty() {
            self.left = 0;
        }
        if self.left > 0 || line.starts_with("test ") && line.ends_with("FAILED") {
            self.found.push(line.to_owned());
        }
        self.left = self.left.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_failed_tests_and_their_panics_are_kept() {
        let printed = "test a ... ok\ntest b ... FAILED\n\n---- b stdout ----\nx.log: WARN\n\
            thread 'b' panicked at b.rs:1:2:\n2 stories failed:\none: why\ntwo: why\nstack backtrace:\n 0: start\n\n\
            test result: FAILED. 1 passed; 1 failed\n";
        let kept = [
            "test b ... FAILED",
            "thread 'b' panicked at b.rs:1:2:",
            "2 stories failed:",
            "one: why",
            "two: why",
        ];
        let mut passed_on = vec![];
        assert_eq!(pass_on(printed.as_bytes(), &mut passed_on).await, kept);
        assert_eq!(passed_on, printed.as_bytes());
    }
}
