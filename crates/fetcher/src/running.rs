//! A fetch on its way.

use crate::{
    cursor::{Position, Step, Walk},
    fetch::{FetchError, Fetcher},
    get::Getter,
    ledger::Attempt,
    page, shape,
};
use chrono::Utc;
use pipeline::Source;
use serde_json::{Map, Value};
use service::Break;
use std::time::Duration;
use wire::fetch::Answer;

/// Does what the [`Walk`] says, and tells it what came of it.
pub struct Running<'a> {
    fetcher: &'a Fetcher,
    source: &'a Source,
    key: &'a [String],
    getter: &'a Getter<'a>,
    attempt: Attempt,
    walk: Walk,
    version: i64,
    /// The page in hand, shaped.
    records: Vec<Map<String, Value>>,
    /// What this page adds.
    page: Answer,
    /// What this attempt has stored.
    part: Answer,
    /// What other attempts of the same task have stored.
    before: Vec<Answer>,
}

/// Between the two looks at an empty page: long enough for a short trouble to pass, short for who waits.
const CONFIRM_AFTER: Duration = Duration::from_millis(500);

impl<'a> Running<'a> {
    pub async fn begin(
        fetcher: &'a Fetcher,
        source: &'a Source,
        key: &'a [String],
        getter: &'a Getter<'a>,
        attempt: Attempt,
    ) -> Result<Self, FetchError> {
        let cursor = fetcher.ledger.cursor(&source.name).await?;
        let parts = fetcher.ledger.parts(&attempt).await?;
        Ok(Self {
            fetcher,
            source,
            key,
            getter,
            attempt,
            walk: Walk::new(Position::read(&source.page, &cursor.value), source.pages_per_run),
            version: cursor.version,
            records: vec![],
            page: Answer::default(),
            part: parts.own,
            before: parts.others,
        })
    }

    /// Goes on to the end of the fetch, and answers what all attempts of its task have written.
    pub async fn go(mut self) -> Result<Answer, FetchError> {
        loop {
            match self.walk.step() {
                Step::Ask(position) => self.ask(&position).await?,
                Step::Confirm(position) => {
                    let source = &self.source.name;
                    tracing::info!(source, "the page is empty; trying again in {CONFIRM_AFTER:?}");
                    tokio::time::sleep(CONFIRM_AFTER).await;
                    self.ask(&position).await?;
                }
                Step::Deliver if self.fetcher.guards.lack(Break::CursorBeforeAck) => {
                    self.walk.delivered();
                    if let Step::Store(next) = self.walk.step() {
                        self.store(&next).await?;
                    }
                    self.deliver().await?;
                }
                Step::Deliver => {
                    self.deliver().await?;
                    self.walk.delivered();
                }
                Step::Store(next) => self.store(&next).await?,
                Step::End => return self.finish().await,
            }
        }
    }

    async fn ask(&mut self, position: &Position) -> Result<(), FetchError> {
        let asked = page::ask(self.source, position, &self.fetcher.variables)?;
        let page = self.getter.page(&asked).await?;
        let now = Utc::now();
        self.records =
            page.records.iter().map(|record| shape::shape(record, &self.source.fields, now)).collect();
        self.page = Answer { pages: 1, fetched: self.records.len() as u64, ..Answer::default() };
        self.walk.read(self.records.len(), page.next.as_deref());
        Ok(())
    }

    async fn deliver(&mut self) -> Result<(), FetchError> {
        let delivered =
            self.fetcher.producer.deliver(&self.source.into, &self.records, &self.source.retry).await?;
        self.page.delivered = delivered.written;
        self.page.rejected = delivered.dead;
        self.page.offsets = delivered.offsets;
        let count = |outcome, n| {
            self.fetcher.counted.with_label_values(&[self.source.name.as_str(), outcome]).inc_by(n)
        };
        count("fetched", self.page.fetched);
        count("delivered", self.page.delivered);
        count("rejected", self.page.rejected);
        Ok(())
    }

    async fn store(&mut self, next: &Position) -> Result<(), FetchError> {
        let ids: Vec<String> = self.records.iter().filter_map(|record| shape::id(record, self.key)).collect();
        let part = sum([&self.part, &self.page]);
        self.version =
            self.fetcher.ledger.advance(&self.attempt, self.version, &next.to_json(), &ids, &part).await?;
        self.part = part;
        self.walk.stored();
        Ok(())
    }

    async fn finish(self) -> Result<Answer, FetchError> {
        let all = sum(self.before.iter().chain([&self.part]));
        let cursor = self.walk.position().to_json();
        let answer =
            Answer { source: self.source.name.clone(), stream: self.source.into.clone(), cursor, ..all };
        self.fetcher.ledger.finish(&self.attempt, &self.part, &answer).await?;
        let Answer { source, pages, fetched, delivered, rejected, .. } = &answer;
        tracing::info!(source, pages, fetched, delivered, rejected, "fetched");
        Ok(answer)
    }
}

/// What several fetches wrote, together: counts are added, the end of a partition is the last one.
fn sum<'a>(parts: impl IntoIterator<Item = &'a Answer>) -> Answer {
    let mut all = Answer::default();
    for part in parts {
        all.pages += part.pages;
        all.fetched += part.fetched;
        all.delivered += part.delivered;
        all.rejected += part.rejected;
        for (partition, next) in &part.offsets.0 {
            let end = all.offsets.0.entry(*partition).or_insert(0);
            *end = (*end).max(*next);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::passed::Offsets;

    #[test]
    fn what_several_attempts_wrote_is_added_and_the_offsets_are_the_last() {
        let part = |n, offsets: &[(i32, i64)]| Answer {
            pages: 1,
            fetched: n,
            delivered: n - 1,
            rejected: 1,
            offsets: Offsets(offsets.iter().copied().collect()),
            ..Answer::default()
        };
        let all = sum([&part(10, &[(0, 5), (1, 9)]), &part(20, &[(0, 8), (2, 1)]), &part(30, &[(1, 3)])]);
        assert_eq!((all.pages, all.fetched, all.delivered, all.rejected), (3, 60, 57, 3));
        assert_eq!(all.offsets, Offsets([(0, 8), (1, 9), (2, 1)].into()));
        assert_eq!(sum([]), Answer::default());
    }
}
