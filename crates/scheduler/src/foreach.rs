//! Tasks that are done once for each item: their items are made, and they end as those did.

use crate::{executor, mask::Mask, outside::Outside, template};
use model::{Break, Guards, TaskState};
use pipeline::{Foreach, Task};
use queue::{Claim, Ending, Expansion, Finished, Items, RESULT_BYTES_MAX};
use serde_json::{Value, json};

/// What is told of a text that is no list.
const TOLD_CHARS_MAX: usize = 200;

/// Makes the items, or ends with them. No ending: the claim is over, and the task waits for its items.
pub async fn attend(
    outside: &Outside,
    claim: &Claim,
    task: &Task,
    context: &Value,
    mask: &Mask,
) -> Option<Ending> {
    match outside.queue.items(claim.run_id, &claim.task).await {
        Ok(Some(items)) => Some(ended(&items)),
        Ok(None) => make(outside, claim, task, context, mask).await,
        Err(cause) => failed(format!("its items can't be read: {cause}")),
    }
}

async fn make(outside: &Outside, claim: &Claim, task: &Task, context: &Value, mask: &Mask) -> Option<Ending> {
    if let Some(ending) = executor::unwanted(task, context) {
        return Some(ending);
    }
    let items = match wanted(task.foreach.as_ref(), context, mask, outside.queue.guards()) {
        Ok(items) => items,
        Err(ending) => return Some(ending),
    };
    match outside.queue.expand(claim, &Expansion::of(task, items)).await {
        Ok(Finished::Taken) => {}
        Ok(Finished::Refused) => {
            tracing::warn!(run.id = %claim.run_id, task = claim.task, "its items came too late and were refused")
        }
        Err(cause) => return failed(format!("its items can't be made: {cause}")),
    }
    None
}

fn failed(reason: String) -> Option<Ending> {
    Some(Ending::Failed { reason, retry_in: None })
}

/// The items to make, or how the task ends without any.
fn wanted(
    foreach: Option<&Foreach>,
    context: &Value,
    mask: &Mask,
    guards: Guards,
) -> Result<Vec<Value>, Ending> {
    let failed = |reason| Ending::Failed { reason, retry_in: None };
    let items = foreach.map_or(Ok(vec![]), |foreach| items(foreach, context, mask)).map_err(failed)?;
    if items.is_empty() && !guards.lack(Break::EmptyForeach) {
        return Err(Ending::Skipped { reason: "foreach gives no items".into() });
    }
    match Foreach::too_many(items.len()) {
        Some(reason) if !guards.lack(Break::ManyItems) => Err(failed(reason)),
        _ => Ok(items),
    }
}

/// What a `foreach` gives, or why it gives nothing.
fn items(foreach: &Foreach, context: &Value, mask: &Mask) -> Result<Vec<Value>, String> {
    match foreach {
        Foreach::List(items) => items.iter().map(|item| template::filled(item, context)).collect(),
        Foreach::Template(text) => {
            let filled = template::render(text, context)?;
            match serde_json::from_str(&filled) {
                Ok(Value::Array(items)) => Ok(items),
                _ => {
                    // Masked as a whole: at the cut, half a secret would be left.
                    let told: String = mask.text(&filled).chars().take(TOLD_CHARS_MAX).collect();
                    Err(format!("foreach gives no list but {told:?}: {text}"))
                }
            }
        }
    }
}

