use super::*;
use crate::{
    Kind, On, Param,
    dag::{Group, Settings},
    task::{
        CheckedFresh, CheckedRows, CheckedUnique, Expect, HttpCall, Passed, SHARED, Waited, WaitedLag,
        WaitedRows, WaitedRun,
    },
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeSet, fs, path::Path};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The keys that the parser names when it refuses one.
fn known<T: DeserializeOwned>(before: &str) -> BTreeSet<String> {
    let told = toml::from_str::<T>(&format!("{before}no_such_key = 1\n")).err().unwrap().message().to_owned();
    let (_, listed) = told.split_once("expected ").unwrap_or_else(|| panic!("{told}"));
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn names(keys: &[Key]) -> BTreeSet<String> {
    keys.iter().map(|(name, ..)| (*name).to_owned()).collect()
}

#[test]
fn the_schema_has_the_keys_of_the_parser_and_no_others() {
    assert_eq!(names(&settings()), known::<Settings>(""));
    assert_eq!(names(&group()), known::<Group>(""));
    assert_eq!(names(&on()), known::<On>(""));
    assert_eq!(names(&task::shared()), SHARED.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(names(&task::http()), known::<HttpCall>(""));
    assert_eq!(names(&task::expect()), known::<Expect>(""));
    assert_eq!(names(&task::checked_rows()), known::<CheckedRows>(""));
    assert_eq!(names(&task::checked_fresh()), known::<CheckedFresh>(""));
    assert_eq!(names(&task::checked_unique()), known::<CheckedUnique>(""));
    assert_eq!(names(&task::wait()), known::<Waited>(""));
    assert_eq!(names(&task::passed()), known::<Passed>(""));
    assert_eq!(names(&task::run()), known::<WaitedRun>(""));
    assert_eq!(names(&task::rows()), known::<WaitedRows>(""));
    assert_eq!(names(&task::lag()), known::<WaitedLag>(""));
    let told = serde_json::from_value::<model::TriggerRule>(json!("no_such_rule")).unwrap_err().to_string();
    let rules: BTreeSet<&str> = told.split('`').skip(3).step_by(2).collect();
    assert_eq!(rules, RULES.into());
    // An alias is not listed.
    let aliases = names(&[("minItems", json!(0), ""), ("maxItems", json!(0), "")]);
    assert_eq!(names(&param()), known::<Param>("").union(&aliases).cloned().collect());
    let kinds = task::kinds();
    let told = toml::from_str::<Kind>("kind = \"no_such_kind\"").unwrap_err().message().to_owned();
    let all: BTreeSet<String> = told.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert_eq!(all, kinds.iter().map(|(kind, ..)| (*kind).to_owned()).collect());
    for (kind, own, _) in kinds.iter().filter(|(_, own, _)| !own.is_empty()) {
        assert_eq!(names(own), known::<Kind>(&format!("kind = \"{kind}\"\n")), "{kind}");
    }
}

#[test]
fn the_file_for_editors_is_current() {
    let file = fs::read_to_string(root().join("docs/dag.schema.json")).unwrap();
    assert_eq!(
        file.trim_end(),
        format!("{:#}", dag()),
        "write it anew: millrace dag schema > docs/dag.schema.json"
    );
}

#[test]
fn the_reference_is_current() {
    let file = fs::read_to_string(root().join("docs/dag-reference.md")).unwrap();
    assert_eq!(file, reference(), "write it anew: millrace dag reference > docs/dag-reference.md");
}

#[test]
fn the_guide_tells_of_every_key() {
    let guide = fs::read_to_string(root().join("docs/DAGS.md")).unwrap();
    let kinds = task::kinds();
    let kind_names: Vec<Key> = kinds.iter().map(|(kind, ..)| (*kind, json!(0), "")).collect();
    let own = kinds.into_iter().flat_map(|(_, own, _)| own);
    let keys = [settings(), group(), param(), task::shared(), task::expect(), kind_names];
    let all: BTreeSet<&str> = keys.into_iter().flatten().chain(own).map(|(name, ..)| name).collect();
    let told =
        |name: &str| guide.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name);
    let missing: Vec<&str> = all.into_iter().filter(|name| !told(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "docs/DAGS.md does not name them");
}

#[test]
fn every_dag_that_ships_is_valid_and_a_wrong_one_is_not() {
    let schema = dag();
    let valid = |text: &str| {
        is_valid(&schema, &serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap())
    };
    let mut shipped = 0;
    for pipeline in fs::read_dir(root().join("config/pipelines")).unwrap().flatten() {
        for file in fs::read_dir(pipeline.path().join("dags")).unwrap().flatten() {
            assert!(valid(&fs::read_to_string(file.path()).unwrap()), "{}", file.path().display());
            shipped += 1;
        }
    }
    assert!(shipped > 1);
    let task = |lines: &str| format!("[tasks.a]\n{lines}\n");
    let good = [
        "schedule = { cron = [\"0 2 * * *\"], dates = [] }\ncatchup = { max = 3 }\n",
        &task("kind = \"noop\"\nforeach = [1, \"x\", { a = 1 }]"),
        &task("kind = \"branch\"\nchoose = [\"b\"]"),
        &task("kind = \"wait\"\nrun = { dag = \"d\" }"),
        "[groups.g]\nafter = [\"group:h\"]\n[params.p]\ntype = \"array\"\nminItems = 1\n",
    ];
    let bad = [
        "schedul = \"@daily\"\n",
        "catchup = \"newest\"\n",
        &task("kind = \"nop\""),
        &task("kind = \"noop\"\nretrys = 3"),
        &task("kind = \"fetch\""),
        &task("kind = \"cql\"\nstatement = \"x\"\nurl = \"y\""),
        &task("kind = \"noop\"\nslots = 0"),
        &task("after = []"),
    ];
    assert!(good.iter().all(|text| valid(text)), "{:?}", good.map(valid));
    assert!(!bad.iter().any(|text| valid(text)), "{:?}", bad.map(valid));
}

/// The part of JSON Schema that ours is written in; a word beyond it is an error. The crates that know all of it would change the
/// features of crates that half of this workspace is built on.
fn is_valid(schema: &Value, value: &Value) -> bool {
    schema.as_object().unwrap().iter().all(|(word, of)| match word.as_str() {
        "type" => is_of_type(of.as_str().unwrap(), value),
        "enum" => of.as_array().unwrap().contains(value),
        "const" => of == value,
        "anyOf" => of.as_array().unwrap().iter().any(|schema| is_valid(schema, value)),
        "oneOf" => of.as_array().unwrap().iter().filter(|schema| is_valid(schema, value)).count() == 1,
        "required" => of.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "properties" => of
            .as_object()
            .unwrap()
            .iter()
            .all(|(name, schema)| value.get(name).is_none_or(|it| is_valid(schema, it))),
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            let others = fields.iter().filter(|(name, _)| schema["properties"].get(name).is_none());
            others.into_iter().all(|(_, it)| of.as_bool().unwrap_or_else(|| is_valid(of, it)))
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| is_valid(of, item))),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= of.as_u64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= of.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= of.as_f64().unwrap()),
        "description" | "title" | "$schema" => true,
        other => panic!("the schema has the word {other}: teach the test what it means"),
    })
}

fn is_of_type(word: &str, value: &Value) -> bool {
    match word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("no type is called {other}"),
    }
}
