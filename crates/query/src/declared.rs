//! A job as a pipeline declares it.

use crate::{Emit, JobSpec, StreamDef};
use model::span::millis;
use pipeline::{Job, Pipeline, Stream};

impl JobSpec {
    /// What a published job means. Its target is declared: a pipeline that lacks it is not published.
    pub fn of(pipeline: &Pipeline, job: &Job) -> Self {
        let target = pipeline.streams.get(&job.into).map(stream);
        let inputs = pipeline.streams.values().filter(|input| input.name != job.into).map(stream).collect();
        Self {
            name: job.name.clone(),
            sql: job.text.clone(),
            inputs,
            into: job.into.clone(),
            target,
            emit: match job.emit {
                pipeline::Emit::Final => Emit::Final,
                pipeline::Emit::Updates => Emit::Updates,
            },
            allowed_lateness_ms: millis(job.allowed_lateness),
            slots: job.slots,
            deadletter_when: job.deadletter_when.clone(),
            deadletter_reason: job.deadletter_reason.clone(),
        }
    }
}

fn stream(declared: &Stream) -> StreamDef {
    StreamDef {
        name: declared.name.clone(),
        schema: declared.avsc.clone(),
        event_time: declared.event_time.clone(),
        watermark_delay_ms: millis(declared.watermark_delay),
        key: declared.key.clone(),
    }
}
