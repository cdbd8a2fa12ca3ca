//! `groups[].tls`.

use std::path::Path;
use std::sync::Arc;

use proxy::settings::{GroupTls, PeerSettings, Scheme};
use proxy::tls::{Connector, KeyPair, Place};

use super::{pem, report, version};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

/// TLS towards the peers of the group at `at`; paths begin at `folder`.
pub(in crate::check) fn group(
    tls: Option<file::GroupTls>,
    peers: &[PeerSettings],
    at: &str,
    folder: &Path,
    found: &mut Findings,
) -> Option<Arc<Connector>> {
    let path = format!("{at}.tls");
    let wanted = peers.iter().any(|peer| peer.url.scheme == Scheme::Https);
    if !wanted {
        if tls.is_some() && !found.touched(&format!("{at}.peers")) {
            let finding = Finding::new(Code::NoEffect, &path, "no peer has an https:// URL");
            found.add(finding.on_key().label("has no effect"));
        }
        return None;
    }
    let settings = settings(tls.unwrap_or_default(), &path, folder, found)?;
    let named = settings.server_name.is_some();
    let own_ca = found.has(&format!("{path}.ca"));
    let place = |place| match place {
        Place::Ca if own_ca => format!("{path}.ca"),
        Place::Cert(_) => format!("{path}.cert"),
        Place::Key(_) => format!("{path}.key"),
        Place::ServerName => format!("{path}.server_name"),
        Place::Ca | Place::ClientCa | Place::Whole => path.clone(),
    };
    let connector = match Connector::new(settings) {
        Ok(connector) => connector,
        Err(flaws) => {
            report(flaws, place, found);
            return None;
        }
    };
    for (i, peer) in peers.iter().enumerate() {
        if peer.url.scheme == Scheme::Https
            && !named
            && let Err(flaw) = connector.dialer(peer.url.server_name())
        {
            let finding = Finding::new(Code::BadValue, &format!("{at}.peers[{i}].url"), flaw.why);
            found.add(finding.help("add `tls: {server_name: NAME}` to the group"));
        }
    }
    Some(connector)
}

fn settings(
    tls: file::GroupTls,
    path: &str,
    folder: &Path,
    found: &mut Findings,
) -> Option<GroupTls> {
    let verify = tls.verify.unwrap_or(true);
    if !verify {
        let at = format!("{path}.verify");
        let message = "anyone between here and the peers can read and change what passes";
        let finding = Finding::new(Code::Doubtful, &at, message);
        let finding = finding.label("certificates are not verified");
        found.add(finding.help("write `ca: FILE` for peers with an authority of their own"));
        if tls.ca.is_some() {
            let finding = Finding::new(Code::NoEffect, &format!("{path}.ca"), "`verify` is false");
            found.add(finding.label("has no effect"));
        }
    }
    let identity = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => Some(KeyPair {
            cert: pem(cert, folder),
            key: pem(key, folder),
        }),
        (None, None) => None,
        (cert, _) => {
            let (is, lacks) = if cert.is_some() {
                ("cert", "key")
            } else {
                ("key", "cert")
            };
            if !found.touched(&format!("{path}.{lacks}")) {
                let message = format!("`{is}` needs `{lacks}`");
                let finding = Finding::new(Code::MissingKey, &format!("{path}.{is}"), message);
                found.add(finding.label(format!("`{lacks}` is missing")));
            }
            return None;
        }
    };
    Some(GroupTls {
        verify,
        ca: tls.ca.filter(|_| verify).map(|ca| pem(&ca, folder)),
        server_name: tls.server_name,
        identity,
        min_version: version(tls.min_version),
    })
}
