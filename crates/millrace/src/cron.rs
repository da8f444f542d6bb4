//! `millrace cron`: when an expression fires.

use chrono::{DateTime, Utc};
use schedule::{Calendar, Schedule};
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
    let schedule = Schedule::of_cron(&[&args.expression]);
    if schedule.is_once() {
        let told = "@once fires at the `start` of its DAG: ask `millrace dag next NAME`";
        return Err(Failure::WrongInput(told.into()));
    }
    let calendar = Calendar::new(&schedule, &args.tz, args.overlap, None);
    let calendar = calendar.map_err(|cause| Failure::WrongInput(cause.to_string()))?;
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
                &["0 2 * * *", "--tz", "Europe/Zurich", "--after", "2023-03-24T00:00:00Z", "--count", "4"][..],
                "2023-03-24T01:00:00Z 2023-03-25T01:00:00Z 2023-03-26T01:00:00Z 2023-03-27T00:00:00Z",
            ),
            (
                &["*/20 0 0 * * *", "--after", "2023-03-24T00:00:20Z", "--count", "2"],
                "2023-03-24T00:00:40Z 2023-03-25T00:00:00Z",
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
    #[test]
    fn what_never_fires_is_told() {
        for (expression, told) in [
            ("0 2 * *", "\"0 2 * *\" is not a cron expression: "),
            ("0 0 31 4 *", "\"0 0 31 4 *\" names a date that never comes"),
            ("@once", "@once fires at the `start` of its DAG: ask `millrace dag next NAME`"),
        ] {
            let cli = Cli::try_parse_from(["millrace", "cron", "next", expression]).unwrap();
            let Command::Cron(Cron::Next(args)) = cli.command else { panic!("{expression}") };
            let cause = next(&args).unwrap_err().to_string();
            assert!(cause.starts_with(told), "{cause}");
        }
    }
}
