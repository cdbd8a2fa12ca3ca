//! Files that are made to cost: refused by what they are, before they are parsed or within bounds
//! that are counted. Whatever the text, there is an answer and no panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use config::{Code, Environment, Problems, parse};
use proptest::prelude::*;

fn refused(text: &str) -> Problems {
    parse("hostile.yaml", text, &BTreeMap::new()).unwrap_err()
}

/// The one problem that a hostile text has, and where.
fn only(text: &str) -> (Code, usize, usize) {
    let problems = refused(text);
    let all: Vec<_> = problems.iter().collect();
    assert_eq!(all.len(), 1, "{problems}");
    (all[0].code, all[0].line, all[0].column)
}

#[test]
fn deep_brackets_are_refused_where_they_get_too_deep() {
    for text in [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "[{".repeat(50_000),
        "{a: ".repeat(30_000),
        "[\n".repeat(100_000),
        "- [[[[[[[[[[\n".repeat(10_000),
        format!("a: {}", "[".repeat(100_000)),
    ] {
        let (code, line, column) = only(&text);
        assert_eq!(code, Code::Hostile);
        // The refusal is at the 65th: nothing behind it was looked at.
        let before = text
            .lines()
            .take(line - 1)
            .map(|line| line.len() + 1)
            .sum::<usize>();
        let read = text.get(..before + column).unwrap();
        assert_eq!(read.matches(['[', '{']).count(), 65, "{}", &text[..20]);
    }
}

/// Each hides the depth from a scan that does not know what is quoted, plain or a comment.
#[test]
fn depth_cannot_be_hidden() {
    for (open, what) in [
        ("[\"]\", ", "closed in double quotes"),
        ("[']', ", "closed in single quotes"),
        ("[\"\\\"]\", ", "closed behind an escaped quote"),
        ("[''']', ", "closed behind a doubled quote"),
        ("[ #]]]\n", "closed in a comment"),
        ("[it's, ", "an apostrophe opens nothing"),
        ("[a \"b, ", "nor does a quote inside a text"),
        ("[a#b\", ", "nor is this a comment"),
        ("{\"a\":[", "no blank behind the colon"),
        ("[&a ", "behind an anchor"),
    ] {
        let problems = refused(&format!("a: {}", open.repeat(1000)));
        let problem = problems.iter().next().unwrap();
        // What the scan says of depth, or of a text that it does not take: never the parser.
        let depth = problem.message.contains("inside each other");
        let text = problem.code == Code::Syntax && !problem.message.contains("not YAML");
        assert!(depth || text, "{what}: {problems}");
    }
}

#[test]
fn texts_that_go_on_are_refused_since_they_could_hide_anything() {
    for text in [
        "a: \"b\n  c\"",
        "a: 'b\n  c'",
        "a: b\n  \"c\nd: [",
        "a: b\n  [c\nd: 1",
        "a: |\n  [[[",
        "a: >\n  [[[",
        "a: [b\n  \"c, [",
        "- a\n  b",
        "a:\n  b\n  c",
        "? a\n: b",
        "a: !!str [",
        "{a: ? b}",
    ] {
        assert_eq!(only(text).0, Code::Syntax, "{text}");
    }
}

#[test]
fn nested_blocks_are_refused() {
    let mut maps = String::new();
    for depth in 0..1000 {
        writeln!(maps, "{}a:", " ".repeat(depth)).unwrap();
    }
    assert_eq!(only(&maps), (Code::Hostile, 17, 17));
    assert_eq!(only(&"- ".repeat(100_000)).0, Code::Hostile);
}

