use crate::{Bundle, Pipeline};

/// `"make! work<make drop<work~make"`: a setup, a task after it, a teardown of it; a rule follows a colon.
fn needed(shape: &str) -> String {
    let names =
        |list: &str| format!("{:?}", list.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>());
    let task = |word: &str| {
        let (head, rule) = word.split_once(':').unwrap_or((word, ""));
        let (head, teardown) = head.split_once('~').unwrap_or((head, ""));
        let (name, after) = head.split_once('<').unwrap_or((head, ""));
        let rule = if rule.is_empty() { String::new() } else { format!("trigger_rule = {rule:?}\n") };
        format!(
            "[tasks.{}]\nkind = \"noop\"\nsetup = {}\nafter = {}\nteardown = {}\n{rule}",
            name.trim_end_matches('!'),
            name.ends_with('!'),
            names(after),
            names(teardown)
        )
    };
    let dag: String = shape.split_whitespace().map(task).collect();
    let files = [("pipeline.toml".to_owned(), String::new()), ("dags/d.toml".to_owned(), dag)];
    let pipeline = Pipeline::parse(&Bundle { name: "p".into(), files: files.into() }).unwrap();
    let needed = pipeline.dags["d"].needed_setups();
    needed.iter().map(|(task, setups)| format!("{task}:{}", setups.join(","))).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_setup_stands_for_all_between_it_and_its_teardown() {
    for (shape, expected) in [
        ("a b<a c<b", ""),
        ("make! a<make drop<a~make", ""),
        ("make! a<make b<a c<b drop<c~make", "b:make c:make"),
        // What waits for the teardown is no longer between the two, and neither is a teardown.
        ("make! a<make b<a drop<b~make after<drop", "b:make"),
        ("make! a<make b<a drop<a~make", "b:make"),
        // Other rules are as they say.
        ("make! a<make b<a:all_done c<b drop<c~make", "c:make"),
        ("one! two!<one a<two b<a down2<b~two down1<down2~one", "a:one b:one,two"),
        // Nothing takes it down: it stands for all below it.
        ("make! a<make b<a", "b:make"),
    ] {
        assert_eq!(needed(shape), expected, "{shape}");
    }
}
