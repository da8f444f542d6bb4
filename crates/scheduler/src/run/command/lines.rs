//! What a process says, line by line, in bounded memory.

use crate::mask::{Mask, Parts};
use queue::Line;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Of a line, more is dropped as it comes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads lines, however long they are, without the secrets that are in them.
pub struct Lines<'a, R> {
    reader: R,
    mask: &'a Mask,
    /// Masked before anything is dropped: at a cut, half a secret would be left, which no mask finds.
    masked: Parts<'a>,
    /// What has come of a line that has not ended: it is kept when a read is given up in its middle.
    begun: Vec<u8>,
    dropped: usize,
    any: bool,
}

impl<'a, R: AsyncBufRead + Unpin> Lines<'a, R> {
    pub fn new(reader: R, mask: &'a Mask) -> Self {
        Self { reader, mask, masked: mask.parts(), begun: vec![], dropped: 0, any: false }
    }

    /// The next line; none at the end. May be given up and called again.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let read = self.reader.fill_buf().await?;
            if read.is_empty() {
                return Ok(self.any.then(|| self.take()));
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let clean = self.masked.push(&read[..end.unwrap_or(read.len())]);
            let used = end.map_or(read.len(), |end| end + 1);
            self.reader.consume(used);
            self.any = true;
            self.keep(&clean);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn keep(&mut self, clean: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.begun.len()).min(clean.len());
        self.begun.extend_from_slice(&clean[..room]);
        self.dropped += clean.len() - room;
    }

    fn take(&mut self) -> Line {
        let rest = std::mem::replace(&mut self.masked, self.mask.parts()).end();
        self.keep(&rest);
        self.any = false;
        let bytes = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&bytes);
        Line { text: text.trim_end_matches('\r').to_owned(), dropped: std::mem::take(&mut self.dropped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    async fn read(said: &[u8], mask: &Mask, part: usize) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(part, said), mask);
        let mut found = vec![];
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    #[tokio::test]
    async fn lines_of_any_length_come_one_by_one_and_say_what_they_lack() {
        let long = vec![b'x'; 10 * 1024 * 1024];
        let said = [b"one\r\n\n", &long[..], b"\n\xff last"].concat();
        let found = read(&said, &Mask::default(), 1000).await;
        let found: Vec<_> = found.iter().map(|line| (line.text.len(), line.dropped)).collect();
        assert_eq!(found, [(3, 0), (0, 0), (LINE_BYTES_MAX, long.len() - LINE_BYTES_MAX), (8, 0)]);
    }

    const SECRET: &str = "Tr0ub4dor&3";

    /// The secret begins at each place around each cut: the bytes of a line that are read, and the characters that are kept.
    #[tokio::test]
    async fn a_secret_at_a_cut_is_masked_before_anything_is_cut() {
        let mask = Mask::new([SECRET.into()]);
        for cut in [queue::LINE_CHARS_MAX, LINE_BYTES_MAX] {
            for at in cut - SECRET.len()..=cut {
                let said = format!("{}{SECRET}{}\nnext\n", "x".repeat(at), "y".repeat(100));
                let found = read(said.as_bytes(), &mask, 8_192).await;
                told_without_secret(&found[0]);
                assert_eq!(found[1].text, "next");
            }
        }
    }

    /// Masked, a line of secrets is shorter: what is beyond the cut comes before it.
    #[tokio::test]
    async fn a_line_of_nothing_but_secrets_is_masked_wherever_it_is_cut() {
        let mask = Mask::new([SECRET.into()]);
        for many in [LINE_BYTES_MAX / SECRET.len(), LINE_BYTES_MAX / 3, LINE_BYTES_MAX] {
            for shift in 0..SECRET.len() {
                let said = format!("{}{}\n", "x".repeat(shift), SECRET.repeat(many));
                let found = read(said.as_bytes(), &mask, 8_192).await;
                told_without_secret(&found[0]);
                assert!(found[0].text.trim_matches('x').chars().all(|c| c == '*'), "shifted by {shift}");
            }
        }
    }

    /// No four bytes of it are stored.
    fn told_without_secret(line: &Line) {
        let stored = queue::cut(line, queue::LINE_CHARS_MAX);
        for part in SECRET.as_bytes().windows(4).map(|part| std::str::from_utf8(part).unwrap()) {
            assert!(!line.text.contains(part) && !stored.contains(part), "{part} is told");
        }
    }
}
