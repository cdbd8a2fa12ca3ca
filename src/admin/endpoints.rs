//! What there is to ask for.

use http::{HeaderValue, Method, StatusCode, header};
use proxy::server::Stage;
use serde_json::json;

use super::answer::{Answer, document, problem, typed};
use super::group_status::{GroupList, GroupStatus};
use super::metrics;
use super::observed::Observed;

/// Which part of it a door opens to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// All of it.
    All,
    /// `/livez`, `/readyz` and `/metrics`, for kubelets and Prometheus.
    Health,
}

/// Answers a request.
pub(super) fn answer(method: &Method, path: &str, scope: Scope, observed: &Observed) -> Answer {
    let Some(endpoint) = Endpoint::of(path, scope) else {
        return problem(StatusCode::NOT_FOUND, "there is nothing here");
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut answer = problem(status, "this can only be read");
        let allow = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(header::ALLOW, allow);
        return answer;
    }
    match endpoint {
        Endpoint::Group(name) => group(name, observed),
        Endpoint::Groups => groups(observed),
        Endpoint::Live => document(StatusCode::OK, &json!({"live": true})),
        Endpoint::Metrics => match metrics::render(observed) {
            Ok(text) => typed(StatusCode::OK, metrics::MEDIA_TYPE, text),
            Err(_) => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics cannot be written",
            ),
        },
        Endpoint::Ready => ready(observed),
    }
}

enum Endpoint<'a> {
    Group(&'a str),
    Groups,
    Live,
    Metrics,
    Ready,
}

impl<'a> Endpoint<'a> {
    fn of(path: &'a str, scope: Scope) -> Option<Self> {
        let endpoint = match path {
            "/livez" => return Some(Self::Live),
            "/metrics" => return Some(Self::Metrics),
            "/readyz" => return Some(Self::Ready),
            "/api/v1/groups" => Self::Groups,
            path => {
                // The names of groups need no decoding: they are letters, digits, `_`, `-`, `.`.
                let name = path.strip_prefix("/api/v1/groups/")?;
                (!name.is_empty() && !name.contains('/')).then_some(Self::Group(name))?
            }
        };
        (scope == Scope::All).then_some(endpoint)
    }
}

fn groups(observed: &Observed) -> Answer {
    let groups = statuses(observed);
    let count = groups.len();
    document(StatusCode::OK, &GroupList { groups, count })
}

fn group(name: &str, observed: &Observed) -> Answer {
    let groups = observed.gateway.groups();
    match groups.iter().find(|group| group.name() == name) {
        Some(group) => {
            let status =
                GroupStatus::new(group, &observed.gateway.departed(), observed.clock.now());
            document(StatusCode::OK, &status)
        }
        None => problem(StatusCode::NOT_FOUND, "there is no group of this name"),
    }
}

/// Ready: it takes requests, and for at least one group there is a peer. If a group without a peer
/// made all of it unready, an orchestrator would take the other groups away too.
fn ready(observed: &Observed) -> Answer {
    let groups = statuses(observed);
    let stage = observed.control.stage();
    let ready = stage == Stage::Serving && groups.iter().any(|group| group.healthy_backends > 0);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let groups: Vec<_> = groups
        .iter()
        .map(|group| {
            json!({
                "name": group.name,
                "ready": group.healthy_backends > 0,
                "healthy_backends": group.healthy_backends,
                "total_backends": group.total_backends,
            })
        })
        .collect();
    let body = json!({
        "ready": ready,
        "draining": stage != Stage::Serving,
        "groups": groups,
    });
    document(status, &body)
}

fn statuses(observed: &Observed) -> Vec<GroupStatus> {
    let now = observed.clock.now();
    let groups = observed.gateway.groups();
    let departed = observed.gateway.departed();
    groups
        .iter()
        .map(|group| GroupStatus::new(group, &departed, now))
        .collect()
}
