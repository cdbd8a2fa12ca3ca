//! Broken files and what is said of them. The texts are what `backstay check` prints, so they are
//! read by people who have never seen this program: keep them such that one knows what to do.

use std::collections::BTreeMap;
use std::path::Path;

use config::parse;

/// `UPDATE=1 cargo test -p backstay-config` writes the texts anew: then read them.
#[test]
fn each_broken_file_gets_its_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut count = 0;
    let mut differing = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = said(name, &std::fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &text).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != text {
            differing.push(format!("{name}:\n{text}"));
        }
    }
    assert!(count >= 20, "{count}");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn said(name: &str, text: &str) -> String {
    match parse(name, text, &BTreeMap::new()) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(ToString::to_string);
            format!("{}\n", warnings.collect::<Vec<_>>().join("\n\n"))
        }
        Err(problems) => format!("{problems}\n"),
    }
}
