use super::*;
use crate::{Bundle, Pipeline, TASKS_MAX};
use model::Guards;

fn parse(tasks: &str) -> Result<Pipeline, Vec<String>> {
    parse_without(tasks, "")
}

fn parse_without(tasks: &str, guard: &str) -> Result<Pipeline, Vec<String>> {
    let files = [("pipeline.toml", String::new()), ("dags/d.toml", tasks.to_owned())];
    let files = files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    Pipeline::parse_with(&Bundle { name: "p".into(), files }, Guards::without(guard).unwrap())
        .map_err(|problems| problems.iter().map(|problem| problem.to_string()).collect())
}

#[test]
fn a_retry_waits_as_long_as_its_policy_says() {
    let policy = |backoff, jitter| RetryPolicy {
        retries: 5,
        delay: Duration::from_secs(10),
        delay_max: Duration::from_secs(60),
        backoff,
        jitter,
    };
    let cases = [
        (policy(Backoff::Constant, 0.0), 0.9, [10, 10, 10, 10, 10]),
        (policy(Backoff::Constant, 0.5), 1.0, [5, 5, 5, 5, 5]),
        (policy(Backoff::Exponential, 0.0), 0.9, [10, 20, 40, 60, 60]),
        (policy(Backoff::Exponential, 0.5), 0.0, [10, 20, 40, 60, 60]),
        (policy(Backoff::Exponential, 0.5), 1.0, [5, 10, 20, 30, 30]),
    ];
    for (policy, random, expected) in cases {
        let waits = (1..=5).map(|tries| policy.wait(tries, random).unwrap().as_secs());
        assert_eq!(waits.collect::<Vec<_>>(), expected, "{policy:?} {random}");
        assert_eq!(policy.wait(6, random), None);
    }
    let never_zero = RetryPolicy { delay: Duration::ZERO, ..policy(Backoff::Constant, 1.0) };
    assert_eq!(never_zero.wait(1, 1.0), Some(model::retry::FLOOR));
}

#[test]
fn a_teardown_waits_for_its_setups_and_runs_whatever_became_of_the_rest() {
    let pipeline = parse(
        "[tasks.make]\nkind = \"noop\"\nsetup = true\n\
         [tasks.work]\nkind = \"noop\"\nafter = [\"make\"]\n\
         [tasks.drop]\nkind = \"noop\"\nafter = [\"work\"]\nteardown = [\"make\"]\n",
    );
    let drop = &pipeline.unwrap().dags["d"].tasks["drop"];
    assert_eq!(
        (drop.after.join(","), drop.trigger_rule),
        ("work,make".into(), TriggerRule::AllDoneSetupSuccess)
    );
}

#[test]
fn a_setting_that_can_not_be_is_told() {
    let cases = [
        ("retry_jitter = 1.5", "retry_jitter is a part of the delay: give 0.0 to 1.0"),
        ("slots = 0", "slots must be at least 1"),
        ("teardown = [\"b\"]", "teardown names \"b\", which is no setup: write setup = true there"),
        ("teardown = [\"c\"]", "names the task \"c\", which is not declared"),
        ("pool = \"-\"", "a pool's name begins with a letter"),
    ];
    for (line, expected) in cases {
        let told =
            parse(&format!("[tasks.a]\nkind = \"noop\"\n{line}\n[tasks.b]\nkind = \"noop\"\n")).unwrap_err();
        assert!(told.len() == 1 && told[0].contains(expected), "{line}: {told:#?}");
    }
}

