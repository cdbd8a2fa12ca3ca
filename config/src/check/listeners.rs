//! `listeners` and `admin`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use proxy::network::Address;
use proxy::settings::{Cidr, ListenerSettings, TrustedProxy};

use super::tls;
use crate::file;
use crate::finding::{Finding, Findings};
use crate::loaded::Admin;
use crate::problem::Code;
use crate::urls;

pub(super) fn listeners(
    listeners: Option<Vec<file::Listener>>,
    folder: &Path,
    found: &mut Findings,
) -> Vec<ListenerSettings> {
    let mut settings: Vec<ListenerSettings> = Vec::new();
    if listeners.as_ref().is_none_or(Vec::is_empty) && !found.touched("listeners") {
        let finding = Finding::new(Code::Doubtful, "", "the file has no `listeners`");
        found.add(
            finding.help(
                "give `listeners: [{listen: 127.0.0.1:8080}]`, or `--listen` to each command",
            ),
        );
    }
    for (i, listener) in listeners.into_iter().flatten().enumerate() {
        let path = format!("listeners[{i}].listen");
        let Some(listen) = listener.listen.and_then(|text| place(&text, &path, found)) else {
            continue;
        };
        let taken = settings.iter().any(|other| other.listen == listen);
        if taken && !listen.is_any_port() {
            let finding = Finding::new(
                Code::DuplicateName,
                &path,
                "two listeners have the same address",
            );
            found.add(finding.label("the address is taken"));
        }
        let defaults = ListenerSettings::new(listen);
        let path = format!("listeners[{i}].mode");
        let mode = listener.mode.and_then(|text| mode(&text, &path, found));
        if mode.is_some() && defaults.listen.tcp().is_some() {
            let message = "`mode` is for sockets in the file system";
            let finding = Finding::new(Code::Contradiction, &path, message).on_key();
            found.add(finding.help("delete it, or listen on `unix:/PATH`"));
        }
        settings.push(ListenerSettings {
            mode: mode.unwrap_or(defaults.mode),
            hosts: hosts(listener.hosts, i, found),
            half_close: listener.half_close.unwrap_or_default(),
            tls: listener
                .tls
                .and_then(|tls| tls::listener(tls, &format!("listeners[{i}]"), folder, found)),
            ..defaults
        });
    }
    settings
}

pub(super) fn admin(admin: Option<file::Admin>, found: &mut Findings) -> Option<Admin> {
    let admin = admin?;
    if admin.listen.is_none() && admin.health_listen.is_none() && !found.touched("admin") {
        let finding = Finding::new(Code::MissingKey, "admin", "`admin` has no address").on_key();
        found.add(finding.help("give it `listen`, `health_listen` or both, or delete it"));
    }
    let listen = admin.listen.and_then(|text| {
        let address = address(&text, "admin.listen", found)?;
        if !address.ip().is_loopback() {
            let finding = Finding::new(Code::NotAvailable, "admin.listen", "the admin API is not protected, so it cannot leave this machine");
            found.add(finding.label("not a loopback address").help("write `127.0.0.1` or `[::1]`; `health_listen` may be open to all, and has nothing to protect"));
        }
        Some(address)
    });
    let health_listen = admin
        .health_listen
        .and_then(|text| address(&text, "admin.health_listen", found));
    Some(Admin {
        listen,
        health_listen,
    })
}

pub(super) fn trusted(blocks: Option<Vec<String>>, found: &mut Findings) -> Vec<TrustedProxy> {
    let mut trusted = Vec::new();
    for (i, text) in blocks.into_iter().flatten().enumerate() {
        if text == "unix:" {
            trusted.push(TrustedProxy::Unix);
        } else if let Some(block) = block(&text) {
            trusted.push(TrustedProxy::Block(block));
        } else {
            let path = format!("trusted_proxies[{i}]");
            let finding = Finding::new(Code::BadValue, &path, "this is not a block of addresses");
            found.add(finding.label("expected `10.0.0.0/8`, `fd00::/8`, a single address, or `unix:` for clients of sockets in the file system"));
        }
    }
    trusted
}

fn block(text: &str) -> Option<Cidr> {
    if let Some((prefix, bits)) = text.split_once('/') {
        return Cidr::new(prefix.parse().ok()?, bits.parse().ok()?);
    }
    let address: IpAddr = text.parse().ok()?;
    Cidr::new(address, if address.is_ipv4() { 32 } else { 128 })
}

/// Names as requests have them, lower case and without a port.
fn hosts(hosts: Option<Vec<String>>, listener: usize, found: &mut Findings) -> Vec<String> {
    let mut names = Vec::new();
    for (i, host) in hosts.into_iter().flatten().enumerate() {
        let path = format!("listeners[{listener}].hosts[{i}]");
        if !urls::is_host_pattern(&host) {
            let finding = Finding::new(Code::BadValue, &path, "this is not a host");
            found.add(finding.label("expected `example.com` or `*.example.com`, without a port"));
        }
        names.push(host.to_ascii_lowercase());
    }
    names
}

/// The permissions of a socket's file, as chmod has them.
fn mode(text: &str, path: &str, found: &mut Findings) -> Option<u32> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|mode| octal && *mode <= 0o777);
    if mode.is_none() {
        let finding = Finding::new(Code::BadValue, path, "these are not permissions of a file");
        let finding = finding.label("expected octal digits, quoted, as in `\"0660\"`");
        found.add(finding.help("6 lets the owner, the group or the others connect, 0 does not"));
    }
    mode
}

/// Where a listener is.
fn place(text: &str, path: &str, found: &mut Findings) -> Option<Address> {
    if !text.starts_with("unix:") && !text.starts_with('/') {
        return address(text, path, found).map(Address::Tcp);
    }
    match text.parse() {
        Ok(place) => Some(place),
        Err(message) => {
            let message = if text.starts_with('/') {
                "a path needs `unix:` before it"
            } else {
                message
            };
            let finding = Finding::new(Code::BadValue, path, message);
            let finding = finding.label("cannot be listened on");
            found.add(finding.help("write it as in `unix:/run/backstay/http.sock`"));
            None
        }
    }
}

fn address(text: &str, path: &str, found: &mut Findings) -> Option<SocketAddr> {
    if text.starts_with("unix:") || text.starts_with('/') {
        let message = "the admin listeners cannot be sockets in the file system yet";
        let finding = Finding::new(Code::NotAvailable, path, message);
        let finding = finding.label("not an address and port");
        found.add(finding.help("listen on `127.0.0.1:9900`"));
        return None;
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let help = if let Some(port) = text.strip_prefix("localhost:") {
        format!("write `127.0.0.1:{port}` or `[::1]:{port}`")
    } else if let Some(port) = text.strip_prefix(':').or_else(|| text.strip_prefix("*:")) {
        format!(
            "write `0.0.0.0:{port}` for all addresses, or `127.0.0.1:{port}` for this machine only"
        )
    } else if text.parse::<IpAddr>().is_ok() {
        "add the port, as in `127.0.0.1:8080` or `[::1]:8080`".to_owned()
    } else {
        "write an IP address and a port, as in `127.0.0.1:8080` or `[::1]:8080`".to_owned()
    };
    let finding = Finding::new(Code::BadValue, path, "this is not an address and port");
    found.add(finding.label("cannot be listened on").help(help));
    None
}
