use super::*;

const SHIPPED: &str = include_str!("../../../../config/millrace.toml");

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn the_shipped_file_holds_every_setting_with_its_default() {
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    assert_eq!(shipped, toml::Table::try_from(Settings::default()).unwrap());
}

#[test]
fn a_mistake_in_the_file_is_named_with_file_and_line() {
    let cases = [
        ("[ports]\nkafka = 9092\nkafkaa = 1\n", "c/millrace.toml:3: unknown field `kafkaa`"),
        ("\n[port]\nkafka = 9092\n", "c/millrace.toml:2: unknown field `port`"),
        ("[ports]\nkafka = \"x\"\n", "c/millrace.toml:2: invalid type"),
        ("[ports]\nkafka = 70000\n", "c/millrace.toml:2: "),
        ("[ports]\nkafka 9092\n", "c/millrace.toml:2: "),
    ];
    for (text, expected) in cases {
        let failure = Settings::parse(text, Path::new("c/millrace.toml")).unwrap_err();
        assert!(failure.to_string().starts_with(expected), "{failure}");
        assert!(matches!(failure, Failure::WrongInput(_)));
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let set = environment(&[
        ("MILLRACE_PORTS_KAFKA", "19092"),
        ("MILLRACE_MEMORY_KAFKA_HEAP_MB", "128"),
        ("MILLRACE_MAVEN_REPOSITORY", "https://a"),
        ("MILLRACE_CACHE", "/c"),
        ("PORTS_KAFKA", "1"),
    ]);
    let settings = Settings::default().overridden_by(&set).unwrap();
    assert_eq!((settings.ports.kafka, settings.memory.kafka_heap_mb), (19092, 128));
    assert_eq!(settings.maven_repository(), Some("https://a"));
}

#[test]
fn a_mistake_in_the_environment_is_named() {
    let cases = [
        (("MILLRACE_PORTS_KAFKAA", "1"), "MILLRACE_PORTS_KAFKAA: there is no setting ports.kafkaa"),
        (("MILLRACE_PORTS_KAFKA", "x"), "MILLRACE_PORTS_KAFKA: \"x\" is not a number"),
        (("MILLRACE_PORTS_KAFKA", "70000"), "MILLRACE_PORTS_KAFKA: invalid value: integer `70000`"),
    ];
    for (variable, expected) in cases {
        let message = Settings::default().overridden_by(&environment(&[variable])).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
