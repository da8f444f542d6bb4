//! `millrace logs`: the end of a process's log, and what is added to it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use crate::cli::{LogsArgs, Place};
use crate::failure::Failure;
use crate::output;

const POLL: Duration = Duration::from_millis(200);
/// The end of a log is looked for in so much of it.
const END_BYTES_MAX: u64 = 8 << 20;

pub async fn run(place: &Place, args: &LogsArgs) -> Result<(), Failure> {
    let log = servers::log_file(&place.home, &args.name);
    let known = names(&place.home);
    if !known.contains(&args.name) {
        let known = if known.is_empty() { "none yet".into() } else { known.join(", ") };
        return Err(Failure::WrongInput(format!("no log of {:?}; there are: {known}", args.name)));
    }
    let position = print_end(&log, args.lines).map_err(Failure::io("read", &log))?;
    if args.follow { follow(&log, position).await } else { Ok(()) }
}

/// Ends by Ctrl-C.
async fn follow(log: &Path, mut position: u64) -> Result<(), Failure> {
    loop {
        position = print_from(log, position).map_err(Failure::io("read", log))?;
        tokio::time::sleep(POLL).await;
    }
}

fn names(home: &Path) -> Vec<String> {
    let files = std::fs::read_dir(home.join("logs")).into_iter().flatten().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".log")?.to_string()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Answers the position behind what was printed.
fn print_end(log: &Path, lines: usize) -> std::io::Result<u64> {
    let mut file = std::fs::File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(END_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(END_BYTES_MAX).read_to_end(&mut text)?;
    let newlines = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    // One more newline than lines: the last one ends the last line.
    let from = newlines.map(|(at, _)| at + 1).nth(lines).unwrap_or(0);
    output::bytes(&text[from..]);
    Ok(start + text.len() as u64)
}

/// A log that is shorter than before is a new one: it is printed from its start.
fn print_from(log: &Path, position: u64) -> std::io::Result<u64> {
    let Ok(mut file) = std::fs::File::open(log) else { return Ok(position) };
    let position = if file.metadata()?.len() < position { 0 } else { position };
    file.seek(SeekFrom::Start(position))?;
    let mut text = Vec::new();
    file.take(END_BYTES_MAX).read_to_end(&mut text)?;
    output::bytes(&text);
    Ok(position + text.len() as u64)
}
