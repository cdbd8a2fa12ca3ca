//! What the fuzz targets do with their bytes; each function holds the invariants of one parser or
//! machine and panics when one breaks. On stable they run over a few seeds as ordinary tests.
#![expect(clippy::missing_panics_doc, reason = "to panic is what they are for")]

use proxy::mcp::endpoint::{EndpointStage, Step};
use proxy::mcp::sse::Scanner;
use proxy::mcp::{Facts, KeyRing, Message, detect, oauth, sealed, token};
use proxy::settings::{Protocol, SealKey};

/// A configuration file: any text is refused or loaded.
pub fn config_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let nothing: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    if let Err(problems) = config::parse("fuzz.yaml", &text, &nothing) {
        assert!(!problems.to_string().is_empty(), "a refusal says why");
    }
}

/// Operations on a group of peers, against the model of `lb`.
pub fn group_operations(data: &[u8]) {
    lb::model::run(data);
}

/// The head of a request, as MCP sees it.
pub fn mcp_head(data: &[u8]) {
    let mut headers = http::HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let name = http::HeaderName::from_bytes(name);
        let value = http::HeaderValue::from_bytes(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    for protocol in [Protocol::Auto, Protocol::Http, Protocol::Mcp] {
        for method in [http::Method::GET, http::Method::POST, http::Method::DELETE] {
            let detected = detect(protocol, &method, &headers);
            assert_eq!(
                detected,
                detect(protocol, &method, &headers),
                "detection depends on nothing else"
            );
        }
    }
}

/// A JSON-RPC body.
pub fn json_rpc(data: &[u8]) {
    let message = Message::peek(data);
    if message != Message::Invalid {
        assert!(
            serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok(),
            "what is a message is JSON"
        );
        assert!(
            Facts::from_body(&message).is_some(),
            "what is a message has facts"
        );
    }
}

/// Session ids and tokens that clients send back.
pub fn sealed_id(data: &[u8]) {
    let Ok(keys) = KeyRing::new(&[SealKey {
        id: "k".to_owned(),
        secret: [7; 32],
    }]) else {
        return;
    };
    let text = String::from_utf8_lossy(data);
    assert!(
        sealed::open(&keys, &text, "g", None).is_err(),
        "nobody guesses an id"
    );
    assert!(
        token::open(&keys, &text, "g", None).is_err(),
        "nobody guesses a token"
    );
}

/// Event streams: however they are cut into pieces, the result is the same and nothing is lost.
pub fn event_stream(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let step = usize::from(*cut).max(1);
    let (mut whole, mut pieces) = (Scanner::new(Vec::new()), Scanner::new(Vec::new()));
    whole.scan(stream);
    for piece in stream.chunks(step) {
        pieces.scan(piece);
    }
    assert_eq!(
        whole.position(),
        pieces.position(),
        "the position depends on the pieces"
    );
    assert_eq!(
        whole.last_event_id(),
        pieces.last_event_id(),
        "the id depends on the pieces"
    );
    let mut stage = EndpointStage::new();
    let mut passed = 0;
    for piece in stream.chunks(step) {
        match stage.push(bytes::Bytes::copy_from_slice(piece)) {
            Step::Pass(piece) => passed += piece.len(),
            // From here on the event is replaced.
            Step::Endpoint { .. } => return,
        }
    }
    passed += stage.finish().len();
    assert_eq!(passed, stream.len(), "bytes were lost");
}

/// The answer of a gRPC health check: any bytes are read or refused, and what is cut off is no
/// answer.
pub fn grpc_health(data: &[u8]) {
    let whole = proxy::grpc::serving(data);
    for cut in 0..data.len().min(64) {
        let part = data.get(..cut).unwrap_or_default();
        let read = proxy::grpc::serving(part);
        assert!(whole.is_none() || read.is_none(), "half a frame was read");
    }
}

/// What clients and peers say of authorization: challenges and documents keep what is not ours.
pub fn oauth(data: &[u8]) {
    let ours = "https://p.example/x";
    if let Ok(value) = http::HeaderValue::from_bytes(data)
        && let Some(new) = oauth::rewrite_challenge(&value, ours)
    {
        let again = oauth::rewrite_challenge(&new, ours);
        assert!(again.is_none_or(|again| again == new), "twice is not once");
    }
    if let Some(new) = oauth::rewrite_document(data, ours) {
        let document: serde_json::Value = serde_json::from_slice(&new).unwrap_or_default();
        assert_eq!(document["resource"], ours);
    }
    let text = String::from_utf8_lossy(data);
    if let Some(resource) = oauth::resource_path(&text) {
        assert!(resource.starts_with('/'), "{resource}");
    }
}

/// The response of a peer: however it is cut into pieces, it means the same.
pub fn upstream_response(data: &[u8]) {
    let Some((first, response)) = data.split_first() else {
        return;
    };
    let step = usize::from(first >> 1).max(1);
    let method = match first & 1 {
        0 => http::Method::GET,
        _ => http::Method::HEAD,
    };
    let mut whole = proxy::memory::replay(method.clone(), &[response]);
    let pieces: Vec<&[u8]> = response.chunks(step).collect();
    let mut pieces = proxy::memory::replay(method, &pieces);
    for replayed in [&mut whole, &mut pieces] {
        assert!(
            replayed.whole || !replayed.reusable,
            "a broken connection is not reused"
        );
        // What follows the response may not have come yet.
        replayed.reusable = false;
    }
    assert_eq!(whole, pieces, "the response depends on the pieces");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random bytes; their quality does not matter.
    fn noise(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        });
        next.take(usize::try_from(seed % 300).unwrap_or_default())
            .collect()
    }

    #[test]
    fn every_target_survives_noise_and_its_seeds() {
        let seeds: [&[u8]; 9] = [
            b"listeners: [{listen: 127.0.0.1:0}]\ngroups: [{peers: [{url: http://127.0.0.1:1}]}]\n",
            b"mcp-protocol-version:2026-07-28\nmcp-method:tools/call\nmcp-name:=?base64?YQ==?=\n",
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            b"bs1.k.AAAA",
            b"\x03id: 1\ndata: {}\n\nevent: message\r\ndata: x\r\n\r\n",
            b"\x02event: endpoint\ndata: /messages?x=1\n\ndata: more\n\n",
            b"\0\0\0\0\x08\x12\x02hi\x08\x01\x18\x05",
            b"Bearer realm=\"\\\"\", resource_metadata=\"/.well-known/oauth-protected-resource\"",
            b"\x06HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\na: b\r\n\r\n",
        ];
        let noise = (0..400).map(noise);
        for data in seeds.into_iter().map(<[u8]>::to_vec).chain(noise) {
            config_file(&data);
            group_operations(&data);
            mcp_head(&data);
            json_rpc(&data);
            sealed_id(&data);
            event_stream(&data);
            grpc_health(&data);
            oauth(&data);
            upstream_response(&data);
        }
    }
}
