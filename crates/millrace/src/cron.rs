//! `millrace cron`: when an expression fires.

use chrono::{DateTime, Utc};
use schedule::{Calendar, CronError};
use serde_json::json;

use crate::cli::{Cron, CronNextArgs};
use crate::failure::Failure;
use crate::{instant, output};

pub fn run(asked: &Cron) -> Result<(), Failure> {
    let Cron::Next(args) = asked;
    let instants: Vec<String> = next(args)?.into_iter().map(instant::show).collect();
    if args.json {
        output::json(&json!(instants));
    } else {
        instants.iter().for_each(output::line);
    }
    Ok(())
}

fn next(args: &CronNextArgs) -> Result<Vec<DateTime<Utc>>, Failure> {
    let calendar = Calendar::new(std::slice::from_ref(&args.expression), &args.tz, args.overlap);
    let calendar = calendar.map_err(|cause: CronError| Failure::WrongInput(cause.to_string()))?;
    let after = args.after.unwrap_or_else(Utc::now);
    let all = std::iter::successors(calendar.next(after), |last| calendar.next(*last));
    Ok(all.take(usize::try_from(args.count).unwrap_or(usize::MAX)).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_night_of_the_change_is_as_the_overlap_says() {
        let cases = [
            (
                &["0 2 * * *", "--tz", "Europe/Zurich", "--after", "2023-03-25T12:00Z", "--count", "2"][..],
                "2023-03-26T01:00:00Z 2023-03-27T00:00:00Z",
            ),
            (
                &["0 2 * * *", "--tz", "Europe/Zurich", "--after", "2023-10-28T12:00Z", "--count", "1"],
                "2023-10-29T00:00:00Z",
            ),
            (
                &[
                    "0 2 * * *",
                    "--tz",
                    "Europe/Zurich",
                    "--after",
                    "2023-10-28T12:00Z",
                    "--count",
                    "1",
                    "--overlap",
                    "last",
                ],
                "2023-10-29T01:00:00Z",
            ),
            (
                &[
                    "0 2 * * *",
                    "--tz",
                    "Europe/Zurich",
                    "--after",
                    "2023-10-28T12:00Z",
                    "--count",
                    "2",
                    "--overlap",
                    "both",
                ],
                "2023-10-29T00:00:00Z 2023-10-29T01:00:00Z",
            ),
        ];
        for (words, expected) in cases {
            let cli = Cli::try_parse_from([&["millrace", "cron", "next"], words].concat()).unwrap();
            let Command::Cron(Cron::Next(args)) = cli.command else { panic!("{words:?}") };
            let found: Vec<String> = next(&args).unwrap().into_iter().map(instant::show).collect();
            assert_eq!(found.join(" "), expected, "{words:?}");
        }
    }
}
