//! From a job's spec to its plan: check the text, plan it, recognise the stages, fit the target.

mod flow;
mod target;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion_expr::LogicalPlan;

use crate::{
    aggregate::Aggregate,
    changelog::stable_hash,
    check::{self, Mentions, PSEUDO_COLUMNS},
    job::{Input, Job, Plan, Rule},
    plan,
    provider::Provider,
    shape::Shape,
    spec::{CompileError, JobSpec, StreamDef},
    window::Windows,
};
use flow::{Flow, Origin};

/// Raised when the bytes of keys or values of the changelog change, such as with another format of arrow-row.
const LAYOUT_VERSION: u32 = 1;

/// Compiles a job: pure, without any server, in a few milliseconds.
///
/// Some of DataFusion's rules can panic on a plan that they do not expect: that is an error of the job, not our end.
pub fn compile(spec: &JobSpec) -> Result<Job, CompileError> {
    let compiled = catch_unwind(AssertUnwindSafe(|| compile_inside(spec)));
    let panicked = || CompileError::new("the planner cannot take this SELECT; write it in a simpler way");
    compiled.unwrap_or_else(|_| Err(panicked()))
}

fn compile_inside(spec: &JobSpec) -> Result<Job, CompileError> {
    let mut provider = Provider::new();
    for stream in &spec.inputs {
        provider.add_stream(&stream.name, columns_of(stream)?);
    }
    let streams: Vec<&str> = spec.inputs.iter().map(|s| s.name.as_str()).collect();
    let (logical, found) = plan_sql(&spec.sql, &streams, &provider)?;
    let stream = only_stream(spec, &found)?;
    let input = input_of(stream, columns_of(stream)?)?;
    let flow = Flow::of(&logical, &input, spec, &found)?;
    let rule = rule_of(spec, stream, &input, &provider)?;
    let target = target::fit(spec, stream, &input, &flow, &found)?;
    Ok(assemble(spec, stream, input, rule, flow, target, &logical))
}

fn plan_sql(
    sql: &str,
    streams: &[&str],
    provider: &Provider,
) -> Result<(LogicalPlan, Mentions), CompileError> {
    let mut query = plan::parse(sql)?;
    let found = check::check(&query, streams, provider)?;
    plan::hide_pseudo_columns(&mut query, &found);
    let logical = plan::plan(query, &found, provider)?;
    Ok((logical, found))
}

fn only_stream<'a>(spec: &'a JobSpec, found: &Mentions) -> Result<&'a StreamDef, CompileError> {
    let [name] = &found.streams[..] else {
        return Err(CompileError::new(format!(
            "a job reads one stream; this one names {}",
            found.streams.len()
        )));
    };
    spec.inputs
        .iter()
        .find(|s| s.name == *name)
        .ok_or_else(|| CompileError::new(format!("there is no stream {name}")))
}

/// The stream's columns and Kafka's pseudo-columns after them.
fn columns_of(stream: &StreamDef) -> Result<SchemaRef, CompileError> {
    let refuse = |e: String| CompileError::new(format!("the schema of stream {}: {e}", stream.name));
    let declared = Shape::parse(&stream.schema).and_then(|s| s.arrow_schema()).map_err(refuse)?;
    let mut fields: Vec<Field> = declared.fields().iter().map(|f| f.as_ref().clone()).collect();
    if let Some(taken) = fields.iter().find(|f| PSEUDO_COLUMNS.contains(&f.name().as_str())) {
        return Err(refuse(format!(
            "the field {} has the name of one of Kafka's columns; rename it",
            taken.name()
        )));
    }
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    let kinds = [DataType::Utf8, DataType::Int32, DataType::Int64, instant, DataType::Utf8];
    fields.extend(
        PSEUDO_COLUMNS.iter().zip(kinds).map(|(name, kind)| Field::new(*name, kind, *name == "_key")),
    );
    Ok(Arc::new(Schema::new(fields)))
}

fn input_of(stream: &StreamDef, schema: SchemaRef) -> Result<Input, CompileError> {
    let refuse = |e: String| CompileError::new(format!("stream {}: {e}", stream.name));
    if stream.watermark_delay_ms < 0 {
        return Err(refuse("watermark_delay is negative".into()));
    }
    if let Some(stranger) = stream.key.iter().find(|k| schema.index_of(k).is_err()) {
        return Err(refuse(format!("its key names the field {stranger}, which its schema lacks")));
    }
    let event_time = match &stream.event_time {
        None => None,
        Some(name) => Some(
            schema
                .index_of(name)
                .map_err(|_| refuse(format!("event_time names the field {name}, which its schema lacks")))?,
        ),
    };
    if let Some(column) = event_time
        && !matches!(
            schema.field(column).data_type(),
            DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, Some(_))
        )
    {
        let name = schema.field(column).name();
        return Err(refuse(format!(
            "event_time = \"{name}\": the field must be timestamp-millis or timestamp-micros"
        )));
    }
    Ok(Input { name: stream.name.as_str().into(), schema, event_time, delay_ms: stream.watermark_delay_ms })
}

