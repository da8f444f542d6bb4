//! Chance that is the same on every machine and in every version.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use uuid::Uuid;

/// The name space of all our seeds. Another one is another set of users.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_7573_6572_7361_7069);

/// A generator for the thing that these words name. PCG's numbers are part of its definition and do not change with a
/// release of the library, as those of `StdRng` may.
pub fn generator(words: &[&str]) -> Pcg64 {
    let mut name = String::new();
    for word in words {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        name.push_str(&format!("{}:{word};", word.len()));
    }
    let state = Uuid::new_v5(&NAMESPACE, name.as_bytes());
    let stream = Uuid::new_v5(&state, b"stream");
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(state.as_bytes());
    seed[16..].copy_from_slice(stream.as_bytes());
    Pcg64::from_seed(seed)
}

/// One of them, or the empty text of none.
pub fn one_of<'a>(rng: &mut Pcg64, items: &'a [String]) -> &'a str {
    match items.len() {
        0 => "",
        n => &items[below(rng, n as u64) as usize],
    }
}

/// A number in `0..n`. Of 32 bits, which do for every list and range here and cost half.
pub fn below(rng: &mut Pcg64, n: u64) -> u64 {
    (u64::from(rng.random::<u32>()) * n.min(1 << 32)) >> 32
}

/// A number in `[0, 1)`.
pub fn part(rng: &mut Pcg64) -> f64 {
    rng.random()
}

/// Fills a pattern: `#` becomes a digit, `*` a digit that is not 0, `@` a capital letter; all else stays.
pub fn fill(rng: &mut Pcg64, pattern: &str) -> String {
    let sign = |rng: &mut Pcg64, first: u8, n| char::from(first + below(rng, n) as u8);
    pattern
        .chars()
        .map(|place| match place {
            '#' => sign(rng, b'0', 10),
            '*' => sign(rng, b'1', 9),
            '@' => sign(rng, b'A', 26),
            other => other,
        })
        .collect()
}

/// So many lower-case hexadecimal digits.
pub fn hex(rng: &mut Pcg64, digits: usize) -> String {
    let mut text = String::with_capacity(digits + 16);
    while text.len() < digits {
        let bits: u64 = rng.random();
        text.extend((0..16).map(|n| char::from(b"0123456789abcdef"[(bits >> (4 * n)) as usize & 15])));
    }
    text.truncate(digits);
    text
}