/// As `all_success` would have it: one that failed fails the task, one that was skipped skips it.
fn ended(items: &Items) -> Ending {
    let count = items.all.len();
    let of = |states: &[TaskState]| {
        items.all.iter().filter(|item| states.contains(&item.state)).collect::<Vec<_>>()
    };
    let bad = of(&[TaskState::Failed, TaskState::UpstreamFailed, TaskState::Removed]);
    if let Some(first) = bad.first() {
        let why = first.reason.as_deref().unwrap_or("no reason was given");
        let reason = format!("{} of {count} items failed; {}: {why}", bad.len(), first.name);
        return Ending::Failed { reason, retry_in: None };
    }
    let skipped = of(&[TaskState::Skipped]);
    if let Some(first) = skipped.first() {
        return Ending::Skipped {
            reason: format!("{} of {count} items were skipped, {} first", skipped.len(), first.name),
        };
    }
    if items.result_bytes > RESULT_BYTES_MAX as i64 {
        let told = format!(
            "the results of {count} items have {} bytes, more than {RESULT_BYTES_MAX}",
            items.result_bytes
        );
        return Ending::Success(json!({ "left_out": told }));
    }
    Ending::Success(items.all.iter().map(|item| item.result.clone().unwrap_or_default()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::Item;

    #[test]
    fn a_foreach_gives_a_list_or_says_what_it_gives() {
        let context = json!({ "params": { "days": ["mo", "tu"], "text": "mo" } });
        let template = |text: &str| items(&Foreach::Template(text.into()), &context, &Mask::default());
        assert_eq!(template("{{ params.days }}").unwrap(), [json!("mo"), json!("tu")]);
        assert_eq!(template("[{% for day in params.days %}{\"day\": \"{{ day }}\"}{{ \",\" if not loop.last }}{% endfor %}]").unwrap()[1], json!({"day": "tu"}));
        assert_eq!(template("{{ [] }}").unwrap(), Vec::<Value>::new());
        let cases = [
            ("{{ params.text }}", "foreach gives no list but \"mo\""),
            ("{{ params.none }}", "can't be filled"),
        ];
        for (text, expected) in cases {
            let told = template(text).unwrap_err();
            assert!(told.contains(expected), "{text}: {told}");
        }
        let list = Foreach::List(vec![3.into(), "{{ params.text }}".into()]);
        assert_eq!(items(&list, &context, &Mask::default()).unwrap(), [json!(3), json!("mo")]);
    }

    #[test]
    fn a_secret_at_the_cut_of_what_is_told_is_masked_before_it_is_cut() {
        let secret = "Tr0ub4dor&3";
        let mask = Mask::new([secret.into()]);
        for at in TOLD_CHARS_MAX - secret.len()..=TOLD_CHARS_MAX {
            let context = json!({ "text": format!("{}{secret}", "x".repeat(at)) });
            let told = items(&Foreach::Template("{{ text }}".into()), &context, &mask).unwrap_err();
            assert!(!told.contains(&secret[..4]) && told.contains("xxx"), "at {at}: {told}");
        }
    }

    /// With a guard, a list out of bounds ends the task; without it, so many items would be made.
    #[test]
    fn a_foreach_of_none_is_skipped_and_one_of_a_million_is_refused() {
        let context = json!({ "nothing": [], "million": vec![0; 1_000_000] });
        let wanted = |text: &str, guard: &str| {
            let foreach = Foreach::Template(text.into());
            let guards = Guards::without(guard).unwrap();
            wanted(Some(&foreach), &context, &Mask::default(), guards).map(|items| items.len())
        };
        let none = Ending::Skipped { reason: "foreach gives no items".into() };
        assert_eq!(wanted("{{ nothing }}", "many-items"), Err(none));
        assert_eq!(wanted("{{ nothing }}", "empty-foreach"), Ok(0));
        match wanted("{{ million }}", "empty-foreach") {
            Err(Ending::Failed { reason, retry_in: None }) => {
                assert!(reason.contains("1000000 items, more than 10000: give fewer"), "{reason}")
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(wanted("{{ million }}", "many-items"), Ok(1_000_000));
    }

    #[test]
    fn a_task_ends_as_its_items_did() {
        use TaskState::*;
        let of = |states: &[TaskState]| {
            let item = |(index, state): (usize, &TaskState)| Item {
                name: format!("t[{index}]"),
                state: *state,
                result: Some(json!(index)),
                reason: Some("no".into()),
            };
            ended(&Items { all: states.iter().enumerate().map(item).collect(), result_bytes: 2 })
        };
        let failed = |reason: &str| Ending::Failed { reason: reason.into(), retry_in: None };
        let cases = [
            (vec![Success, Success], Ending::Success(json!([0, 1]))),
            (vec![Success, Failed, Removed], failed("2 of 3 items failed; t[1]: no")),
            (vec![Skipped, Failed], failed("1 of 2 items failed; t[1]: no")),
            (
                vec![Success, Skipped],
                Ending::Skipped { reason: "1 of 2 items were skipped, t[1] first".into() },
            ),
        ];
        for (states, expected) in cases {
            assert_eq!(of(&states), expected, "{states:?}");
        }
        let large = Items { all: vec![], result_bytes: 70_000 };
        assert!(matches!(ended(&large), Ending::Success(told) if told["left_out"].is_string()));
    }
}
