//! A page as JSON, with the fields that were asked for.

use crate::{asked::Asked, user::User};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// The top-level fields of a user, in their order.
pub const FIELDS: [&str; 12] = [
    "gender",
    "name",
    "location",
    "email",
    "login",
    "dob",
    "registered",
    "phone",
    "cell",
    "id",
    "picture",
    "nat",
];

/// Which of [`FIELDS`] are shown, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields(u16);

impl Fields {
    pub const ALL: Fields = Fields((1 << FIELDS.len()) - 1);

    /// Those that the list names; unknown names are passed over, as the real API does.
    pub fn named(list: &str) -> Self {
        let places = list.split(',').filter_map(|name| FIELDS.iter().position(|field| *field == name.trim()));
        Fields(places.fold(0, |bits, place| bits | 1 << place))
    }

    pub fn without(self, other: Self) -> Self {
        Fields(self.0 & !other.0)
    }

    fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    results: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info<'a>>,
}

#[derive(Serialize)]
struct Info<'a> {
    seed: &'a str,
    results: usize,
    page: u64,
    version: &'static str,
}

struct Shown<'a> {
    user: &'a User<'a>,
    fields: Fields,
}

/// The body of an answer.
pub fn body(asked: &Asked, users: &[User]) -> Result<Vec<u8>, serde_json::Error> {
    let info = Info { seed: &asked.seed, results: users.len(), page: asked.page, version: "1.4" };
    let results = users.iter().map(|user| Shown { user, fields: asked.fields }).collect();
    let mut out = Vec::with_capacity(users.len() * USER_BYTES + 128);
    serde_json::to_writer(&mut out, &Envelope { results, info: asked.info.then_some(info) })?;
    Ok(out)
}

/// What a user takes, so that the body is seldom moved.
const USER_BYTES: usize = 1_300;

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let user = self.user;
        let mut map = to.serialize_map(None)?;
        for (place, field) in FIELDS.iter().enumerate().filter(|(place, _)| self.fields.has(*place)) {
            match place {
                0 => map.serialize_entry(field, user.gender)?,
                1 => map.serialize_entry(field, &user.name)?,
                2 => map.serialize_entry(field, &user.location)?,
                3 => map.serialize_entry(field, &user.email)?,
                4 => map.serialize_entry(field, &user.login)?,
                5 => map.serialize_entry(field, &user.dob)?,
                6 => map.serialize_entry(field, &user.registered)?,
                7 => map.serialize_entry(field, &user.phone)?,
                8 => map.serialize_entry(field, &user.cell)?,
                9 => map.serialize_entry(field, &user.id)?,
                10 => map.serialize_entry(field, &user.picture)?,
                _ => map.serialize_entry(field, user.nat)?,
            }
        }
        map.end()
    }
}
