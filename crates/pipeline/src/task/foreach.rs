//! `foreach`: one task that is done once for each item of a list.

use serde::Deserialize;

/// Each item is a row, and all of them are shown: a list beyond it is data, which one task should work through.
pub const ITEMS_MAX: usize = 10_000;

/// Where the items come from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a list, or a template that gives one")]
pub enum Foreach {
    /// A template that gives a JSON list when the task runs.
    Template(String),
    /// The list itself; texts in it are templates.
    List(Vec<toml::Value>),
}

impl Foreach {
    /// Why so many items are refused.
    pub fn too_many(items: usize) -> Option<String> {
        (items > ITEMS_MAX).then(|| {
            format!("foreach gives {items} items, more than {ITEMS_MAX}: give fewer, or let one task work through the list")
        })
    }

    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Foreach::List(items) => Self::too_many(items.len()),
            Foreach::Template(text) if !text.contains("{{") => Some(format!(
                "foreach is a list or a template that gives one, as \"{{{{ params.files }}}}\": \"{text}\" is neither"
            )),
            Foreach::Template(_) => None,
        }
    }
}

/// The name of an item's row: `load[3]`.
pub fn item_name(task: &str, index: usize) -> String {
    format!("{task}[{index}]")
}

/// The task and the index that an item's name is made of. No other task's name has brackets.
pub fn item_of(name: &str) -> Option<(&str, usize)> {
    let (task, index) = name.strip_suffix(']')?.rsplit_once('[')?;
    Some((task, index.parse().ok()?))
}
