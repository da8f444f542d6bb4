//! What a single definition cannot see: names that must exist, cycles, fields of schemas.

use crate::{
    Bundle, Checked, Choice, Column, Dag, Foreach, Kind, Pipeline, Problem, Store, Stream, Table, Task,
    Waited, columns, file::line_of_section, schema::ColumnType, template,
};
use schedule::ScheduleError;
use std::collections::BTreeMap;

pub(crate) fn problems(pipeline: &Pipeline, bundle: &Bundle) -> Vec<Problem> {
    let mut problems = problems_beside_dags(pipeline, bundle);
    for dag in pipeline.dags.values() {
        let file = format!("dags/{}.toml", dag.name);
        let text = bundle.files.get(&file).map_or("", String::as_str);
        let mut found = Found { text, file: bundle.shown(&file), problems: vec![] };
        check_dag(dag, pipeline, &mut found);
        problems.append(&mut found.problems);
    }
    problems
}

pub(crate) fn problems_beside_dags(pipeline: &Pipeline, bundle: &Bundle) -> Vec<Problem> {
    let text = bundle.files.get("pipeline.toml").map_or("", String::as_str);
    let mut found = Found { text, file: bundle.shown("pipeline.toml"), problems: vec![] };
    let mut fields: BTreeMap<&str, Vec<Column>> = BTreeMap::new();
    for (name, stream) in &pipeline.streams {
        match columns(stream) {
            Ok(columns) => drop(fields.insert(name, columns)),
            Err(cause) => found.problems.push(Problem::new(bundle.shown(&stream.schema), 1, cause)),
        }
    }
    for stream in pipeline.streams.values() {
        check_stream(stream, fields.get(stream.name.as_str()), &mut found);
    }
    check_names(pipeline, &mut found);
    for table in pipeline.tables.values() {
        check_table(table, pipeline, fields.get(table.stream.as_str()), &mut found);
    }
    found.problems
}

struct Found<'a> {
    text: &'a str,
    file: String,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn say(&mut self, section: &str, message: String) {
        let line = line_of_section(self.text, section);
        self.problems.push(Problem::new(&self.file, line, format!("[{section}] {message}")));
    }
}

fn check_stream(stream: &Stream, columns: Option<&Vec<Column>>, found: &mut Found<'_>) {
    let section = format!("streams.{}", stream.name);
    let Some(columns) = columns else { return };
    if !is_topic_name(&stream.name) {
        found.say(
            &section,
            "a stream's name is its topic's: letters, digits, `_`, `-`, `.`, at most 200".into(),
        );
    }
    if stream.key.is_empty() {
        found.say(&section, "a stream needs a key: name at least one field".into());
    }
    for field in stream.key.iter().filter(|field| !columns.iter().any(|column| &column.name == *field)) {
        found.say(
            &section,
            format!("the key names the field \"{field}\", which {} does not have", stream.schema),
        );
    }
    if let Some(time) = &stream.event_time {
        let kind = columns.iter().find(|column| &column.name == time).map(|column| column.kind);
        if !matches!(kind, Some(ColumnType::TimestampMillis | ColumnType::TimestampMicros)) {
            found.say(
                &section,
                format!("event_time \"{time}\" must be a field of type timestamp-millis or timestamp-micros"),
            );
        }
    }
    if stream.partitions == 0 {
        found.say(&section, "partitions must be at least 1".into());
    }
}

fn is_topic_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn check_names(pipeline: &Pipeline, found: &mut Found<'_>) {
    for source in pipeline.sources.values() {
        let section = format!("sources.{}", source.name);
        if !(source.records.is_empty() || source.records.starts_with('/')) {
            found.say(
                &section,
                format!("records = \"{0}\" is no JSON Pointer: write \"/{0}\"", source.records),
            );
        }
        match pipeline.streams.get(&source.into) {
            None => found.say(&section, unknown("stream", &source.into, pipeline.streams.keys())),
            Some(stream) => {
                for key in stream.key.iter().filter(|key| !source.fields.contains_key(*key)) {
                    found.say(&section, format!("does not make \"{key}\", the key of the stream \"{}\": add it to [{section}.fields]", stream.name));
                }
            }
        }
    }
    for job in pipeline.jobs.values() {
        let section = format!("jobs.{}", job.name);
        if !pipeline.streams.contains_key(&job.into) {
            found.say(&section, unknown("stream", &job.into, pipeline.streams.keys()));
        }
        if job.slots == 0 {
            found.say(&section, "slots must be at least 1".into());
        }
    }
}

fn check_table(table: &Table, pipeline: &Pipeline, columns: Option<&Vec<Column>>, found: &mut Found<'_>) {
    let section = format!("tables.{}", table.name);
    let Some(stream) = pipeline.streams.get(&table.stream) else {
        return found.say(&section, unknown("stream", &table.stream, pipeline.streams.keys()));
    };
    let Some(columns) = columns else { return };
    let named = table.primary_key(&stream.key).into_iter().chain(table.columns.clone().unwrap_or_default());
    for name in named {
        match columns.iter().find(|column| column.name == name) {
            None => found
                .say(&section, format!("names the column \"{name}\", which {} does not have", stream.schema)),
            Some(column) if column.nullable && table.primary_key(&stream.key).contains(&name) => {
                found.say(
                    &section,
                    format!(
                        "the key column \"{name}\" may be null in {}: a row could not be told from another",
                        stream.schema
                    ),
                );
            }
            Some(_) => {}
        }
    }
    if table.store == Store::Postgres && (!table.clustering.is_empty() || !table.ttl.is_zero()) {
        found.say(&section, "clustering and ttl are Cassandra's: PostgreSQL has neither".into());
    }
}

