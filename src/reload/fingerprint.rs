//! What the files of a configuration hold, in a few bytes.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

/// A hash of what the files hold, whatever symbolic links lead to them: where a link is swapped or
/// a file is renamed into place, the file itself never changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of these files; none while one of them cannot be read, as between the two halves of a
    /// replacement.
    pub(crate) fn of(files: &[PathBuf]) -> Option<Self> {
        let mut context = Context::new(&SHA256);
        for file in files {
            let bytes = read(file)?;
            // The lengths keep two files apart.
            context.update(&bytes.len().to_le_bytes());
            context.update(&bytes);
        }
        let digest = context.finish();
        let first = digest.as_ref().first_chunk()?;
        Some(Self(*first))
    }
}

/// As much as a configuration may have, and a little more, so that growth shows.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

const LARGEST: u64 = (1 << 20) + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_by_what_is_in_the_files_and_not_by_their_names() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        write("a", "one");
        write("b", "one");
        write("c", "two");
        let of = |names: &[&str]| {
            let files: Vec<_> = names.iter().map(|name| path(name)).collect();
            Fingerprint::of(&files)
        };
        assert_eq!(of(&["a"]), of(&["b"]));
        assert_ne!(of(&["a"]), of(&["c"]));
        assert_eq!(of(&["a", "missing"]), None);
        std::os::unix::fs::symlink(path("a"), path("link")).unwrap();
        let before = of(&["link"]);
        assert_eq!(before, of(&["a"]));
        std::fs::remove_file(path("link")).unwrap();
        std::os::unix::fs::symlink(path("c"), path("link")).unwrap();
        assert_ne!(of(&["link"]), before);
        write("a", "onet");
        write("b", "wo");
        write("c", "one");
        write("d", "two");
        assert_ne!(of(&["a", "b"]), of(&["c", "d"]));
    }
}
