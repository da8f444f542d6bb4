//! A name in the letters of an e-mail address.

/// Lower-case ASCII letters and digits that sound about the same; what has no sound is left out.
pub fn spell(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => spelled.push(letter),
            _ => spelled.push_str(sound(letter)),
        }
    }
    if spelled.is_empty() { "user".to_owned() } else { spelled }
}

fn sound(letter: char) -> &'static str {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ı' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
        'œ' => "oe",
        'ş' | 'š' | 'ś' => "s",
        'ß' => "ss",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'ý' | 'ÿ' => "y",
        'ž' => "z",
        'а'..='я' | 'ґ' | 'є' | 'і' | 'ї' | 'ђ' | 'ј' | 'љ' | 'њ' | 'ћ' | 'џ' => cyrillic(letter),
        _ => persian(letter),
    }
}

fn cyrillic(letter: char) -> &'static str {
    match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' => "e",
        'є' => "ye",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'ї' => "yi",
        'й' | 'ј' => "j",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "h",
        'ц' => "c",
        'ч' | 'ћ' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ы' => "y",
        'ю' => "yu",
        'я' => "ya",
        'ђ' => "dj",
        'љ' => "lj",
        'њ' => "nj",
        'џ' => "dz",
        _ => "",
    }
}

fn persian(letter: char) -> &'static str {
    match letter {
        'آ' | 'ا' | 'أ' | 'ع' => "a",
        'ب' => "b",
        'پ' => "p",
        'ت' | 'ط' => "t",
        'ث' | 'س' | 'ص' => "s",
        'ج' => "j",
        'چ' => "ch",
        'ح' | 'ه' => "h",
        'خ' => "kh",
        'د' => "d",
        'ذ' | 'ز' | 'ض' | 'ظ' => "z",
        'ر' => "r",
        'ژ' => "zh",
        'ش' => "sh",
        'غ' | 'ق' => "gh",
        'ف' => "f",
        'ک' | 'ك' => "k",
        'گ' => "g",
        'ل' => "l",
        'م' => "m",
        'ن' => "n",
        'و' => "v",
        'ی' | 'ي' => "y",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::spell;

    #[test]
    fn every_alphabet_gives_an_address() {
        let cases = [
            ("Van den Berg", "vandenberg"),
            ("Åse Møller", "asemoller"),
            ("Yılmaz", "yilmaz"),
            ("Їжакевич", "yizhakevich"),
            ("Ђорђевић", "djordjevich"),
            ("محمد", "mhmd"),
            ("漢", "user"),
        ];
        for (name, expected) in cases {
            assert_eq!(spell(name), expected, "{name}");
        }
    }
}
