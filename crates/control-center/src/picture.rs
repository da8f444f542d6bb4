//! Kafka as pages show it: a survey, with what can only be told from the surveys before it. Pure.

mod group;
mod history;
mod topic;

pub use group::{Group, Kind, Place, Trend};
pub use history::{HISTORY, History};
pub use topic::{Partition, Topic};

use crate::{
    oldest::Oldest,
    survey::{Groups, Survey},
};
use chrono::{DateTime, Utc};
use kafka::cluster::Broker;

#[derive(Clone, Debug)]
pub struct Picture {
    pub at: DateTime<Utc>,
    pub brokers: Vec<Broker>,
    /// By name.
    pub topics: Vec<Topic>,
    /// By name.
    pub groups: Vec<Group>,
    /// When each point of every history was taken, oldest first.
    pub times: Vec<DateTime<Utc>>,
    /// What could not be found out, in sentences.
    pub troubles: Vec<String>,
}

impl Picture {
    /// Puts a survey beside the picture before it. `oldest` knows when unread records were written.
    pub fn of(survey: Survey, before: Option<&Picture>, oldest: &Oldest) -> Self {
        let passed = before.map(|before| survey.at - before.at);
        let old_topic = |name: &str| before.and_then(|before| before.topic(name));
        let topics: Vec<Topic> = survey
            .topics
            .iter()
            .map(|topic| Topic::of(topic, &survey, old_topic(&topic.name), passed))
            .collect();
        let old_group = |name: &str| before.and_then(|before| before.group(name));
        let (committed, trouble) = committed(survey.groups, before);
        let groups = committed
            .iter()
            .map(|(name, committed)| {
                Group::of(name, committed, &topics, oldest, survey.at, old_group(name), passed)
            })
            .collect();
        let times = before.map_or_else(Vec::new, |before| before.times.clone());
        let times: Vec<_> = times.into_iter().chain([survey.at]).collect();
        let times = times[times.len().saturating_sub(HISTORY)..].to_vec();
        let troubles = survey.troubles.into_iter().chain(trouble).collect();
        Self { at: survey.at, brokers: survey.brokers, topics, groups, times, troubles }
    }

    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The groups that have read something of `topic`.
    pub fn readers<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Group> {
        self.groups.iter().filter(move |group| group.topics.contains_key(topic))
    }

    /// Topics of people and jobs, without Kafka's own.
    pub fn own_topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().filter(|topic| !topic.internal)
    }

    /// Written per second at each of `times`, over the topics that `chosen` names; `None` where nothing was measured.
    pub fn rates(&self, chosen: impl Fn(&Topic) -> bool) -> Vec<(DateTime<Utc>, Option<f64>)> {
        let chosen: Vec<&Topic> = self.own_topics().filter(|topic| chosen(topic)).collect();
        let at = |index: usize| {
            let rates: Vec<f64> = chosen.iter().filter_map(|topic| topic.rates.from_end(index)).collect();
            (!rates.is_empty()).then(|| rates.iter().sum())
        };
        self.points(at)
    }

    /// Values beside their times; `from_end` gives the value before the last so many.
    pub fn points(&self, from_end: impl Fn(usize) -> Option<f64>) -> Vec<(DateTime<Utc>, Option<f64>)> {
        let last = self.times.len().saturating_sub(1);
        self.times.iter().enumerate().map(|(index, time)| (*time, from_end(last - index))).collect()
    }
}

/// What groups have committed. Where not even their names are known, those of the picture before stay: a broker that is
/// away for a moment must not take the groups off the page, nor their histories.
fn committed(groups: Result<Groups, String>, before: Option<&Picture>) -> (Groups, Option<String>) {
    match groups {
        Ok(groups) => (groups, None),
        Err(reason) => {
            let names = before.into_iter().flat_map(|before| &before.groups).map(|group| group.name.clone());
            let groups = names.map(|name| (name, Err(reason.clone()))).collect();
            (groups, Some(format!("The consumer groups are not known: {reason}")))
        }
    }
}

#[cfg(test)]
mod tests;