fn check_dag(dag: &Dag, pipeline: &Pipeline, found: &mut Found<'_>) {
    check_schedule(dag, found);
    check_on(dag, pipeline, found);
    check_params(dag, found);
    for task in dag.tasks.values() {
        let section = format!("tasks.{}", task.name);
        for parent in task.after.iter().filter(|parent| !dag.tasks.contains_key(*parent)) {
            found.say(&section, unknown("task", parent, dag.tasks.keys()));
        }
        for cause in task.names.iter().filter_map(|name| template::problem(name, task, dag)) {
            found.say(&section, cause);
        }
        check_settings(&section, task, dag, found);
        check_kind(&section, &task.kind, dag, pipeline, found);
    }
    if let Err(task) = dag.order()
        && dag.tasks.values().all(|task| task.after.iter().all(|parent| dag.tasks.contains_key(parent)))
    {
        found.say(
            &format!("tasks.{task}"),
            format!("\"{task}\" waits for itself: its `after` leads back to it"),
        );
    }
}

fn check_schedule(dag: &Dag, found: &mut Found<'_>) {
    let settings = &dag.settings;
    let mut say = |keys: &[&str], message: String| {
        let is_it = |line: &str| keys.iter().any(|key| line.trim_start().starts_with(key));
        let line = found.text.lines().position(is_it).map_or(1, |index| index + 1);
        found.problems.push(Problem::new(&found.file, line, message));
    };
    if let Err(cause) = settings.timetable(None) {
        let key = if matches!(cause, ScheduleError::Zone { .. }) { "timezone" } else { "schedule" };
        // The schedule may be a section of its own.
        say(&[key, &format!("[{key}]")], cause.to_string());
    }
    if settings.interval && (settings.schedule.is_once() || settings.schedule.is_empty()) {
        say(
            &["interval"],
            "interval = true needs a schedule with one due time after another: a run is for the time between two".into(),
        );
    }
}

fn check_on(dag: &Dag, pipeline: &Pipeline, found: &mut Found<'_>) {
    let Some(on) = &dag.settings.on else { return };
    let is_it =
        |line: &str| ["on ", "on=", "on.", "[on]"].iter().any(|start| line.trim_start().starts_with(start));
    let line = found.text.lines().position(is_it).map_or(1, |index| index + 1);
    let mut say = |message: String| found.problems.push(Problem::new(&found.file, line, message));
    if !pipeline.streams.contains_key(&on.stream) {
        say(format!("on {}", unknown("stream", &on.stream, pipeline.streams.keys())));
    }
    if on.at_least == 0 {
        say("on: at_least must be at least 1".into());
    }
}

fn check_params(dag: &Dag, found: &mut Found<'_>) {
    for (name, param) in &dag.settings.params {
        let section = format!("params.{name}");
        if let Some(cause) = param.problem() {
            found.say(&section, cause);
        }
        // Nobody is there to give it.
        if param.default.is_none() && !dag.settings.schedule.is_empty() {
            found.say(&section, "needs a default: the DAG has a schedule".into());
        }
        if param.default.is_none() && dag.settings.on.is_some() {
            found.say(&section, "needs a default: records start the DAG".into());
        }
    }
}

fn check_settings(section: &str, task: &Task, dag: &Dag, found: &mut Found<'_>) {
    if !(0.0..=1.0).contains(&task.retry.jitter) {
        found.say(section, "retry_jitter is a part of the delay: give 0.0 to 1.0".into());
    }
    if task.slots == 0 {
        found.say(section, "slots must be at least 1".into());
    }
    if !task.pool.starts_with(|first: char| first.is_alphabetic()) {
        found.say(section, format!("a pool's name begins with a letter: \"{}\" does not", task.pool));
    }
    if task.name.contains(['[', ']', '/']) || task.name.is_empty() {
        found.say(section, "a task's name has no `[`, `]` or `/`: items of a foreach are named so".into());
    }
    check_foreach(section, task, found);
    let no_setup = |name: &&String| dag.tasks.get(*name).is_some_and(|task| !task.setup);
    for name in task.teardown.iter().filter(no_setup) {
        found.say(section, format!("teardown names \"{name}\", which is no setup: write setup = true there"));
    }
}

fn check_foreach(section: &str, task: &Task, found: &mut Found<'_>) {
    if let Some(cause) = task.foreach.as_ref().and_then(Foreach::problem) {
        found.say(section, cause);
    }
    if task.foreach.is_some() && matches!(task.kind, Kind::Branch { .. } | Kind::Report) {
        found.say(section, "a branch or a report is done once: it has no foreach".into());
    }
    if task.max_active_items == Some(0) {
        found.say(section, "max_active_items must be at least 1".into());
    }
    if task.max_active_items.is_some() && task.foreach.is_none() {
        found.say(
            section,
            "max_active_items bounds the items of a foreach, which the task does not have".into(),
        );
    }
}

