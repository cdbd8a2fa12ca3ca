//! `listeners[].tls`.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use proxy::settings::{ClientAuth, ListenerTls};
use proxy::tls::{Alpn, Certificate, KeyPair, Place, Terminator};

use super::{pem, report, version};
use crate::file;
use crate::finding::{Finding, Findings};
use crate::problem::Code;

/// TLS of the listener at `at`; paths begin at `folder`.
pub(in crate::check) fn listener(
    tls: file::ListenerTls,
    at: &str,
    folder: &Path,
    found: &mut Findings,
) -> Option<Arc<Terminator>> {
    let at = format!("{at}.tls");
    let client_auth = client_auth(&tls, &at, folder, found);
    let forward_client_cert = tls.forward_client_cert.unwrap_or_default();
    if forward_client_cert && client_auth == ClientAuth::None {
        let path = format!("{at}.forward_client_cert");
        let finding = Finding::new(
            Code::NoEffect,
            &path,
            "clients are not asked for certificates",
        );
        found.add(finding.label("has no effect").help("add `client_ca`"));
    }
    let certs = tls.certs?.into_iter().map(|files| {
        Some(KeyPair {
            cert: pem(&files.cert?, folder),
            key: pem(&files.key?, folder),
        })
    });
    // That there must be one, the schema says.
    let certs: Vec<KeyPair> = certs.collect::<Option<_>>()?;
    if certs.is_empty() {
        return None;
    }
    let default = ListenerTls::new(certs);
    let settings = ListenerTls {
        min_version: version(tls.min_version),
        client_auth,
        alpn: tls.alpn.map_or(default.alpn, |offered| alpn(&offered)),
        forward_client_cert,
        ..default
    };
    let path = |place| match place {
        Place::Cert(i) => format!("{at}.certs[{i}].cert"),
        Place::ClientCa => format!("{at}.client_ca"),
        Place::Key(i) => format!("{at}.certs[{i}].key"),
        Place::Ca | Place::ServerName | Place::Whole => at.clone(),
    };
    match Terminator::new(settings) {
        Ok(terminator) => {
            for (i, certificate) in terminator.certificates().iter().enumerate() {
                doubt(certificate, i, &path(Place::Cert(i)), found);
            }
            Some(terminator)
        }
        Err(flaws) => {
            report(flaws, path, found);
            None
        }
    }
}

fn client_auth(
    tls: &file::ListenerTls,
    at: &str,
    folder: &Path,
    found: &mut Findings,
) -> ClientAuth {
    let ca = tls.client_ca.as_ref().map(|ca| pem(ca, folder));
    match (tls.client_auth, ca) {
        (None | Some(file::ClientAuth::None), None) => ClientAuth::None,
        (None | Some(file::ClientAuth::Required), Some(ca)) => ClientAuth::Required(ca),
        (Some(file::ClientAuth::Optional), Some(ca)) => ClientAuth::Optional(ca),
        (Some(file::ClientAuth::None), Some(_)) => {
            let path = format!("{at}.client_ca");
            let finding = Finding::new(Code::NoEffect, &path, "`client_auth` is `none`");
            found.add(finding.label("has no effect"));
            ClientAuth::None
        }
        (Some(_), None) => {
            let path = format!("{at}.client_ca");
            if !found.touched(&path) {
                let message = "client certificates need an authority to be verified by";
                let finding = Finding::new(Code::MissingKey, &format!("{at}.client_auth"), message);
                found.add(finding.label("needs a `client_ca` key"));
            }
            ClientAuth::None
        }
    }
}

fn alpn(offered: &[file::Alpn]) -> Vec<Alpn> {
    let offered = offered.iter().map(|name| match name {
        file::Alpn::H2 => Alpn::H2,
        file::Alpn::Http1 => Alpn::Http1,
    });
    offered.collect()
}

/// A certificate that works, but not as meant. It does not keep the proxy from starting: the other
/// names would be gone with it.
fn doubt(certificate: &Certificate, number: usize, path: &str, found: &mut Findings) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let message = if certificate.not_after < now {
        format!("the certificate expired on {}", certificate.expires_on())
    } else if certificate.not_before > now {
        let from = certificate.begins_on();
        format!("the certificate is not valid before {from}")
    } else if certificate.names.is_empty() {
        "the certificate names no host".to_owned()
    } else {
        return;
    };
    let finding = Finding::new(Code::Doubtful, path, message);
    found.add(if certificate.names.is_empty() && number > 0 {
        finding.label("no client will ever get it")
    } else {
        finding.label("clients will refuse it")
    });
}
