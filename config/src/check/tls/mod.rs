//! `tls`: the files are read here, so that what is wrong with them has a line.

mod group;
mod listener;

pub(super) use group::group;
pub(super) use listener::listener;

use std::path::Path;

use proxy::settings::TlsVersion;
use proxy::tls::{Flaws, Pem, Place};

use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

fn version(version: Option<file::TlsVersion>) -> TlsVersion {
    match version {
        None => TlsVersion::default(),
        Some(file::TlsVersion::V1_2) => TlsVersion::V1_2,
        Some(file::TlsVersion::V1_3) => TlsVersion::V1_3,
    }
}

/// A path as the file means it.
fn pem(path: &str, folder: &Path) -> Pem {
    Pem::File(folder.join(path))
}

/// Reports each flaw at the key that named the file.
fn report(flaws: Flaws, path: impl Fn(Place) -> String, found: &mut Findings) {
    for flaw in flaws.0 {
        let finding = Finding::new(Code::UnusableFile, &path(flaw.place), flaw.why);
        found.add(finding.label("cannot be used"));
    }
}
