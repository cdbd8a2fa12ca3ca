//! The examples load as they stand, and say what they show.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Loaded, load};

fn example(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    match load(&path, &BTreeMap::new()) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn every_example_loads_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let loaded = example(&name);
        assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# yaml-language-server: $schema=../schema.json\n#\n# "),
            "{name}"
        );
        assert!(
            text.contains(&format!("backstay run -c config/examples/{name}")),
            "{name}"
        );
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn the_minimal_example_has_one_group_with_the_defaults() {
    let loaded = example("minimal.yaml");
    assert_eq!(loaded.settings.listeners.len(), 1);
    assert_eq!(loaded.settings.groups.len(), 1);
    let group = &loaded.settings.groups[0];
    assert_eq!(group.name, "default");
    assert_eq!(group.policy, lb::GroupPolicy::default());
    assert_eq!(group.peers[0].peer, lb::Peer::new("127.0.0.1:9001"));
    assert!(loaded.admin.is_none());
}
