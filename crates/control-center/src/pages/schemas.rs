//! `/schemas` and `/schemas/{subject}`

use super::{counted, doubt, known, link, seen_at};
use crate::{
    poll::SCHEMAS_EVERY,
    schemas::{Field, Subject, fields, pretty},
    seen::Seen,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::collections::BTreeSet;
use web::{Header, Row, actions, code, empty, filter, section, table};

pub fn body(seen: &Seen, now: DateTime<Utc>) -> Markup {
    html! {
        (registry_doubt(seen, now))
        @match seen.schemas.value() {
            Some(subjects) if subjects.is_empty() => (empty("No schema is registered yet. A stream's schema is registered when its pipeline is published.", "millrace check")),
            Some(subjects) => { (actions(html! { (filter("subjects", "Filter subjects")) (registry_seen(seen)) })) (listed(subjects, seen)) }
            None => (empty("Subjects will be listed as soon as the schema registry answers.", "millrace up")),
        }
    }
}

fn registry_doubt(seen: &Seen, now: DateTime<Utc>) -> Markup {
    doubt("the schema registry", &seen.schemas, SCHEMAS_EVERY, now)
}

fn registry_seen(seen: &Seen) -> Markup {
    seen_at("The registry", &seen.schemas)
}

fn listed(subjects: &[Subject], seen: &Seen) -> Markup {
    let headers = [
        "Subject".into(),
        Header::number("Versions"),
        Header::number("Latest id"),
        Header::number("Fields"),
        "Topic".into(),
    ];
    let row = |subject: &Subject| {
        let topic = subject.name.strip_suffix("-value").and_then(|topic| seen.kafka.value()?.topic(topic));
        let cells = vec![
            link("schemas", &subject.name),
            web::count(subject.versions.len() as u64),
            known(subject.latest(), |latest| html! { span class="num" { (latest.id) } }),
            known(subject.latest(), |latest| web::count(fields(&latest.schema).len() as u64)),
            known(topic, |topic| link("topics", &topic.name)),
        ];
        Row::with_id(format!("subject-{}", subject.name), cells)
    };
    table("subjects", "Subjects", &headers, &subjects.iter().map(row).collect::<Vec<_>>())
}

/// The page of one subject.
pub fn one(name: &str, seen: &Seen, now: DateTime<Utc>) -> Markup {
    let Some(subject) = seen.schemas.value().and_then(|all| all.iter().find(|subject| subject.name == name))
    else {
        return html! { (registry_doubt(seen, now)) @if seen.schemas.value().is_some() { (empty(&format!("The registry has no subject {name}."), "")) } };
    };
    html! {
        (registry_doubt(seen, now))
        @if let Some(latest) = subject.latest() {
            (section(&format!("Fields of version {}", latest.version), field_table(&fields(&latest.schema))))
        }
        (section("Versions", versions(subject)))
        (registry_seen(seen))
    }
}

fn field_table(fields: &[Field]) -> Markup {
    if fields.is_empty() {
        return html! { p class="muted" { "This schema is not a record: it has no fields." } };
    }
    let headers = ["Field".into(), "Type".into(), "Default".into(), "Meaning".into()];
    let text = |text: &String| html! { (text) };
    let row = |field: &Field| {
        let default = known(field.default.as_ref(), |default| html! { code { (default) } });
        Row::from(vec![
            html! { code { (field.name) } },
            text(&field.kind),
            default,
            known(field.doc.as_ref(), text),
        ])
    };
    table("fields", "Fields", &headers, &fields.iter().map(row).collect::<Vec<_>>())
}

/// The newest first; it is open.
fn versions(subject: &Subject) -> Markup {
    let count = subject.versions.len();
    html! {
        @for (at, version) in subject.versions.iter().enumerate().rev() {
            details id=(format!("version-{}", version.version)) open[at + 1 == count] {
                summary {
                    "Version " (version.version) ", id " (version.id)
                    @if let Some(before) = at.checked_sub(1).and_then(|before| subject.versions.get(before)) {
                        ": " (difference(&before.schema, &version.schema))
                    }
                }
                (code(&pretty(&version.schema)))
            }
        }
    }
}

/// What a version changed, in words.
fn difference(before: &str, after: &str) -> String {
    let of = |schema: &str| {
        fields(schema).into_iter().map(|field| (field.name, field.kind)).collect::<BTreeSet<_>>()
    };
    let (before, after) = (of(before), of(after));
    let names = |one: &BTreeSet<(String, String)>, other: &BTreeSet<(String, String)>| {
        let missing = one.iter().filter(|(name, _)| !other.iter().any(|(known, _)| known == name));
        missing.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let (added, removed) = (names(&after, &before), names(&before, &after));
    let changed = after
        .difference(&before)
        .map(|(name, _)| name.clone())
        .filter(|name| !added.contains(name))
        .collect();
    let told = [("adds", &added), ("removes", &removed), ("changes the type of", &changed)];
    let told: Vec<String> = told
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(verb, names)| format!("{verb} {}", names.join(", ")))
        .collect();
    if told.is_empty() {
        format!("the same {}", counted(after.len() as u64, "field"))
    } else {
        told.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_version_tells_what_it_changed() {
        let schema = |fields: &[(&str, &str)]| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, kind)| format!(r#"{{"name": "{name}", "type": "{kind}"}}"#))
                .collect();
            format!(r#"{{"type": "record", "name": "r", "fields": [{}]}}"#, fields.join(","))
        };
        let old = schema(&[("id", "string"), ("age", "int"), ("x", "int")]);
        let new = schema(&[("id", "string"), ("age", "long"), ("city", "string")]);
        assert_eq!(difference(&old, &new), "adds city; removes x; changes the type of age");
        assert_eq!(difference(&old, &old), "the same 3 fields");
    }
}