/// The names that a branch gives as they are must wait for it; a template is looked at when the task runs.
fn check_choice(section: &str, choice: &Choice, dag: &Dag, found: &mut Found<'_>) {
    let names = match choice {
        Choice::Names(names) => names.clone(),
        Choice::Template(text) if text.contains("{{") || text.contains("{%") => return,
        Choice::Template(name) => vec![name.clone()],
    };
    let task = section.trim_start_matches("tasks.");
    for name in names.iter().filter(|name| !dag.children(task).any(|child| child.name == **name)) {
        found.say(
            section,
            format!("chooses \"{name}\", which is no task that waits for it: add \"{task}\" to its `after`"),
        );
    }
}

fn check_kind(section: &str, kind: &Kind, dag: &Dag, pipeline: &Pipeline, found: &mut Found<'_>) {
    match kind {
        Kind::Fetch { source } if !pipeline.sources.contains_key(source) => {
            found.say(section, unknown("source", source, pipeline.sources.keys()));
        }
        Kind::Job { job, .. } if !pipeline.jobs.contains_key(job) => {
            found.say(section, unknown("job", job, pipeline.jobs.keys()))
        }
        Kind::Check(checked) => check_check(section, checked, dag, pipeline, found),
        Kind::Wait(waited) => check_wait(section, waited, pipeline, found),
        // A DAG of another pipeline is not known here; its own name is.
        Kind::Run { dag: other, .. } if *other == dag.name => {
            found.say(section, "starts its own DAG, which would never end".into())
        }
        Kind::Branch { choose } => check_choice(section, choose, dag, found),
        Kind::Command { run, .. } if run.is_empty() => {
            found.say(section, "run needs a program: run = [\"echo\", \"hello\"]".into())
        }
        _ => {}
    }
}

fn check_check(section: &str, checked: &Checked, dag: &Dag, pipeline: &Pipeline, found: &mut Found<'_>) {
    let asked = checked.asked();
    if asked.len() != 1 {
        found.say(section, "write exactly one of `ids_of`, `sql`, `cql`, `rows`, `fresh`, `unique`".into());
    }
    let of = checked.ids_of.as_ref();
    if let Some(task) =
        of.filter(|task| !matches!(dag.tasks.get(*task).map(|task| &task.kind), Some(Kind::Fetch { .. })))
    {
        found.say(section, format!("ids_of names \"{task}\", which is no fetch task of this DAG"));
    }
    if of.is_some_and(|task| dag.tasks.get(task).is_some_and(|it| it.foreach.is_some())) {
        found.say(section, "ids_of names a task with a foreach: the ids are those of its items".into());
    }
    check_tables(section, &checked.tables(), pipeline, found);
    if let Some(rows) = &checked.rows
        && rows.equals.or(rows.at_least).or(rows.at_most).is_none()
    {
        found.say(section, "rows expects nothing: write `equals`, `at_least` or `at_most`".into());
    }
    let Some(unique) = &checked.unique else { return };
    if unique.columns.is_empty() {
        found.say(section, "unique needs columns: columns = [\"id\"]".into());
    }
    if pipeline.tables.get(&unique.table).is_some_and(|table| table.store == Store::Cassandra) {
        found.say(
            section,
            "unique asks a table in PostgreSQL: Cassandra can't group rows by what is not their key".into(),
        );
    }
}

fn check_wait(section: &str, waited: &Waited, pipeline: &Pipeline, found: &mut Found<'_>) {
    let Waited { passed, sql, file, http, until, run, rows, lag, .. } = waited;
    let given = [
        passed.is_some(),
        sql.is_some(),
        file.is_some(),
        http.is_some(),
        until.is_some(),
        run.is_some(),
        rows.is_some(),
        lag.is_some(),
    ];
    if given.iter().filter(|set| **set).count() != 1 {
        let told = "write exactly one of `passed`, `sql`, `file`, `http`, `until`, `run`, `rows`, `lag`";
        found.say(section, told.into());
    }
    if let Some(passed) = passed {
        if !pipeline.streams.contains_key(&passed.stream) {
            found.say(section, unknown("stream", &passed.stream, pipeline.streams.keys()));
        }
        check_tables(section, &passed.tables, pipeline, found);
    }
    let tables = rows.iter().map(|rows| &rows.table).chain(lag.iter().map(|lag| &lag.table));
    check_tables(section, &tables.cloned().collect::<Vec<_>>(), pipeline, found);
}

fn check_tables(section: &str, tables: &[String], pipeline: &Pipeline, found: &mut Found<'_>) {
    for table in tables.iter().filter(|table| !pipeline.tables.contains_key(*table)) {
        found.say(section, unknown("table", table, pipeline.tables.keys()));
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let hint = if known.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    format!("names the {what} \"{name}\", which is not declared; {hint}")
}
