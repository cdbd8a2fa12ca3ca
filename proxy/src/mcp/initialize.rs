//! What the first exchange of an MCP session agrees on (legacy era).

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::sealed::Replay;
use super::{Id, Version};

/// What a client says of itself: the parameters of `initialize`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientHello<'a> {
    /// Its capabilities, as JSON text.
    pub capabilities: &'a str,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: Cow<'a, str>,
}

/// What a server answers: a successful `InitializeResult`. Only an answer with one makes an MCP
/// session; the session header of any other is stripped (rule 4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerHello<'a> {
    /// The request it answers.
    pub id: Id<'a>,
    /// The negotiated version; none if it is not a date.
    pub version: Option<Version>,
    /// Its capabilities, as JSON text.
    pub capabilities: &'a str,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of an `initialize` request; none if it is something else.
    pub fn peek(body: &'a [u8]) -> Option<Self> {
        let request: InitializeRequest<'_> = serde_json::from_slice(body).ok()?;
        if request.method != "initialize" {
            return None;
        }
        let params = request.params;
        let client = params.client_info;
        is_object(params.capabilities).then_some(Self {
            capabilities: params.capabilities.get(),
            name: client.name,
            version: client.version,
        })
    }

    /// What a replay on another peer needs (rule 8).
    pub fn replay(&self, server: &ServerHello<'_>) -> Option<Replay> {
        Some(Replay {
            version: server.version?,
            capabilities: self.capabilities.to_owned(),
            client_name: self.name.clone().into_owned(),
            client_version: self.version.clone().into_owned(),
            server: server.digest(),
        })
    }
}

impl<'a> ServerHello<'a> {
    /// Reads a JSON body, or the data of an event; none if it is something else, an error for one.
    pub fn peek(body: &'a [u8]) -> Option<Self> {
        let response: InitializeResponse<'_> = serde_json::from_slice(body).ok()?;
        let result = response.result;
        is_object(result.capabilities).then_some(Self {
            id: Id::from_json(response.id.get())?,
            version: Version::parse(result.protocol_version.as_bytes()),
            capabilities: result.capabilities.get(),
        })
    }

    /// The list changes that it may tell of, by the names of their notifications (MCP 2025-11-25
    /// "Capability Negotiation").
    pub fn announces(&self) -> Vec<&'static str> {
        let capabilities: Capabilities =
            serde_json::from_str(self.capabilities).unwrap_or_default();
        let kinds = [
            (capabilities.prompts, "notifications/prompts/list_changed"),
            (
                capabilities.resources,
                "notifications/resources/list_changed",
            ),
            (capabilities.tools, "notifications/tools/list_changed"),
        ];
        let told = kinds
            .into_iter()
            .filter(|(kind, _)| kind.as_ref().is_some_and(|kind| kind.list_changed));
        told.map(|(_, name)| name).collect()
    }

    /// A digest of the capabilities as they are written. Two peers that write the same ones in
    /// different ways count as different, which costs one announcement.
    pub fn digest(&self) -> [u8; 16] {
        let mut short = [0; 16];
        let whole = digest(&SHA256, self.capabilities.as_bytes());
        for (to, from) in short.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        short
    }
}

fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

#[derive(Deserialize)]
struct InitializeRequest<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: InitializeParams<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeParams<'a> {
    #[serde(borrow)]
    capabilities: &'a RawValue,
    #[serde(borrow)]
    client_info: Implementation<'a>,
}

#[derive(Deserialize)]
struct Implementation<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

#[derive(Deserialize)]
struct InitializeResponse<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    result: InitializeResult<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeResult<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow)]
    capabilities: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    prompts: Option<Listed>,
    resources: Option<Listed>,
    tools: Option<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default, rename = "listChanged")]
    list_changed: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: &str = r#"{"method":"initialize","params":{"protocolVersion":"2025-11-25",
        "capabilities":{"roots":{"listChanged":true}},
        "clientInfo":{"name":"a\tb","title":"x","version":"1.2"}},"jsonrpc":"2.0","id":0}"#;
    const RESPONSE: &str = r#"{"result":{"protocolVersion":"2025-06-18",
        "capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}},
        "jsonrpc":"2.0","id":0}"#;

    #[test]
    fn both_sides_make_what_a_replay_needs() {
        let client = ClientHello::peek(REQUEST.as_bytes()).unwrap();
        let server = ServerHello::peek(RESPONSE.as_bytes()).unwrap();
        assert_eq!(server.id.json(), "0");
        let replay = client.replay(&server).unwrap();
        assert_eq!(replay.version, Version::V2025_06_18);
        assert_eq!(replay.capabilities, r#"{"roots":{"listChanged":true}}"#);
        assert_eq!(replay.client_name, "a\tb");
        assert_eq!(replay.client_version, "1.2");
        // The first half of `printf '{"tools":{}}' | sha256sum`.
        assert_eq!(
            u128::from_be_bytes(replay.server),
            0xba8e_230d_1afc_3aa1_30cb_8466_ad81_0504
        );
    }

    #[test]
    fn anything_else_makes_no_session() {
        for body in [
            r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no"}}"#,
            r#"{"jsonrpc":"2.0","id":0,"result":{"tools":[]}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}"#,
            r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":[]}}"#,
            r#"{"jsonrpc":"2.0","method":"initialize","id":0}"#,
            "[]",
            "",
        ] {
            assert_eq!(ServerHello::peek(body.as_bytes()), None, "{body}");
            assert_eq!(ClientHello::peek(body.as_bytes()), None, "{body}");
        }
        let other = REQUEST.replace("\"initialize\"", "\"initialise\"");
        assert_eq!(ClientHello::peek(other.as_bytes()), None);
    }

    #[test]
    fn only_declared_changes_are_announced() {
        let response = RESPONSE.replace(
            r#"{"tools":{}}"#,
            r#"{"tools":{"listChanged":true},"prompts":{"listChanged":false},"resources":{}}"#,
        );
        let server = ServerHello::peek(response.as_bytes()).unwrap();
        assert_eq!(server.announces(), ["notifications/tools/list_changed"]);
        let plain = ServerHello::peek(RESPONSE.as_bytes()).unwrap();
        assert!(plain.announces().is_empty());
    }

    #[test]
    fn an_unknown_version_is_no_replay() {
        let response = RESPONSE.replace("2025-06-18", "soon");
        let server = ServerHello::peek(response.as_bytes()).unwrap();
        let client = ClientHello::peek(REQUEST.as_bytes()).unwrap();
        assert_eq!(client.replay(&server), None);
    }

    proptest! {
        #[test]
        fn no_cut_breaks_it(at in 0..REQUEST.len()) {
            prop_assert_eq!(ClientHello::peek(&REQUEST.as_bytes()[..at]), None);
            prop_assert_eq!(ServerHello::peek(&RESPONSE.as_bytes()[..at.min(RESPONSE.len() - 1)]), None);
        }
    }
}
