//! The key that seals MCP session ids when the file gives none: made once and kept, so that a
//! restart keeps the sessions.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use proxy::settings::{Protocol, SealKey, Settings};

use crate::error::Error;

/// Gives the settings a key, if they need one and have none.
///
/// # Errors
/// The file is there, but holds no key: making another would end every session without a word.
pub(crate) fn provide(settings: &mut Settings, directory: Option<&Path>) -> Result<(), Error> {
    let mcp = |group: &proxy::settings::GroupSettings| group.protocol != Protocol::Http;
    if !settings.session.keys.is_empty() || !settings.groups.iter().any(mcp) {
        return Ok(());
    }
    let Some(directory) = directory else {
        tracing::warn!(reason = "no state directory", "session_key_not_kept");
        return Ok(());
    };
    let path = directory.join(FILE);
    match read(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => make(directory, &path),
        _ => Err(error),
    }) {
        Ok(text) => {
            let secret = parse(&text).ok_or(Error::SessionKey(path))?;
            let id = ID.to_owned();
            settings.session.keys.push(SealKey { id, secret });
        }
        // Without a key of ours the gateway makes one that dies with the process.
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "session_key_not_kept");
        }
    }
    Ok(())
}

/// Where state is kept: what systemd gave us (`StateDirectory=`), else the user's
/// (XDG Base Directory Specification, "Environment variables").
pub(crate) fn state_directory(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let value = PathBuf::from(variable(name)?);
        value.is_absolute().then_some(value)
    };
    if let Some(directories) = variable("STATE_DIRECTORY") {
        // systemd.exec(5): several are separated by colons.
        let first = directories.split(':').next().unwrap_or_default();
        if !first.is_empty() {
            return Some(first.into());
        }
    }
    let user = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(user?.join("backstay"))
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Makes a key, whole or not at all; a second process that does the same gets the key of the first.
fn make(directory: &Path, path: &Path) -> io::Result<String> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut secret = [0_u8; 32];
    rand::fill(&mut secret).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let hex = |byte: &u8| [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
    let text: String = secret.iter().flat_map(hex).map(char::from).collect();
    let unfinished = directory.join(format!(".{FILE}.{}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| {
            writeln!(file, "{text}")?;
            file.sync_all()
        });
    // A link, unlike a rename, does not replace what is there.
    let linked = written.and_then(|()| fs::hard_link(&unfinished, path));
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(path),
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let text = text.trim_end();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut secret = [0; 32];
    for (byte, digits) in secret.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(secret)
}

const FILE: &str = "session.key";
const ID: &str = "kept";
const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use proxy::settings::GroupSettings;
    use std::os::unix::fs::PermissionsExt as _;

    fn settings(protocol: Protocol) -> Settings {
        let mut group = GroupSettings::new("default", Vec::new());
        group.protocol = protocol;
        Settings {
            groups: vec![group],
            ..Settings::default()
        }
    }

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("state/backstay");
        let (mut first, mut second) = (settings(Protocol::Auto), settings(Protocol::Auto));
        provide(&mut first, Some(&directory)).unwrap();
        provide(&mut second, Some(&directory)).unwrap();
        assert_eq!(first.session.keys.len(), 1);
        assert_eq!(first.session.keys, second.session.keys);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(FILE)), 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn plain_http_needs_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = settings(Protocol::Http);
        provide(&mut settings, Some(directory.path())).unwrap();
        assert!(settings.session.keys.is_empty());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_key_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for text in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            fs::write(&path, text).unwrap();
            let refused = provide(&mut settings(Protocol::Mcp), Some(directory.path()));
            assert!(matches!(refused, Err(Error::SessionKey(_))), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn without_a_place_the_sessions_last_as_long_as_the_process() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for directory in [None, Some(file.path())] {
            let mut settings = settings(Protocol::Mcp);
            provide(&mut settings, directory).unwrap();
            assert!(settings.session.keys.is_empty());
        }
    }

    #[test]
    fn the_state_directory_is_the_services_or_the_users() {
        let rows = [
            (
                &[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("HOME", "/h")][..],
                Some("/var/lib/a"),
            ),
            (
                &[
                    ("STATE_DIRECTORY", ""),
                    ("XDG_STATE_HOME", "/x"),
                    ("HOME", "/h"),
                ],
                Some("/x/backstay"),
            ),
            (
                &[("XDG_STATE_HOME", "relative"), ("HOME", "/h")],
                Some("/h/.local/state/backstay"),
            ),
            (&[("HOME", "/h")], Some("/h/.local/state/backstay")),
            (&[], None),
        ];
        for (variables, expected) in rows {
            let lookup = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(
                state_directory(lookup),
                expected.map(PathBuf::from),
                "{variables:?}"
            );
        }
    }
}
