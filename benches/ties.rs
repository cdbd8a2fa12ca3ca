//! What it costs to look for what ties a modern request to its peer, by the length of the message:
//! where there is nothing, which is the rule, and where there is a cursor or a state.
//!
//! `cargo bench -p backstay-proxy --bench ties`

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot run should say so"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use proxy::mcp::tied::{mark, task, unwrap, wrap};
use proxy::mcp::{KeyRing, Message};
use proxy::settings::SealKey;
use std::hint::black_box;

fn keys() -> KeyRing {
    let key = SealKey {
        id: "k".to_owned(),
        secret: [7; 32],
    };
    KeyRing::new(&[key]).expect("one key")
}

fn text(size: usize) -> String {
    "{\\\"a\\\": 1, \\\"b\\\": \\\"lorem ipsum\\\"}, "
        .chars()
        .cycle()
        .take(size)
        .collect::<String>()
        .trim_end_matches('\\')
        .to_owned()
}

fn answer(size: usize, more: &str) -> String {
    let text = text(size);
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{text}"}}]{more}}}}}"#
    )
}

fn request(size: usize, more: &str) -> String {
    let text = text(size);
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"text":"{text}"}}{more}}}}}"#
    )
}

fn ties(criterion: &mut Criterion) {
    let keys = keys();
    let marked = || mark(&keys, "group", "peer-1").ok();
    let state = format!(r#","requestState":"{}:x""#, marked().expect("a mark"));
    let mut group = criterion.benchmark_group("ties");
    for size in [1 << 10, 16 << 10, 256 << 10] {
        group.throughput(Throughput::Bytes(size as u64));
        let id = |name: &str| BenchmarkId::new(name, size);
        let plain = answer(size, "");
        group.bench_function(id("answer_without"), |bench| {
            bench.iter(|| (task(black_box(&plain)), wrap(black_box(&plain), marked)));
        });
        let tied = answer(size, r#","nextCursor":"page 2""#);
        group.bench_function(id("answer_with"), |bench| {
            bench.iter(|| (task(black_box(&tied)), wrap(black_box(&tied), marked)));
        });
        let plain = request(size, "");
        group.bench_function(id("request_without"), |bench| {
            bench.iter(|| unwrap(black_box(plain.as_bytes()), &keys, "group"));
        });
        let tied = request(size, &state);
        group.bench_function(id("request_with"), |bench| {
            bench.iter(|| unwrap(black_box(tied.as_bytes()), &keys, "group"));
        });
        // For comparison: what the legacy era pays for every request.
        group.bench_function(id("request_parsed"), |bench| {
            bench.iter(|| Message::peek(black_box(plain.as_bytes())).repeat(|_| false));
        });
    }
    group.finish();
}

criterion_group!(benches, ties);
criterion_main!(benches);
