//! The base address of the Maven repository: a setting, else what the machine's own Maven uses.
//!
//! No address stands in this project, so that a machine behind a company's mirror asks that mirror and nobody else.
//! Read in Maven's order: a mirror of `central` in the user's settings, one in Maven's own settings, and at last the address of
//! `central` in the super-POM that lies in Maven's jar. Not read: repositories of profiles and passwords of `<server>`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;

/// `mvn -v` starts a JVM, which takes a second on a busy machine.
const MAVEN_TIMEOUT: Duration = Duration::from_secs(30);
/// A jar entry or a settings file above this is not what it claims to be.
const TEXT_BYTES_MAX: u64 = 1 << 20;
const SUPER_POM: &str = "org/apache/maven/model/pom-4.0.0.xml";

/// Answers the base address without a slash at its end.
pub async fn base_address(setting: Option<&str>) -> Result<String, Error> {
    let address = match setting {
        Some(address) => address.to_string(),
        None => ask_maven().await?,
    };
    if !address.starts_with("https://") && !is_loopback(&address) {
        return Err(Error::Repository { cause: format!("{address} is not an https:// address") });
    }
    Ok(address.trim_end_matches('/').to_string())
}

/// Plain HTTP is for tests and for a cache on this very machine.
fn is_loopback(address: &str) -> bool {
    ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"].iter().any(|start| address.starts_with(start))
}

async fn ask_maven() -> Result<String, Error> {
    let user = std::env::home_dir().map(|home| home.join(".m2/settings.xml"));
    if let Some(url) = user.as_deref().and_then(read).and_then(|xml| mirror_of_central(&xml)) {
        return Ok(url);
    }
    let maven = maven_home().await?;
    if let Some(url) = read(&maven.join("conf/settings.xml")).and_then(|xml| mirror_of_central(&xml)) {
        return Ok(url);
    }
    super_pom_central(&maven.join("lib")).ok_or_else(|| Error::Repository {
        cause: format!("no super-POM in {}", maven.join("lib").display()),
    })
}

fn read(file: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(TEXT_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The address of the first mirror whose `mirrorOf` covers `central`.
fn mirror_of_central(settings: &str) -> Option<String> {
    let settings = without_comments(settings);
    elements(&settings, "mirror").find_map(|mirror| {
        let blocked = element(mirror, "blocked").is_some_and(|text| text == "true");
        let covers = element(mirror, "mirrorOf").is_some_and(covers_central);
        if blocked || !covers { None } else { element(mirror, "url").map(unescape) }
    })
}

/// `mirrorOf` is a list of ids, `*`, `external:*` and exclusions by `!`; an exclusion wins.
fn covers_central(mirror_of: &str) -> bool {
    let mut ids = mirror_of.split(',').map(str::trim);
    let all: Vec<&str> = ids.by_ref().collect();
    !all.contains(&"!central") && all.iter().any(|id| matches!(*id, "central" | "*" | "external:*"))
}

/// Asks the program itself, because `mvn` on the path is often a link or a script of a version manager.
async fn maven_home() -> Result<PathBuf, Error> {
    let run = tokio::process::Command::new("mvn").arg("-v").kill_on_drop(true).output();
    let output = match tokio::time::timeout(MAVEN_TIMEOUT, run).await {
        Err(_) => return Err(Error::Repository { cause: format!("`mvn -v` took over {MAVEN_TIMEOUT:?}") }),
        Ok(Err(cause)) => {
            return Err(Error::Repository { cause: format!("`mvn -v` does not start: {cause}") });
        }
        Ok(Ok(output)) => output,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let home = text.lines().find_map(|line| line.split_once("Maven home: ").map(|(_, home)| home.trim()));
    home.map(PathBuf::from)
        .ok_or_else(|| Error::Repository { cause: "`mvn -v` does not name a \"Maven home\"".into() })
}

fn super_pom_central(lib: &Path) -> Option<String> {
    let jars = std::fs::read_dir(lib).ok()?.flatten().map(|entry| entry.path());
    let mut builders: Vec<PathBuf> = jars.filter(|jar| is_model_builder(jar)).collect();
    builders.sort();
    builders.iter().find_map(|jar| {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(jar).ok()?).ok()?;
        let mut pom = String::new();
        archive.by_name(SUPER_POM).ok()?.take(TEXT_BYTES_MAX).read_to_string(&mut pom).ok()?;
        central_of(&pom)
    })
}

/// Maven 3 keeps the super-POM in maven-model-builder, Maven 4 in maven-impl.
fn is_model_builder(jar: &Path) -> bool {
    let name = jar.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".jar") && (name.starts_with("maven-model-builder") || name.starts_with("maven-impl"))
}

fn central_of(pom: &str) -> Option<String> {
    let pom = without_comments(pom);
    let central =
        elements(&pom, "repository").find(|r| element(r, "id") == Some("central")).map(str::to_string)?;
    element(&central, "url").map(unescape)
}

/// The few words of XML that such a file needs; comments are out before elements are looked for.
fn without_comments(xml: &str) -> String {
    let mut rest = xml;
    let mut kept = String::with_capacity(xml.len());
    while let Some((before, after)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    kept + rest
}

fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (inner, after) = after.split_once(&close)?;
        rest = after;
        Some(inner)
    })
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    elements(xml, name).next().map(str::trim)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests;