#[test]
fn aliases_cannot_multiply() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
    }
    assert_eq!(only(&bomb).0, Code::Hostile);
    assert_eq!(
        only(&format!("a: &a 1\nb: [{}]", "*a, ".repeat(20_000))).0,
        Code::Hostile
    );
    let anchors = (0..1000).map(|i| format!("- &a{i} 1")).collect::<Vec<_>>();
    let anchors = anchors.join("\n");
    assert_eq!(only(&anchors).0, Code::Hostile);
    assert_eq!(only("a: &a 1\nb: &a 2\nc: *a").0, Code::Syntax);
    assert_eq!(only("a: &a [*a]").0, Code::Hostile);
    assert_eq!(only("a: *b").0, Code::Syntax);
}

#[test]
fn large_files_and_odd_characters_are_refused() {
    assert_eq!(only(&"#".repeat((1 << 20) + 1)).0, Code::Hostile);
    assert_eq!(only("groups: \0").0, Code::Hostile);
    assert_eq!(only("a: 1\rb: 2").0, Code::Hostile);
    assert_eq!(only("# \u{2028}").0, Code::Hostile);
    assert_eq!(only("a: \u{1b}[31m").0, Code::Hostile);
    assert_eq!(only(&format!("{}: 1", "k".repeat(1000))).0, Code::Hostile);
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_are_fine() {
    let text = "\u{feff}listeners:\r\n  - listen: 127.0.0.1:80\r\ngroups:\r\n  - peers: [{url: http://a}]\r\n";
    let loaded = parse("bom.yaml", text, &BTreeMap::new()).unwrap();
    assert!(loaded.warnings.is_empty());
}

#[test]
fn what_is_not_utf_8_or_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.yaml");
    let missing = config::load(&path, &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.iter().next().unwrap().code, Code::Unreadable);
    std::fs::write(&path, b"# one\n\xff\xfe").unwrap();
    let problems = config::load(&path, &BTreeMap::new()).unwrap_err();
    assert!(
        problems.to_string().contains("not UTF-8 (line 2)"),
        "{problems}"
    );
    std::fs::write(&path, vec![b'#'; 3 << 20]).unwrap();
    let problems = config::load(&path, &BTreeMap::new()).unwrap_err();
    assert!(
        problems.to_string().contains("larger than 1 MiB"),
        "{problems}"
    );
}

struct Counting(Cell<usize>);

impl Environment for Counting {
    fn lookup(&self, _: &str) -> Option<String> {
        self.0.set(self.0.get() + 1);
        None
    }
}

/// A file of nothing but mistakes is read until there are enough of them.
#[test]
fn many_problems_stop_the_reading() {
    let hosts = "\"${A}\",".repeat(100_000);
    let text = format!("trusted_proxies: [{hosts}]");
    let environment = Counting(Cell::new(0));
    let problems = parse("many.yaml", &text, &environment).unwrap_err();
    assert_eq!(environment.0.get(), 200);
    // None of them shows the line, which nobody could read.
    assert!(problems.to_string().len() < 50_000);
}

const ALPHABET: &str = "[\\[\\]{}:,#&*!|>'\"%@`$?a-c0-9 \\n\\t-]{0,200}";

fn corpus() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["examples", "tests/broken"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts.sort();
    texts
}

/// Parses, and renders what is wrong: neither may panic.
fn survive(text: &str) {
    match parse("any.yaml", text, &BTreeMap::new()) {
        Ok(loaded) => drop(
            loaded
                .warnings
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        ),
        Err(problems) => {
            assert!(problems.iter().count() > 0);
            assert!(
                !problems.to_string().contains("defect"),
                "{text}\n{problems}"
            );
            drop(problems.to_json());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn no_yaml_like_text_panics(text in ALPHABET) {
        survive(&text);
    }

    #[test]
    fn no_mutated_file_panics(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, ALPHABET), 1..4),
    ) {
        let texts = corpus();
        let mut chars: Vec<char> = which.get(&texts).chars().collect();
        for (at, removed, put) in cuts {
            let at = at.index(chars.len() + 1);
            let end = (at + removed).min(chars.len());
            let put = put.chars().take(5);
            chars.splice(at..end, put);
        }
        survive(&chars.into_iter().collect::<String>());
    }
}
