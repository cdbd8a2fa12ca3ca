//! Texts that are something else to a YAML 1.1 reader: booleans, octal numbers, numbers to base 60.

/// What YAML 1.1 takes an unquoted text for, when YAML 1.2 takes it for a text.
pub(super) fn meaning(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let truth = matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off");
    // Only these three spellings: `yEs` is a text in both.
    let spelt = text == lower || text == text.to_uppercase() || {
        let mut chars = text.chars();
        let first = chars.next();
        first.is_some_and(char::is_uppercase) && chars.all(char::is_lowercase)
    };
    if truth && spelt {
        return Some("a truth value");
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    let number = unsigned.starts_with(|c: char| c.is_ascii_digit());
    if number && digits(unsigned) {
        return Some("a number");
    }
    let sixties = unsigned.split(':').skip(1).all(|part| {
        let value: Option<u8> = part.parse().ok().filter(|_| digits(part));
        part.len() <= 2 && value.is_some_and(|value| value < 60)
    });
    let first = unsigned.split(':').next().unwrap_or_default();
    (number && unsigned.contains(':') && digits(first) && sixties).then_some("a number to base 60")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_a_boolean_or_number_is_told() {
        for (text, expected) in [
            ("on", Some("a truth value")),
            ("No", Some("a truth value")),
            ("OFF", Some("a truth value")),
            ("y", Some("a truth value")),
            ("oN", None),
            ("one", None),
            ("007", Some("a number")),
            ("1_000", Some("a number")),
            ("22:22", Some("a number to base 60")),
            ("8080:80", None),
            ("10.0.0.1", None),
            ("127.0.0.1:22", None),
            ("1m30s", None),
            ("2026-01", None),
            ("::1", None),
            (":\u{2000}", None),
            ("", None),
        ] {
            assert_eq!(meaning(text), expected, "{text}");
        }
    }
}
