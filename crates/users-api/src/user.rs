//! One user, and how a page of them is made. Pure.

use crate::{
    asked::{Asked, Gender},
    latin,
    nation::{Nation, Postcode},
    random::{below, fill, generator, hex, one_of, part},
};
use chrono::{DateTime, SecondsFormat};
use rand::RngExt;
use rand_pcg::Pcg64;
use serde::Serialize;

/// A user with the fields of randomuser.me 1.4, in its order.
#[derive(Debug, Serialize)]
pub struct User<'a> {
    pub gender: &'static str,
    pub name: Name<'a>,
    pub location: Location<'a>,
    pub email: String,
    pub login: Login,
    pub dob: Moment,
    pub registered: Moment,
    pub phone: String,
    pub cell: String,
    pub id: Id<'a>,
    pub picture: Picture,
    pub nat: &'a str,
}

#[derive(Debug, Serialize)]
pub struct Name<'a> {
    title: &'static str,
    first: &'a str,
    last: &'a str,
}

#[derive(Debug, Serialize)]
pub struct Location<'a> {
    street: Street<'a>,
    city: &'a str,
    state: &'a str,
    country: &'a str,
    postcode: Code,
    coordinates: Coordinates,
    timezone: Timezone,
}

#[derive(Debug, Serialize)]
struct Street<'a> {
    number: u64,
    name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Code {
    Number(u64),
    Text(String),
}

#[derive(Debug, Serialize)]
struct Coordinates {
    latitude: String,
    longitude: String,
}

#[derive(Debug, Serialize)]
struct Timezone {
    offset: &'static str,
    description: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Login {
    uuid: String,
    username: String,
    password: &'static str,
    salt: String,
    md5: String,
    sha1: String,
    sha256: String,
}

#[derive(Debug, Serialize)]
pub struct Moment {
    date: String,
    age: i64,
}

#[derive(Debug, Serialize)]
pub struct Id<'a> {
    name: &'a str,
    value: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Picture {
    large: String,
    medium: String,
    thumbnail: String,
}

/// The users of a page. They depend on seed and page only: fewer results are the same users, cut off.
pub fn page<'a>(asked: &Asked, nations: &'a [Nation]) -> Vec<User<'a>> {
    let mut rng = generator(&["page", &asked.seed, &asked.page.to_string()]);
    (0..asked.results).map(|_| user(&mut rng, asked, nations)).collect()
}

fn user<'a>(rng: &mut Pcg64, asked: &Asked, nations: &'a [Nation]) -> User<'a> {
    let gender = gender(rng, asked.gender);
    let nation = nation(rng, &asked.nations, nations);
    let name = name(rng, gender, nation);
    User {
        gender: gender.word(),
        location: location(rng, nation),
        email: format!("{}.{}@example.com", latin::spell(name.first), latin::spell(name.last)),
        login: login(rng),
        dob: moment(rng, BORN),
        registered: moment(rng, REGISTERED),
        phone: fill(rng, &nation.phone),
        cell: fill(rng, &nation.cell),
        id: Id { name: &nation.id.name, value: nation.id.pattern.as_ref().map(|pattern| fill(rng, pattern)) },
        picture: picture(rng, gender),
        nat: &nation.code,
        name,
    }
}

/// The throw is made also where the answer is given, so that a filter by gender does not change the other fields.
fn gender(rng: &mut Pcg64, asked: Option<Gender>) -> Gender {
    let thrown = if below(rng, 2) == 0 { Gender::Female } else { Gender::Male };
    asked.unwrap_or(thrown)
}

/// Empty = any.
fn nation<'a>(rng: &mut Pcg64, asked: &[usize], nations: &'a [Nation]) -> &'a Nation {
    match asked.len() {
        0 => &nations[below(rng, nations.len() as u64) as usize],
        n => &nations[asked[below(rng, n as u64) as usize]],
    }
}

fn name<'a>(rng: &mut Pcg64, gender: Gender, nation: &'a Nation) -> Name<'a> {
    const HERS: [&str; 3] = ["Miss", "Ms", "Mrs"];
    let (title, firsts) = match gender {
        Gender::Female => (HERS[below(rng, 3) as usize], &nation.women),
        Gender::Male => ("Mr", &nation.men),
    };
    Name { title, first: one_of(rng, firsts), last: one_of(rng, &nation.last) }
}

