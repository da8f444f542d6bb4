//! What a process says, line by line, in bounded memory.

use queue::Line;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Of a line, more is dropped as it comes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads lines, however long they are.
pub struct Lines<R> {
    reader: R,
    /// What has come of a line that has not ended: it is kept when a read is given up in its middle.
    begun: Vec<u8>,
    dropped: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, begun: vec![], dropped: 0 }
    }

    /// The next line; none at the end. May be given up and called again.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let read = self.reader.fill_buf().await?;
            if read.is_empty() {
                let whole = self.begun.is_empty() && self.dropped == 0;
                return Ok((!whole).then(|| self.take()));
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            let room = LINE_BYTES_MAX.saturating_sub(self.begun.len()).min(part.len());
            self.begun.extend_from_slice(&part[..room]);
            self.dropped += part.len() - room;
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&bytes);
        Line { text: text.trim_end_matches('\r').to_owned(), dropped: std::mem::take(&mut self.dropped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    #[tokio::test]
    async fn lines_of_any_length_come_one_by_one_and_say_what_they_lack() {
        let long = vec![b'x'; 10 * 1024 * 1024];
        let said = [b"one\r\n\n", &long[..], b"\n\xff last"].concat();
        let mut lines = Lines::new(BufReader::with_capacity(1000, &said[..]));
        let mut found = vec![];
        while let Some(line) = lines.next().await.unwrap() {
            found.push((line.text.len(), line.dropped));
        }
        assert_eq!(found, [(3, 0), (0, 0), (LINE_BYTES_MAX, long.len() - LINE_BYTES_MAX), (8, 0)]);
    }
}
