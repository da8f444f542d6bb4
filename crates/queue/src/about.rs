//! What people are told of DAGs.

use crate::Queue;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// What a DAG's file says for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct About {
    pub tags: Vec<String>,
    pub owner: Option<String>,
    /// Markdown.
    pub doc: Option<String>,
}

impl Queue {
    /// Makes known what people are told of a pipeline's DAGs.
    pub async fn publish_about(&self, pipeline: &str, about: &[(String, About)]) -> Result<(), sqlx::Error> {
        sqlx::query(include_str!("sql/tell_about.sql"))
            .bind(pipeline)
            .bind(json!(about))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// What is told of each DAG that says something, by its name.
    pub async fn about(&self) -> Result<BTreeMap<String, About>, sqlx::Error> {
        type Row = (String, Vec<String>, Option<String>, Option<String>);
        let rows: Vec<Row> =
            sqlx::query_as("SELECT dag, tags, owner, doc FROM dag_about").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(dag, tags, owner, doc)| (dag, About { tags, owner, doc })).collect())
    }
}
