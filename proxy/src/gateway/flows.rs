//! Authorization at the root of servers (MCP 2025-03-26 "Authorization"): each step of a client
//! goes to the peer of the step before, which keeps what is between them (rule 28).
//!
//! There is no session to go by. A client is known by its `client_id`, which every step but the
//! first names and which the answer to the first gives; one that is not known yet goes by its
//! address, so that other replicas come to the same peer.

use super::{Ctx, reading};
use crate::error::ProxyError;
use crate::group::Group;
use crate::hooks::{Attempt, Lost, Prefix, ResponseAction, Target};
use crate::mcp::oauth;
use crate::session::Session;
use crate::settings::Protocol;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::response::Parts;
use http::{Method, header};
use lb::{PeerIndex, hash64};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which peer the clients of authorization servers are at.
#[derive(Debug, Default)]
pub(super) struct Flows {
    homes: Mutex<Homes>,
}

#[derive(Debug, Default)]
struct Homes {
    /// The name of the peer by group and client.
    peers: BTreeMap<u64, Arc<str>>,
    /// The oldest first.
    order: VecDeque<u64>,
}

/// One step of a client.
#[derive(Debug)]
pub(super) struct Step {
    /// Which client it is, in its group.
    client: Option<u64>,
    /// The answer says which client it is from now on.
    registers: bool,
    target: Target,
}

impl Flows {
    fn homes(&self) -> MutexGuard<'_, Homes> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, client: u64) -> Option<Arc<str>> {
        self.homes().peers.get(&client).cloned()
    }

    /// Remembers where a client is, of `most` clients; how many others were forgotten for it.
    fn learn(&self, client: u64, peer: &str, most: usize) -> u64 {
        let mut homes = self.homes();
        if homes.peers.insert(client, peer.into()).is_none() {
            homes.order.push_back(client);
        }
        let mut forgotten = 0;
        while homes.order.len() > most
            && let Some(oldest) = homes.order.pop_front()
        {
            homes.peers.remove(&oldest);
            forgotten += 1;
        }
        forgotten
    }
}

/// Whether a request is a step of an authorization: none is a message of MCP, whatever the group
/// speaks. What has a route of its own is what that says.
pub(super) fn authorizes(group: &Group, session: &Session, ctx: &Ctx) -> bool {
    group.settings.protocol != Protocol::Http
        && ctx.prefix.is_empty()
        && oauth::is_authorization_path(session.request.uri.path())
}

/// Pins a step of an authorization to the peer that knows of the steps before.
pub(super) async fn pin(target: &mut Target, session: &Session, ctx: &mut Ctx) {
    let group = Arc::clone(&target.group);
    if group.peers.len() < 2 {
        return;
    }
    let registers = session.request.uri.path() == "/register";
    let named = client(session, group.settings.mcp_limits.document).await;
    let client = named.map(|id| key(&group, &id));
    let home = client.and_then(|client| ctx.snapshot.flows.find(client));
    let usable = |peer: &PeerIndex| {
        let view = group.lb.view(session.clock().recent());
        let view = view.peers.get(usize::from(peer.0));
        view.is_some_and(|view| view.usable)
    };
    let home = home.and_then(|home| group.find(&home)).filter(usable);
    target.pin = home.or_else(|| owner(&group, session));
    ctx.step = Some(Box::new(Step {
        client,
        registers,
        target: target.clone(),
    }));
}

/// Notes which peer a step was taken with. None: nothing more of the answer is needed.
pub(super) fn note(
    attempt: &Attempt<'_>,
    head: &Parts,
    prefix: &Prefix<'_>,
    ctx: &Ctx,
) -> Option<ResponseAction> {
    let step = ctx.step.as_deref()?;
    if !head.status.is_success() && !head.status.is_redirection() {
        return None;
    }
    if step.registers
        && let Some(action) = reading::document(attempt, prefix)
    {
        return Some(action);
    }
    let registered = || {
        let registered: Registered<'_> = serde_json::from_slice(prefix.bytes).ok()?;
        Some(key(attempt.group, &registered.client_id))
    };
    let client = if step.registers {
        registered()
    } else {
        step.client
    };
    if let Some(client) = client {
        let most = attempt.session.limits.oauth_clients;
        let forgotten = ctx.snapshot.flows.learn(client, attempt.peer_name(), most);
        attempt.group.metrics.oauth_clients_dropped.add(forgotten);
    }
    None
}

