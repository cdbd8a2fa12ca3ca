//! How a record is written.

use config::AccessLogFormat;
use proxy::session::End;
use serde_json::{Map, Value};
use tracing::Level;

use super::record::Record;
use crate::logs;
use crate::rfc3339::rfc3339;

/// A record on one line, without its end. The query is left out: it may hold secrets.
pub(super) fn line(record: &Record, format: AccessLogFormat) -> String {
    let fields = fields(record);
    match format {
        AccessLogFormat::Text => logs::text(&logs::Entry {
            at: record.at,
            level: Level::INFO,
            target: String::new(),
            event: "request".to_owned(),
            fields: fields.map(|(_, name, value)| (name, value)).collect(),
        }),
        AccessLogFormat::Json => {
            let mut object = Map::new();
            object.insert("@timestamp".to_owned(), rfc3339(record.at).into());
            object.extend(fields.map(|(name, _, value)| (name.to_owned(), value)));
            Value::Object(object).to_string()
        }
    }
}

/// The name of each field for machines (Elastic Common Schema 8 and OpenTelemetry's MCP
/// conventions, where they have one), its name for people, and its value. What is not known is
/// left out.
fn fields(record: &Record) -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    let nanos = u64::try_from(record.took.as_nanos()).unwrap_or(u64::MAX);
    let text = |header: &http::HeaderValue| header.to_str().ok().map(str::to_owned);
    let mcp = record.mcp.as_ref();
    let all: [(&str, &str, Option<Value>); 21] = [
        (
            "client.ip",
            "client",
            record.client.map(|client| client.to_string().into()),
        ),
        (
            "http.request.method",
            "method",
            Some(record.method.as_str().into()),
        ),
        ("url.path", "path", Some(record.uri.path().into())),
        (
            "http.version",
            "version",
            version(record.version).map(Into::into),
        ),
        (
            "http.response.status_code",
            "status",
            record.status.map(Into::into),
        ),
        (
            "rpc.grpc.status_code",
            "grpc_status",
            record.grpc.map(Into::into),
        ),
        (
            "http.response.body.bytes",
            "bytes",
            Some(record.bytes.into()),
        ),
        (
            "http.request.body.bytes",
            "bytes_up",
            record.tunnelled.map(Into::into),
        ),
        ("event.duration", "duration_ns", Some(nanos.into())),
        ("event.outcome", "outcome", Some(outcome(record).into())),
        ("group", "group", record.group.as_deref().map(Into::into)),
        ("peer", "peer", record.peer.as_deref().map(Into::into)),
        ("attempts", "attempts", Some(record.attempts.into())),
        ("end", "end", Some(end(record.end).into())),
        (
            "http.request.id",
            "request_id",
            record.request_id.as_ref().and_then(text).map(Into::into),
        ),
        (
            "trace.id",
            "trace_id",
            record
                .traceparent
                .as_ref()
                .and_then(text)
                .and_then(|parent| trace_id(&parent))
                .map(Into::into),
        ),
        (
            "mcp.method.name",
            "mcp_method",
            mcp.and_then(|mcp| mcp.method).map(Into::into),
        ),
        (
            "mcp.protocol.version",
            "mcp_version",
            mcp.and_then(|mcp| mcp.version.as_deref()).map(Into::into),
        ),
        (
            "gen_ai.tool.name",
            "tool",
            mcp.and_then(|mcp| mcp.tool.as_deref()).map(Into::into),
        ),
        (
            "gen_ai.prompt.name",
            "prompt",
            mcp.and_then(|mcp| mcp.prompt.as_deref()).map(Into::into),
        ),
        (
            "mcp.session.id",
            "mcp_session",
            mcp.and_then(|mcp| mcp.session)
                .map(|hash| format!("{hash:016x}").into()),
        ),
    ];
    all.into_iter()
        .filter_map(|(name, short, value)| Some((name, short, value?)))
}

fn version(version: http::Version) -> Option<&'static str> {
    match version {
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        _ => None,
    }
}

/// As the Elastic Common Schema has it: whether the service did its part.
fn outcome(record: &Record) -> &'static str {
    match (record.end, record.status) {
        // Of a tunnel nobody here knows whether it had done its part when it was closed.
        (End::Cancelled | End::Drained | End::Idle, _) => "unknown",
        (End::Cut | End::Lost, _) | (_, None | Some(500..)) => "failure",
        (End::Complete, Some(_)) => "success",
    }
}

fn end(end: End) -> &'static str {
    match end {
        End::Cancelled => "cancelled",
        End::Complete => "complete",
        End::Cut => "cut",
        End::Drained => "drained",
        End::Idle => "idle",
        End::Lost => "lost",
    }
}

/// The trace id of a `traceparent` (W3C Trace Context §3.2): 32 lower-case hex digits, not all 0.
fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let valid = id.len() == 32 && id.bytes().all(hex) && id.bytes().any(|byte| byte != b'0');
    valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::record::sample as record;
    use super::*;
    use serde_json::json;

    #[test]
    fn machines_get_the_names_of_the_schemas() {
        let line: Value = serde_json::from_str(&line(&record(), AccessLogFormat::Json)).unwrap();
        let expected = json!({
            "@timestamp": "1970-01-01T00:00:00.000Z",
            "client.ip": "192.0.2.1",
            "http.request.method": "POST",
            "url.path": "/mcp",
            "http.version": "1.1",
            "http.response.status_code": 200,
            "rpc.grpc.status_code": 14,
            "http.response.body.bytes": 12,
            "event.duration": 1_500_000,
            "event.outcome": "success",
            "group": "search",
            "peer": "us",
            "attempts": 2,
            "end": "complete",
            "http.request.id": "a b",
            "trace.id": "0af7651916cd43dd8448eb211c80319c",
            "mcp.method.name": "tools/call",
            "mcp.protocol.version": "2025-06-18",
            "gen_ai.tool.name": "whoami",
            "mcp.session.id": "0000000000000abc",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn people_get_one_line_without_what_is_not_known() {
        let mut record = record();
        record.status = None;
        record.grpc = None;
        record.end = End::Cancelled;
        record.mcp = None;
        record.traceparent = None;
        assert_eq!(
            line(&record, AccessLogFormat::Text),
            "INFO  request client=192.0.2.1 method=POST path=/mcp version=1.1 bytes=12 \
             duration_ns=1500000 outcome=unknown group=search peer=us attempts=2 end=cancelled \
             request_id=\"a b\"",
        );
    }

    #[test]
    fn only_sound_trace_ids_are_written() {
        let rows = [
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                true,
            ),
            (
                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                false,
            ),
            (
                "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                false,
            ),
            ("00-0af765-b7ad6b7169203331-01", false),
            ("", false),
        ];
        for (traceparent, sound) in rows {
            assert_eq!(trace_id(traceparent).is_some(), sound, "{traceparent}");
        }
    }
}
