use crate::{Bundle, Pipeline};

fn parse(dag: &str) -> Result<Pipeline, Vec<String>> {
    let files = [("pipeline.toml", String::new()), ("dags/d.toml", dag.to_owned())];
    let files = files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    Pipeline::parse(&Bundle { name: "p".into(), files })
        .map_err(|problems| problems.iter().map(|problem| problem.to_string()).collect())
}

/// `"a b<a:load"`: tasks, what they wait for, and their group.
fn tasks(shape: &str) -> String {
    let task = |word: &str| {
        let (head, group) = word.split_once('/').map_or((word, None), |(head, group)| (head, Some(group)));
        let (name, after) = head.split_once('<').unwrap_or((head, ""));
        let after: Vec<String> =
            after.split(',').filter(|p| !p.is_empty()).map(|p| format!("\"{p}\"")).collect();
        let group = group.map_or_else(String::new, |group| format!("group = \"{group}\"\n"));
        format!("[tasks.{name}]\nkind = \"noop\"\nafter = [{}]\n{group}", after.join(", "))
    };
    shape.split_whitespace().map(task).collect()
}

#[test]
fn a_group_is_waited_for_at_its_leaves_and_waits_at_its_roots() {
    let groups = "[groups.load]\nafter = [\"start\"]\n[groups.check]\nafter = [\"group:load\"]\n";
    let shape = "start a/load b<a/load c/load d/check e<group:check f<group:load,b";
    let dag = parse(&format!("{groups}{}", tasks(shape))).unwrap().dags.remove("d").unwrap();
    let after = |name: &str| dag.tasks[name].after.join(",");
    let found: Vec<String> = ["start", "a", "b", "c", "d", "e", "f"].map(after).into();
    assert_eq!(found, ["", "start", "a", "start", "b,c", "d", "b,c"]);
}

#[test]
fn what_is_wrong_with_a_group_is_told_with_its_line() {
    let cases = [
        (
            "a<group:x",
            "",
            "p/dags/d.toml:1: [tasks.a] names the group \"x\", which is not declared: write [groups.x]",
        ),
        ("a/x", "", "p/dags/d.toml:1: [tasks.a] names the group \"x\""),
        ("a", "[groups.x]\n", "p/dags/d.toml:4: [groups.x] has no task: write group = \"x\""),
        (
            "a<group:x/x",
            "[groups.x]\n",
            "p/dags/d.toml:1: [tasks.a] waits for the group \"x\", which it is in",
        ),
        ("a/x", "[groups.x]\nafter = [\"b\"]\n", "p/dags/d.toml:5: [groups.x] names the task \"b\""),
        ("a/x b<group:x", "[groups.x]\nafter = [\"b\"]\n", "waits for itself"),
    ];
    for (shape, groups, expected) in cases {
        let told = parse(&format!("{}{groups}", tasks(shape))).unwrap_err();
        assert!(told.len() == 1 && told[0].contains(expected), "{shape} {groups}: {told:#?}");
    }
}
