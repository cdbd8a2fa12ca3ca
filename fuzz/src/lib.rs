//! What the fuzz targets do with their bytes; each function holds the invariants of one parser or
//! machine and panics when one breaks. On stable they run over `seeds/` as an ordinary test.
#![expect(clippy::missing_panics_doc, reason = "to panic is what they are for")]

mod caller;
mod event_rewriter;
mod event_stream;
mod input;
mod json_rpc;
mod listening;
mod sealed_id;
mod tied;

use proxy::mcp::{detect, oauth};
use proxy::settings::Protocol;

pub use caller::caller;
pub use event_rewriter::event_rewriter;
pub use event_stream::event_stream;
pub use json_rpc::json_rpc;
pub use listening::listening;
pub use sealed_id::sealed_id;
pub use tied::tied;

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
    use std::path::{Path, PathBuf};

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

    /// A target and its name.
    struct Target(&'static str, fn(&[u8]));

    const TARGETS: [Target; 13] = [
        Target("caller", caller),
        Target("config_file", config_file),
        Target("event_rewriter", event_rewriter),
        Target("event_stream", event_stream),
        Target("group_operations", group_operations),
        Target("grpc_health", grpc_health),
        Target("json_rpc", json_rpc),
        Target("listening", listening),
        Target("mcp_head", mcp_head),
        Target("oauth", oauth),
        Target("sealed_id", sealed_id),
        Target("tied", tied),
        Target("upstream_response", upstream_response),
    ];

    /// What the fuzzers begin with: `seeds/TARGET/NAME`.
    fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let folders = TARGETS.map(|Target(name, _)| root.join(name));
        let files = folders.iter().flat_map(|folder| folder.read_dir().unwrap());
        files
            .map(|file| file.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    }

    #[test]
    fn every_target_survives_noise_and_all_seeds() {
        let noise = (0..400).map(|seed| (PathBuf::from(format!("noise {seed}")), noise(seed)));
        for (name, data) in seeds().into_iter().chain(noise) {
            for Target(target, run) in TARGETS {
                let result = std::panic::catch_unwind(|| run(&data));
                assert!(
                    result.is_ok(),
                    "{target} does not survive {}",
                    name.display()
                );
            }
        }
    }
}
