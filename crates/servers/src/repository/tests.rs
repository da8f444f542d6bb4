use super::*;

fn mirror(of: &str, url: &str) -> String {
    format!("<mirror><id>m</id><mirrorOf>{of}</mirrorOf><url> {url} </url></mirror>")
}

#[test]
fn a_mirror_is_taken_when_it_covers_central() {
    let cases = [
        (mirror("central", "https://a/x"), Some("https://a/x")),
        (mirror("*", "https://a/x?y=1&amp;z"), Some("https://a/x?y=1&z")),
        (mirror("external:*", "https://a"), Some("https://a")),
        (mirror("other, central", "https://a"), Some("https://a")),
        (mirror("*,!central", "https://a"), None),
        (mirror("external:http:*", "https://a"), None),
        (mirror("other", "https://a") + &mirror("central", "https://b"), Some("https://b")),
        (format!("<!-- {} -->", mirror("central", "https://a")), None),
        ("<mirror><mirrorOf>*</mirrorOf><url>https://a</url><blocked>true</blocked></mirror>".into(), None),
        (String::new(), None),
    ];
    for (settings, expected) in cases {
        assert_eq!(mirror_of_central(&settings).as_deref(), expected, "{settings}");
    }
}

#[test]
fn the_super_pom_names_central() {
    let pom =
        "<!-- x --><repositories><repository>\n<id>central</id><url>https://c/maven2</url></repository>";
    assert_eq!(central_of(pom).as_deref(), Some("https://c/maven2"));
}

#[tokio::test]
async fn plain_http_is_refused_except_on_this_machine() {
    let cases = [
        ("https://a/maven2/", Ok("https://a/maven2")),
        ("http://127.0.0.1:8000/", Ok("http://127.0.0.1:8000")),
        ("http://a/maven2", Err("not an https:// address")),
        ("http://127.0.0.1.a/maven2", Err("not an https:// address")),
    ];
    for (setting, expected) in cases {
        match (base_address(Some(setting)).await, expected) {
            (Ok(address), Ok(expected)) => assert_eq!(address, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (got, expected) => panic!("{setting}: {got:?}, expected {expected:?}"),
        }
    }
}