#[test]
fn tasks_that_wait_for_people_and_other_dags_have_days() {
    let pipeline = parse(
        "[tasks.ask]\nkind = \"approve\"\nquestion = \"go on?\"\n\
         [tasks.other]\nkind = \"run\"\ndag = \"e\"\nparams = { rows = 3 }\ntimeout = \"1h\"\n\
         [tasks.late]\nkind = \"wait\"\nrun = { dag = \"e\" }\n",
    );
    let tasks = &pipeline.unwrap().dags["d"].tasks;
    let timeouts = ["ask", "other", "late"].map(|name| tasks[name].timeout.as_secs());
    assert_eq!(timeouts, [7 * 86_400, 3_600, 600]);
    assert!(tasks.values().all(|task| task.kind.only_looks()));
    let told = parse("[tasks.a]\nkind = \"run\"\ndag = \"d\"\n").unwrap_err();
    assert!(told[0].ends_with("starts its own DAG, which would never end"), "{told:?}");
}

#[test]
fn a_dag_has_ten_thousand_tasks_and_no_more() {
    let dag =
        |tasks: usize| -> String { (0..tasks).map(|n| format!("[tasks.t{n}]\nkind = \"noop\"\n")).collect() };
    let parsed =
        |tasks, guard| parse_without(&dag(tasks), guard).map(|pipeline| pipeline.dags["d"].tasks.len());
    assert_eq!(parsed(TASKS_MAX, ""), Ok(TASKS_MAX));
    let told = parsed(TASKS_MAX + 1, "").unwrap_err();
    assert!(
        told[0].contains("p/dags/d.toml:1: it has 10001 tasks, more than 10000: make several"),
        "{told:?}"
    );
    assert_eq!(parsed(TASKS_MAX + 1, "many-tasks"), Ok(TASKS_MAX + 1), "without the guard, it is taken");
}

#[test]
fn a_foreach_gives_items_to_its_templates_and_to_nothing_that_is_asked_before() {
    let task = |lines: &str| parse(&format!("[tasks.a]\nkind = \"command\"\n{lines}\n"));
    let good = "run = [\"echo\", \"{{ item.name }}\", \"{{ map_index }}\"]\nforeach = [{ name = \"x\" }]\nmax_active_items = 2";
    assert!(task(good).is_ok(), "{:?}", task(good).err());
    let many = format!("run = [\"true\"]\nforeach = [{}]", "1,".repeat(ITEMS_MAX + 1));
    let cases = [
        ("run = [\"{{ item }}\"]", "a template names \"item\", but the task has no foreach"),
        ("run = [\"true\"]\nforeach = \"abc\"", "foreach is a list or a template that gives one"),
        ("run = [\"true\"]\nforeach = \"{{ item }}\"", "`foreach` is asked before there is an item"),
        (
            "run = [\"true\"]\nforeach = [1]\nwhen = \"{{ item == 1 }}\"",
            "`when` is asked before there is an item",
        ),
        (
            "run = [\"true\"]\nmax_active_items = 2",
            "bounds the items of a foreach, which the task does not have",
        ),
        (many.as_str(), "foreach gives 10001 items, more than 10000: give fewer, or let one task"),
    ];
    for (lines, expected) in cases {
        let told = task(lines).unwrap_err();
        assert!(told.len() == 1 && told[0].contains(expected), "{expected}: {told:#?}");
    }
    assert!(parse("[tasks.\"a[0]\"]\nkind = \"noop\"\n").unwrap_err()[0].contains("has no `[`, `]` or `/`"));
    assert!(Foreach::too_many(1_000_000).unwrap().contains("1000000 items, more than 10000"));
    assert_eq!((item_of(&item_name("a", 3)), item_of("a")), (Some(("a", 3)), None));
}

#[test]
fn a_branch_names_tasks_that_wait_for_it() {
    let branch = |choose: &str| {
        parse(&format!(
            "[tasks.b]\nkind = \"branch\"\nchoose = {choose}\n[tasks.x]\nkind = \"noop\"\nafter = [\"b\"]\n[tasks.y]\nkind = \"noop\"\n"
        ))
    };
    for choose in ["\"x\"", "[\"x\"]", "[]", "\"{{ dag }}\""] {
        assert!(branch(choose).is_ok(), "{choose}: {:?}", branch(choose).err());
    }
    assert!(branch("\"y\"").unwrap_err()[0].contains("chooses \"y\", which is no task that waits for it"));
}
