//! What a request asks for.

use crate::{
    fault::{FaultError, Faults},
    nation::Nation,
    show::Fields,
};
use std::collections::HashMap;

/// A request, read leniently as the real API does: what makes no sense counts as not said.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub results: usize,
    /// From 1.
    pub page: u64,
    pub seed: String,
    pub gender: Option<Gender>,
    /// Places in the list of nations; empty = any.
    pub nations: Vec<usize>,
    pub fields: Fields,
    /// Whether the answer has `info`.
    pub info: bool,
    /// Where absent, those of the configuration.
    pub faults: Option<Faults>,
    pub fault_seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Female,
    Male,
}

impl Gender {
    pub fn word(self) -> &'static str {
        match self {
            Gender::Female => "female",
            Gender::Male => "male",
        }
    }
}

/// The real API's bound. Above it the answer is one user.
pub const RESULTS_MAX: usize = 5_000;

impl Asked {
    /// Reads the query. Only a fault that does not exist is an error: a test that believes in it would prove nothing.
    pub fn read(
        query: &HashMap<String, String>,
        default_seed: &str,
        nations: &[Nation],
    ) -> Result<Self, FaultError> {
        let said = |name: &str| query.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let number = |name: &str| said(name).and_then(|text| text.parse::<u64>().ok());
        let shown = said("inc").map_or(Fields::ALL, Fields::named);
        Ok(Self {
            results: number("results").filter(|n| (1..=RESULTS_MAX as u64).contains(n)).unwrap_or(1) as usize,
            page: number("page").filter(|page| *page > 0).unwrap_or(1),
            seed: said("seed").unwrap_or(default_seed).to_owned(),
            gender: [Gender::Female, Gender::Male]
                .into_iter()
                .find(|gender| said("gender") == Some(gender.word())),
            nations: said("nat").map(|list| places(list, nations)).unwrap_or_default(),
            fields: said("exc").map_or(shown, |list| shown.without(Fields::named(list))),
            info: !query.contains_key("noinfo"),
            faults: said("fault").map(Faults::parse).transpose()?,
            fault_seed: number("fault_seed"),
        })
    }
}

fn places(list: &str, nations: &[Nation]) -> Vec<usize> {
    let place = |code: &str| nations.iter().position(|nation| nation.code.eq_ignore_ascii_case(code.trim()));
    list.split(',').filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_counts_as_not_said() {
        let nations = crate::nation::all().unwrap();
        let read = |query: &[(&str, &str)]| {
            let query = query.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            Asked::read(&query, "default", &nations)
        };
        let plain = read(&[]).unwrap();
        assert_eq!((plain.results, plain.page, plain.seed.as_str(), plain.info), (1, 1, "default", true));
        for (said, results) in
            [("1", 1), ("5000", 5000), ("5001", 1), ("0", 1), ("-5", 1), ("many", 1), ("", 1)]
        {
            assert_eq!(read(&[("results", said)]).unwrap().results, results, "results={said}");
        }
        assert_eq!(
            read(&[("page", "0"), ("gender", "both"), ("nat", "XX"), ("seed", "")]),
            Ok(plain.clone())
        );
        assert_eq!(read(&[("nat", "us, au,XX")]).unwrap().nations, [20, 0]);
        assert_eq!(
            read(&[("gender", "male"), ("noinfo", "")]).map(|a| (a.gender, a.info)),
            Ok((Some(Gender::Male), false))
        );
        assert_eq!(read(&[("inc", "name,nat"), ("exc", "name")]).unwrap().fields, Fields::named("nat"));
        assert!(
            read(&[("fault", "typo:1")]).is_err_and(|cause| cause.to_string().contains("badjson, endless"))
        );
    }
}