/// Where a step goes whose peer cannot be asked. It may have to begin anew there, which is better
/// than to wait for a peer that is gone.
pub(super) fn elsewhere(session: &Session, lost: Lost<'_>, ctx: &Ctx) -> Option<Target> {
    let step = ctx.step.as_deref()?;
    if !matches!(
        lost,
        Lost::Unanswered(ProxyError::Attempt(_) | ProxyError::NoPeer(_))
    ) {
        return None;
    }
    let owner = owner(&step.target.group, session)?;
    Some(Target {
        pin: Some(owner),
        ..step.target.clone()
    })
}

/// The usable peer, not asked in vain yet, that owns the client's address: by rendezvous, so that a
/// peer that leaves moves only its own clients. None if there is none.
fn owner(group: &Group, session: &Session) -> Option<PeerIndex> {
    // Those without an address are one client: together they stay where one of them was.
    let client = session.connection.client;
    let client = client.map_or_else(String::new, |client| client.ip().to_canonical().to_string());
    let view = group.lb.view(session.clock().recent());
    let tried = &session.report().attempts;
    let peers = (0..).map(PeerIndex).zip(&view.peers);
    let usable = peers.filter(|(index, peer)| {
        let failed = tried.iter().any(|attempt| attempt.peer == *index);
        peer.usable && !failed
    });
    usable
        .max_by_key(|(_, peer)| hash64(format!("{client} {}", peer.name).as_bytes()))
        .map(|(index, _)| index)
}

fn key(group: &Group, client: &str) -> u64 {
    // No name of a group holds a NUL.
    hash64(format!("{}\0{client}", group.name()).as_bytes())
}

/// The `client_id` of a request: of its query, of its credentials (RFC 6749 §2.3.1), or of its
/// form.
async fn client(session: &Session, most: usize) -> Option<String> {
    let request = &session.request;
    if let Some(id) = of_form(request.uri.query().unwrap_or_default().as_bytes()) {
        return Some(id);
    }
    if request.method != Method::POST {
        return None;
    }
    let basic = request.headers.get(header::AUTHORIZATION);
    if let Some(id) = basic.and_then(|value| of_basic(value.to_str().ok()?)) {
        return Some(id);
    }
    let kind = request.headers.get(header::CONTENT_TYPE)?.as_bytes();
    let form = kind.get(..FORM.len())?.eq_ignore_ascii_case(FORM);
    if !form {
        return None;
    }
    of_form(&session.read_body(most).await.ok()?)
}

fn of_form(form: &[u8]) -> Option<String> {
    let mut pairs = form_urlencoded::parse(form);
    let (_, id) = pairs.find(|(name, _)| name == "client_id")?;
    Some(id.into_owned())
}

fn of_basic(credentials: &str) -> Option<String> {
    let (scheme, encoded) = credentials.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim_start()).ok()?;
    let user = decoded.split(|byte| *byte == b':').next()?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Encoded like a value in a form, once more.
    let (id, _) = form_urlencoded::parse(user).next()?;
    Some(id.into_owned())
}

/// What is read of an answer to a registration (RFC 7591 §3.2.1).
#[derive(Deserialize)]
struct Registered<'a> {
    #[serde(borrow)]
    client_id: Cow<'a, str>,
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_in_forms_and_credentials() {
        for (form, id) in [
            ("client_id=one", Some("one")),
            ("a=b&client_id=https%3A%2F%2Fa%2Fb&c", Some("https://a/b")),
            ("client_id=a+b", Some("a b")),
            ("xclient_id=one", None),
            ("", None),
        ] {
            assert_eq!(of_form(form.as_bytes()).as_deref(), id, "{form}");
        }
        for (credentials, id) in [
            ("Basic b25lOnNlY3JldA==", Some("one")),
            ("basic b25lOnNlY3JldA==", Some("one")),
            // `a%3Ab:x`
            ("Basic YSUzQWI6eA==", Some("a:b")),
            ("Bearer b25lOnNlY3JldA==", None),
            ("Basic ???", None),
            ("Basic", None),
        ] {
            assert_eq!(of_basic(credentials).as_deref(), id, "{credentials}");
        }
    }

    #[test]
    fn the_oldest_client_makes_room() {
        let flows = Flows::default();
        assert_eq!(flows.learn(1, "a", 2), 0);
        assert_eq!(flows.learn(2, "b", 2), 0);
        assert_eq!(flows.learn(1, "c", 2), 0);
        assert_eq!(flows.find(1).as_deref(), Some("c"));
        assert_eq!(flows.learn(3, "a", 2), 1);
        assert_eq!(flows.find(1), None);
        assert_eq!(flows.find(2).as_deref(), Some("b"));
    }
}
