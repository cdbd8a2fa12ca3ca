//! What a peer may not do without end.

use super::get;

fn chunked(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}").into_bytes()
}

#[test]
fn each_limit_ends_what_exceeds_it_and_nothing_less() {
    let interim = |count| {
        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count);
        format!("{hints}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").into_bytes()
    };
    let field = |size| {
        let value = "v".repeat(size);
        format!("HTTP/1.1 200 OK\r\nx-a: {value}\r\ncontent-length: 0\r\n\r\n").into_bytes()
    };
    let fields = |count| {
        let fields = "x-a: b\r\n".repeat(count);
        format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n").into_bytes()
    };
    let extension = |size| chunked(&format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(size)));
    let trailers = |size| chunked(&format!("0\r\nx-a: {}\r\n\r\n", "t".repeat(size)));
    let rows = [
        ("10 interim responses", interim(10), true),
        ("11 interim responses", interim(11), false),
        ("a large head", field(60 * 1024), true),
        ("a larger head", field(70 * 1024), false),
        ("100 fields", fields(99), true),
        ("101 fields", fields(100), false),
        ("extensions", extension(16 * 1024 - 1), true),
        ("more extensions", extension(16 * 1024), false),
        ("trailers", trailers(15 * 1024), true),
        ("larger trailers", trailers(17 * 1024), false),
    ];
    for (row, bytes, whole) in rows {
        assert_eq!(get(&bytes).whole, whole, "{row}");
    }
}
