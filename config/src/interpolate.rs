//! `${VAR}` inside a value.

use crate::environment::Environment;

/// A value after its variables were put in.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Filled {
    pub(crate) text: String,
    /// At least one variable was read.
    pub(crate) changed: bool,
}

/// Why a variable cannot be put in. Never holds a value.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Unfilled {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Puts in `${VAR}`, `${VAR:-default}` and `${VAR:?message}`; `$$` is one `$`. As in a shell, an
/// empty variable counts as not set for the last two.
pub(crate) fn interpolate(text: &str, environment: &dyn Environment) -> Result<Filled, Unfilled> {
    let mut filled = String::with_capacity(text.len());
    let mut changed = false;
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        if let Some(after) = from.strip_prefix("$$") {
            filled.push('$');
            rest = after;
        } else if let Some(after) = from.strip_prefix("${") {
            let Some((inside, after)) = after.split_once('}') else {
                return Err(Unfilled {
                    message: "`${` has no closing `}`".to_owned(),
                    help: "write `${VAR}`, or `$$` for a dollar sign".to_owned(),
                });
            };
            filled.push_str(&variable(inside, environment)?);
            changed = true;
            rest = after;
        } else {
            filled.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    filled.push_str(rest);
    Ok(Filled {
        text: filled,
        changed,
    })
}

fn variable(inside: &str, environment: &dyn Environment) -> Result<String, Unfilled> {
    let end = inside
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inside.len());
    let (name, form) = inside.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Unfilled {
            message: "`${…}` does not begin with the name of a variable".to_owned(),
            help: "a name has letters, digits and `_`, and no digit at its beginning".to_owned(),
        });
    }
    let value = environment.lookup(name);
    let full = value.clone().filter(|value| !value.is_empty());
    if form.is_empty() {
        value.ok_or_else(|| Unfilled {
            message: format!("the environment variable `{name}` is not set"),
            help: format!("set it, or give a default: `${{{name}:-value}}`"),
        })
    } else if let Some(default) = form.strip_prefix(":-") {
        Ok(full.unwrap_or_else(|| default.to_owned()))
    } else if let Some(message) = form.strip_prefix(":?") {
        full.ok_or_else(|| Unfilled {
            message: format!("the environment variable `{name}` is not set: {message}"),
            help: format!("set `{name}`"),
        })
    } else {
        Err(Unfilled {
            message: format!("after the name `{name}` comes neither `}}`, `:-` nor `:?`"),
            help: "write `${VAR}`, `${VAR:-default}` or `${VAR:?message}`".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_form_gives_what_a_shell_would() {
        let environment: BTreeMap<String, String> = [("A", "1"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("${A}", Ok("1")),
            ("x${A}y${A}", Ok("x1y1")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-d}", Ok("d")),
            ("${A:-d}", Ok("1")),
            ("${NONE:-}", Ok("")),
            ("${NONE:-a:b}", Ok("a:b")),
            ("$$", Ok("$")),
            ("$${A}", Ok("${A}")),
            ("$A", Ok("$A")),
            ("5$", Ok("5$")),
            ("${NONE}", Err("the environment variable `NONE` is not set")),
            (
                "${EMPTY:?say}",
                Err("the environment variable `EMPTY` is not set: say"),
            ),
            ("${A", Err("`${` has no closing `}`")),
            (
                "${}",
                Err("`${…}` does not begin with the name of a variable"),
            ),
            (
                "${1A}",
                Err("`${…}` does not begin with the name of a variable"),
            ),
            (
                "${A-x}",
                Err("after the name `A` comes neither `}`, `:-` nor `:?`"),
            ),
        ] {
            let filled = interpolate(text, &environment);
            let filled = filled.as_ref().map(|f| f.text.as_str());
            let filled = filled.map_err(|unfilled| unfilled.message.as_str());
            assert_eq!(filled, expected, "{text}");
        }
    }

    #[test]
    fn a_value_without_variables_is_unchanged() {
        let filled = interpolate("a $$ b", &BTreeMap::new()).unwrap();
        assert!(!filled.changed);
    }
}
