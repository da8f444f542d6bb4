//! What differs from nation to nation: names, places, post codes, telephone numbers, ids.

use fake::locales::{DE_DE, Data, EN, FA_IR, FR_FR, NL_NL, PT_BR, TR_TR};
use serde::Deserialize;

/// One nation, as `nations.toml` describes it. Patterns are those of [`crate::random::fill`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nation {
    /// Two capital letters.
    pub code: String,
    pub country: String,
    pub men: Vec<String>,
    pub women: Vec<String>,
    /// Empty in the file where the crate `fake` knows the language.
    #[serde(default)]
    pub last: Vec<String>,
    pub streets: Vec<String>,
    pub cities: Vec<String>,
    pub states: Vec<String>,
    pub postcode: Postcode,
    pub phone: String,
    pub cell: String,
    pub id: Id,
}

/// A number in most nations, text in some: what reads it must be ready for both.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Postcode {
    /// From and to, both included.
    Number([u64; 2]),
    Text(String),
}

/// The national id; no pattern where the real API gives null.
#[derive(Debug, Deserialize)]
pub struct Id {
    pub name: String,
    pub pattern: Option<String>,
}

#[derive(Deserialize)]
struct File {
    nation: Vec<Nation>,
}

/// All nations, in the order of their codes.
pub fn all() -> Result<Vec<Nation>, toml::de::Error> {
    let mut file: File = toml::from_str(include_str!("nations.toml"))?;
    for nation in &mut file.nation {
        if nation.last.is_empty() {
            nation.last = last_names(&nation.code).iter().map(|name| (*name).to_owned()).collect();
        }
    }
    Ok(file.nation)
}

fn last_names(code: &str) -> &'static [&'static str] {
    match code {
        "BR" => PT_BR::NAME_LAST_NAME,
        "DE" => DE_DE::NAME_LAST_NAME,
        "FR" => FR_FR::NAME_LAST_NAME,
        "IR" => FA_IR::NAME_LAST_NAME,
        "NL" => NL_NL::NAME_LAST_NAME,
        "TR" => TR_TR::NAME_LAST_NAME,
        _ => EN::NAME_LAST_NAME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_nation_of_the_real_api_with_all_that_a_user_needs() {
        let nations = all().unwrap();
        let codes: Vec<&str> = nations.iter().map(|nation| nation.code.as_str()).collect();
        assert_eq!(codes.join(" "), "AU BR CA CH DE DK ES FI FR GB IE IN IR MX NL NO NZ RS TR UA US");
        for nation in &nations {
            for list in
                [&nation.men, &nation.women, &nation.last, &nation.streets, &nation.cities, &nation.states]
            {
                assert!(
                    list.len() >= 4 && list.iter().all(|item| !item.is_empty()),
                    "{}: {list:?}",
                    nation.code
                );
            }
        }
        let text = |nation: &&Nation| matches!(nation.postcode, Postcode::Text(_));
        assert_eq!(
            nations.iter().filter(text).map(|nation| nation.code.as_str()).collect::<Vec<_>>(),
            ["CA", "GB", "NO"]
        );
        let null: Vec<_> = nations
            .iter()
            .filter(|nation| nation.id.pattern.is_none())
            .map(|nation| nation.code.as_str())
            .collect();
        assert_eq!(null, ["IR", "NZ", "TR", "UA"]);
    }
}
