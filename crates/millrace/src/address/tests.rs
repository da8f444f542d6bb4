#![allow(clippy::unwrap_used)]

use servers::Identity;

use super::*;

fn stack(config: &Path) -> Stack {
    let password = config.join("password");
    std::fs::write(&password, "of the stack\n").unwrap();
    Stack {
        supervisor: Identity { pid: 1, start_time: 1 },
        addresses: [("kafka", "s:9092"), ("kafka-2", "s:9093"), ("postgres", "s:5433")]
            .map(|(a, b)| (a.into(), b.into()))
            .into(),
        postgres_password_file: password,
        config_dir: config.into(),
        processes: vec![],
    }
}

fn addresses(dir: &Path, with_stack: bool, by_flag: bool, environment: &[(&str, &str)]) -> Addresses {
    let scheduler = "listen = \"0.0.0.0:8080\"\n[kafka]\nbootstrap = \"c:9092\"\n[postgres]\nurl = \"postgres://c/millrace\"\npassword = \"of the file\"\n";
    std::fs::write(dir.join("scheduler.toml"), scheduler).unwrap();
    let place =
        Place { home: dir.into(), config: dir.into(), home_by_flag: by_flag, config_by_default: true };
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Addresses { place, stack: with_stack.then(|| stack(dir)), environment }
}

const VARIABLES: [(&str, &str); 3] = [
    ("MILLRACE_KAFKA_BOOTSTRAP", "e:9092"),
    ("MILLRACE_POSTGRES_URL", "postgres://e/millrace"),
    ("MILLRACE_POSTGRES_PASSWORD", "of the variable"),
];

#[test]
fn a_flag_goes_before_variables_before_the_stack_before_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let (stack, env, file) = (
        ("s:9092,s:9093", "postgres://millrace@s:5433/millrace", "of the stack"),
        ("e:9092", "postgres://e/millrace", "of the variable"),
        ("c:9092", "postgres://c/millrace", "of the file"),
    );
    let cases = [
        (true, true, &VARIABLES[..], stack),
        (true, false, &VARIABLES[..], env),
        (true, false, &[], stack),
        (false, true, &VARIABLES[..], env),
        (false, true, &[], file),
    ];
    for (with_stack, by_flag, environment, expected) in cases {
        let addresses = addresses(dir.path(), with_stack, by_flag, environment);
        let (url, password) = addresses.metadata().unwrap();
        assert_eq!((addresses.kafka().unwrap().as_str(), url.as_str(), password.reveal()), expected);
    }
}

#[test]
fn without_any_address_the_answer_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let message = addresses(dir.path(), false, false, &[]).registry().unwrap_err().to_string();
    assert!(message.contains("producer.toml") && message.contains("millrace up"), "{message}");
}
