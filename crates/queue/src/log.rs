//! The log of a task.

pub mod ansi;

use crate::{Claim, Queue};
use chrono::{DateTime, Utc};
use model::Break;
use serde::Serialize;
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

/// A line longer than this is cut, and says so.
pub const LINE_CHARS_MAX: usize = 4_000;

/// The channel of the hint that a task has logged; its payload is the run's id, a blank and the task's name.
pub const LOG_CHANNEL: &str = "millrace_log";

/// A line to keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub text: String,
    /// Bytes that followed it and were not even read.
    pub dropped: usize,
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), dropped: 0 }
    }
}

/// A line that was kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    /// Later ones have greater ids: the last of a page asks for the next.
    pub id: i64,
    pub attempt: i32,
    #[serde(serialize_with = "crate::micros::at")]
    pub at: DateTime<Utc>,
    /// error, warn, info or debug, as its words say.
    pub level: String,
    pub line: String,
}

/// Which lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines<'a> {
    pub attempt: Option<i32>,
    /// Only lines of this level, and graver ones.
    pub level: Option<&'a str>,
    /// Only lines with this text, in whatever case.
    pub search: Option<&'a str>,
    /// Only later ones than this.
    pub after: i64,
}

/// Graver ones first.
pub const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

impl Queue {
    /// Adds lines to the log of a claim's try, and tells who looks at it.
    pub async fn log(&self, claim: &Claim, lines: &[Line]) -> Result<(), sqlx::Error> {
        let levels: Vec<&str> = lines.iter().map(|line| level_of(&line.text)).collect();
        let chars_max = if self.guards.lack(Break::WholeLines) { usize::MAX } else { LINE_CHARS_MAX };
        let cut: Vec<String> = lines.iter().map(|line| cut(line, chars_max)).collect();
        sqlx::query(include_str!("sql/log.sql"))
            .bind(claim.run_id)
            .bind(&claim.task)
            .bind(claim.attempt)
            .bind(cut)
            .bind(levels)
            .bind(LOG_CHANNEL)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// The last lines of a task's log, oldest first.
    pub async fn task_log(&self, run_id: Uuid, task: &str, limit: i64) -> Result<Vec<LogLine>, sqlx::Error> {
        let statement = "SELECT * FROM (SELECT * FROM task_log WHERE run_id = $1 AND task = $2 ORDER BY id DESC LIMIT $3) newest ORDER BY id";
        sqlx::query_as(statement).bind(run_id).bind(task).bind(limit).fetch_all(&self.pool).await
    }

    /// A page of a task's log, oldest first.
    pub async fn log_page(
        &self,
        run_id: Uuid,
        task: &str,
        which: &Lines<'_>,
        limit: i64,
    ) -> Result<Vec<LogLine>, sqlx::Error> {
        let levels: Option<Vec<&str>> = which.level.map(|level| {
            let until = LEVELS.iter().position(|known| *known == level).unwrap_or(LEVELS.len() - 1);
            LEVELS[..=until].to_vec()
        });
        sqlx::query_as(include_str!("sql/log_page.sql"))
            .bind(run_id)
            .bind(task)
            .bind(which.attempt)
            .bind(levels)
            .bind(which.search)
            .bind(which.after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }
}

/// A line as it is stored: a text that PostgreSQL takes, with a note where something is missing.
pub fn cut(line: &Line, chars_max: usize) -> String {
    let kept: String = line.text.chars().take(chars_max).collect();
    let missing = line.text.len() - kept.len() + line.dropped;
    let kept = kept.replace('\0', "");
    match missing {
        0 => kept,
        bytes => format!("{kept} [cut: {bytes} more bytes of this line were not kept]"),
    }
}

/// Where a line tells its level, it does so at its beginning.
const LEVEL_CHARS_MAX: usize = 80;

fn level_of(line: &str) -> &'static str {
    let beginning: String = ansi::plain(line).chars().take(LEVEL_CHARS_MAX).collect();
    let words = beginning.split(|c: char| !c.is_ascii_alphabetic());
    let level = |word: &str| match word {
        "ERROR" | "FATAL" | "CRITICAL" | "PANIC" | "error" | "Error" => Some("error"),
        "WARN" | "WARNING" | "warning" | "Warning" => Some("warn"),
        "DEBUG" | "TRACE" => Some("debug"),
        "INFO" => Some("info"),
        _ => None,
    };
    words.filter_map(level).next().unwrap_or("info")
}

impl<'r> FromRow<'r, PgRow> for LogLine {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            attempt: row.try_get("attempt")?,
            at: row.try_get("at")?,
            level: row.try_get("level")?,
            line: row.try_get("line")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_says_how_much_is_missing() {
        let line = |text: String, dropped| Line { text, dropped };
        let long = "ä".repeat(LINE_CHARS_MAX);
        let cases = [
            (line("short".into(), 0), "short".to_owned()),
            (line("a\0b".into(), 0), "ab".into()),
            (line(long.clone(), 0), long.clone()),
            (line(long.clone() + "öx", 0), format!("{long} [cut: 3 more bytes of this line were not kept]")),
            (line(long.clone(), 10), format!("{long} [cut: 10 more bytes of this line were not kept]")),
        ];
        for (line, expected) in cases {
            assert_eq!(cut(&line, LINE_CHARS_MAX), expected);
        }
    }

    #[test]
    fn a_level_is_told_by_the_first_word_that_is_one() {
        let cases = [
            ("2026-03-01 ERROR no: this is no WARNING", "error"),
            ("[WARN] late", "warn"),
            ("DEBUG:root:x", "debug"),
            ("5 rows, no errors", "info"),
            ("\u{1b}[31mERROR\u{1b}[0m no", "error"),
            ("", "info"),
        ];
        for (line, expected) in cases {
            assert_eq!(level_of(line), expected, "{line}");
        }
    }
}