/// Plans `deadletter_when` and its reason as a SELECT over the input: the same language, the same errors.
fn rule_of(
    spec: &JobSpec,
    stream: &StreamDef,
    input: &Input,
    provider: &Provider,
) -> Result<Option<Rule>, CompileError> {
    let Some(when) = &spec.deadletter_when else {
        return match spec.deadletter_reason {
            Some(_) => {
                Err(CompileError::new("deadletter_reason without deadletter_when: say when a row is dead"))
            }
            None => Ok(None),
        };
    };
    plan::parse_expression(when, "deadletter_when")?;
    let reason = spec.deadletter_reason.as_deref().unwrap_or("CAST(NULL AS VARCHAR)");
    plan::parse_expression(reason, "deadletter_reason")?;
    let sql = format!(
        "SELECT ({when}) AND true AS dead, CAST(({reason}) AS VARCHAR) AS reason FROM \"{}\"",
        stream.name
    );
    let refuse = |e: CompileError| {
        CompileError::new(format!(
            "deadletter_when = \"{when}\", deadletter_reason = \"{reason}\": {}",
            e.message
        ))
    };
    let plain = JobSpec::default();
    let planned = plan_sql(&sql, &[&stream.name], provider)
        .and_then(|(logical, found)| Flow::of(&logical, input, &plain, &found));
    let flow = planned.map_err(refuse)?;
    if flow.operator.is_some() {
        return Err(refuse(CompileError::new("an aggregate has no value for one row")));
    }
    Ok(Some(Rule { steps: flow.steps, text: when.clone() }))
}

fn assemble(
    spec: &JobSpec,
    stream: &StreamDef,
    input: Input,
    rule: Option<Rule>,
    flow: Flow,
    target: target::Target,
    logical: &LogicalPlan,
) -> Job {
    let layout = flow.operator.as_ref().map_or(0, |(_, a)| layout_of(a, flow.windows, &flow.meaning));
    let one_slot = flow.operator.is_some() && !holds_key(stream, &input, &flow.groups);
    let (mut before, mut after, mut operator) = (flow.steps, Vec::new(), None);
    if let Some((steps, aggregate)) = flow.operator {
        (before, after, operator) = (steps, before, Some(Arc::new(aggregate)));
    }
    if operator.is_some() { &mut after } else { &mut before }.push(target.step);
    let mut plan = Plan {
        name: spec.name.clone(),
        inputs: vec![stream.name.clone()],
        input,
        rule,
        windows: flow.windows,
        before,
        operator,
        after,
        encoder: target.encoder,
        lateness_ms: spec.allowed_lateness_ms,
        output_schema: target.schema,
        output_shape: target.shape,
        output_key: target.key,
        one_slot,
        layout,
        explained: String::new(),
    };
    plan.explained = explain(&plan, spec, logical);
    Job { plan: Arc::new(plan) }
}

/// Whether equal groups are in equal partitions: the group contains the whole key that the stream is partitioned by.
fn holds_key(stream: &StreamDef, input: &Input, groups: &[Origin]) -> bool {
    let held = |key: &String| input.schema.index_of(key).is_ok_and(|i| groups.contains(&Origin::Input(i)));
    !stream.key.is_empty() && stream.key.iter().all(held)
}

/// What a state's bytes mean: the window, the group's expressions and types, the functions and their states.
fn layout_of(aggregate: &Aggregate, windows: Option<Windows>, meaning: &str) -> u64 {
    let states: Vec<&DataType> = aggregate.calls.iter().flat_map(|c| &c.states).collect();
    stable_hash(&format!("{LAYOUT_VERSION}|{windows:?}|{:?}|{states:?}|{meaning}", aggregate.groups))
}

fn explain(plan: &Plan, spec: &JobSpec, logical: &LogicalPlan) -> String {
    let mut lines = vec![format!("job {} reads {} and writes {}", plan.name, plan.input.name, spec.into)];
    if let Some(time) = plan.input.event_time {
        let name = plan.input.schema.field(time).name();
        lines.push(format!(
            "time: {name}, watermark {} ms behind the greatest seen in a partition",
            plan.input.delay_ms
        ));
    }
    if let Some(rule) = &plan.rule {
        lines.push(format!("dead letter where: {}", rule.text));
    }
    if let Some(windows) = plan.windows {
        let emit = if spec.emit == crate::Emit::Final {
            "once, when it closes"
        } else {
            "at each commit in which it changed"
        };
        lines.push(format!(
            "window: {windows}; closes {} ms after its end; a row comes out {emit}",
            plan.lateness_ms
        ));
        lines.push(format!("state: layout {:016x}, kept by input partition", plan.layout));
    }
    if plan.one_slot {
        lines.push("slots: 1, because the group does not contain the key of the stream".into());
    }
    let key = if plan.output_key.is_empty() { "none".into() } else { plan.output_key.join(", ") };
    lines.push(format!(
        "target key: {key}\ntarget schema: {}\nplan:\n{}",
        plan.output_schema,
        logical.display_indent()
    ));
    lines.join("\n")
}