fn location<'a>(rng: &mut Pcg64, nation: &'a Nation) -> Location<'a> {
    Location {
        street: Street { number: 1 + below(rng, 9_999), name: one_of(rng, &nation.streets) },
        city: one_of(rng, &nation.cities),
        state: one_of(rng, &nation.states),
        country: &nation.country,
        postcode: match &nation.postcode {
            Postcode::Number([from, to]) => Code::Number(from + below(rng, to - from + 1)),
            Postcode::Text(pattern) => Code::Text(fill(rng, pattern)),
        },
        coordinates: Coordinates { latitude: degrees(rng, 90), longitude: degrees(rng, 180) },
        timezone: timezone(rng),
    }
}

/// Text with four decimals, as the real API has it.
fn degrees(rng: &mut Pcg64, max: i64) -> String {
    let units = below(rng, 2 * max as u64 * 10_000) as i64 - max * 10_000;
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:04}", units.abs() / 10_000, units.abs() % 10_000)
}

fn timezone(rng: &mut Pcg64) -> Timezone {
    const ZONES: [(&str, &str); 12] = [
        ("-11:00", "Midway Island, Samoa"),
        ("-9:00", "Alaska"),
        ("-5:00", "Eastern Time (US & Canada), Bogota, Lima"),
        ("-3:30", "Newfoundland"),
        ("0:00", "Western Europe Time, London, Lisbon, Casablanca"),
        ("+1:00", "Brussels, Copenhagen, Madrid, Paris"),
        ("+3:30", "Tehran"),
        ("+4:30", "Kabul"),
        ("+5:45", "Kathmandu"),
        ("+7:00", "Bangkok, Hanoi, Jakarta"),
        ("+9:30", "Adelaide, Darwin"),
        ("+12:00", "Auckland, Wellington, Fiji, Kamchatka"),
    ];
    let (offset, description) = ZONES[below(rng, ZONES.len() as u64) as usize];
    Timezone { offset, description }
}

fn login(rng: &mut Pcg64) -> Login {
    const COLOURS: [&str; 12] = [
        "angry", "black", "blue", "brown", "crazy", "golden", "happy", "lazy", "orange", "silver", "tiny",
        "yellow",
    ];
    const ANIMALS: [&str; 12] = [
        "bear", "bird", "cat", "duck", "elephant", "fish", "gorilla", "koala", "mouse", "panda", "snake",
        "swan",
    ];
    const PASSWORDS: [&str; 8] =
        ["addison", "cannon", "dragon", "hottie", "monkey", "oscar", "sunshine", "whatever"];
    let mut word = |words: &[&'static str]| words[below(rng, words.len() as u64) as usize];
    let (colour, animal, password) = (word(&COLOURS), word(&ANIMALS), word(&PASSWORDS));
    Login {
        uuid: uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string(),
        username: format!("{colour}{animal}{}", 100 + below(rng, 900)),
        password,
        salt: hex(rng, 8),
        // Of the right length only: nobody checks them, and real ones would be most of the work.
        md5: hex(rng, 32),
        sha1: hex(rng, 40),
        sha256: hex(rng, 64),
    }
}

/// Ages are told as of this instant, 2026-01-01T00:00:00Z, and not as of now: the same seed must give the same bytes for ever.
const AGES_AS_OF_MS: i64 = 1_767_225_600_000;
/// From 1944 to 2004: many are before 1970, where the milliseconds are negative.
const BORN: [i64; 2] = [-820_454_400_000, 1_072_915_200_000];
/// From 2002 to 2022.
const REGISTERED: [i64; 2] = [1_009_843_200_000, 1_640_995_200_000];
const YEAR_MS: f64 = 365.2425 * 86_400_000.0;

fn moment(rng: &mut Pcg64, [from, to]: [i64; 2]) -> Moment {
    let at = from + (part(rng) * (to - from) as f64) as i64;
    let date =
        DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true);
    Moment { date, age: ((AGES_AS_OF_MS - at) as f64 / YEAR_MS) as i64 }
}

fn picture(rng: &mut Pcg64, gender: Gender) -> Picture {
    let (folder, n) = match gender {
        Gender::Female => ("women", below(rng, 97)),
        Gender::Male => ("men", below(rng, 100)),
    };
    let address = |size: &str| format!("https://randomuser.me/api/portraits/{size}{folder}/{n}.jpg");
    Picture { large: address(""), medium: address("med/"), thumbnail: address("thumb/") }
}

#[cfg(test)]
mod tests;
