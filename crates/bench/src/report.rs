//! What a benchmark found, as a table and as JSON.

use serde::Serialize;

/// One benchmark's measures, with what they were measured on.
#[derive(Debug, Serialize)]
pub struct Report {
    pub bench: &'static str,
    pub measures: Vec<Measure>,
    pub machine: Machine,
    /// Sentences that belong to the numbers.
    pub notes: Vec<String>,
    /// Something is wrong, whatever the numbers are: the program says so with its exit code.
    pub failed: bool,
}

/// One number.
#[derive(Debug, Serialize)]
pub struct Measure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// What it is to reach, where there is a goal.
    pub goal: Option<f64>,
    /// Whether less is better.
    pub less: bool,
}

/// The machine while it was measured.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub cores: usize,
    /// Of one minute, before and after.
    pub load_before: f32,
    pub load_after: Option<f32>,
    pub kernel: String,
    pub version: &'static str,
    pub profile: &'static str,
    pub at: chrono::DateTime<chrono::Utc>,
}

impl Report {
    pub fn new(bench: &'static str) -> Self {
        Self { bench, measures: vec![], machine: Machine::now(), notes: vec![], failed: false }
    }

    pub fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str, goal: Option<f64>) {
        self.measures.push(Measure { what: what.into(), value, unit, goal, less: false });
    }

    /// Adds a number that is to stay below its goal.
    pub fn add_less(&mut self, what: impl Into<String>, value: f64, unit: &'static str, goal: Option<f64>) {
        self.measures.push(Measure { what: what.into(), value, unit, goal, less: true });
    }

    pub fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Notes the load at the end.
    pub fn done(mut self) -> Self {
        self.machine.load_after = Some(load());
        self
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub fn to_table(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header([self.bench, "value", "unit", "goal", ""]);
        for measure in &self.measures {
            let bound = if measure.less { "≤" } else { "≥" };
            table.add_row([
                measure.what.clone(),
                number(measure.value),
                measure.unit.into(),
                measure.goal.map_or_else(String::new, |goal| format!("{bound} {}", number(goal))),
                measure.verdict().into(),
            ]);
        }
        let machine = &self.machine;
        let load = machine.load_after.map_or_else(String::new, |after| format!(" to {after:.1}"));
        let lines: Vec<String> = [format!(
            "{} cores, load {:.1}{load}, Linux {}, millrace {} ({}), {}",
            machine.cores,
            machine.load_before,
            machine.kernel,
            machine.version,
            machine.profile,
            machine.at.format("%Y-%m-%d %H:%M UTC")
        )]
        .into_iter()
        .chain(self.notes.clone())
        .collect();
        format!("{table}\n{}\n", lines.join("\n"))
    }
}

impl Measure {
    fn verdict(&self) -> &'static str {
        match self.goal {
            None => "",
            Some(goal) if (self.value >= goal) != self.less || self.value == goal => "reached",
            Some(_) => "missed",
        }
    }
}

impl Machine {
    fn now() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load(),
            load_after: None,
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".into(), |text| text.trim().to_owned()),
            version: env!("CARGO_PKG_VERSION"),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            at: chrono::Utc::now(),
        }
    }
}

fn load() -> f32 {
    use procfs::Current;
    procfs::LoadAverage::current().map_or(0.0, |load| load.one)
}

/// `12 400`, `1.24`, `0.093`.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [(1_234_567.0, "1 234 567"), (100.0, "100"), (99.5, "99.5"), (0.0934, "0.093")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_goal_is_reached_from_its_side() {
        let mut report = Report::new("test");
        report.add("rate", 10.0, "rows/s", Some(9.0));
        report.add("rate", 8.0, "rows/s", Some(9.0));
        report.add_less("latency", 8.0, "ms", Some(9.0));
        report.add_less("latency", 10.0, "ms", Some(9.0));
        let verdicts: Vec<_> = report.measures.iter().map(Measure::verdict).collect();
        assert_eq!(verdicts, ["reached", "missed", "reached", "missed"]);
    }
}
