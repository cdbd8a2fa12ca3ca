//! Responses, sound and not.

use http::Method;

/// Responses that both codecs take or both refuse.
pub(super) const ALIKE: &[(Method, &str)] = &[
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\nContent-Length:5\r\nX-A: 1\r\nx-a:  2 \r\nx-b:\r\n\r\nhello",
    ),
    (Method::GET, "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"),
    (Method::GET, "HTTP/1.1 200 OK\r\n\r\nuntil the end"),
    (Method::GET, "HTTP/1.0 200 OK\r\n\r\nuntil the end"),
    (
        Method::GET,
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n00A\r\n0123456789\r\n1;x=\"y\"\r\nz\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2 \r\nok\r\n0\r\nx-sum: 7\r\nx-more: 8\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000000\r\nhello\r\n0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx sum: 7\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more",
    ),
    (Method::GET, "HTTP/1.1 200 OK\r\ncontent-le"),
    (Method::GET, ""),
    (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
    (
        Method::HEAD,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ),
    (Method::GET, "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"),
    (
        Method::GET,
        "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    ),
    (
        Method::GET,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ),
    (
        Method::GET,
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
    ),
    (Method::GET, "HTTP/1.1 100 Continue\r\n\r\n"),
    (Method::GET, "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"),
    (Method::GET, "HTTP/1.1 20 OK\r\n\r\n"),
    (Method::GET, "HTTP/1.1 099 Low\r\n\r\n"),
    (Method::GET, "HTTP/2.0 200 OK\r\n\r\n"),
    (Method::GET, "HTTP/1.2 200 OK\r\n\r\n"),
    (Method::GET, "ICY 200 OK\r\n\r\n"),
    (Method::GET, "\x16\x03\x01\x02\x00\x01\x00\x01"),
    (Method::GET, "HTTP/1.1 200 OK\r\nx-a: 1\r\n folded\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 OK\r\nx-a : 1\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 OK\r\n: 1\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 OK\r\nx-a: 1\0\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 OK\r\nx-a: 1\rx-b: 2\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 O\rK\r\n\r\n"),
    (Method::GET, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\nx-a: \u{fc}ber\r\ncontent-length: 0\r\n\r\n",
    ),
    (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    ),
    (
        Method::GET,
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nhello",
    ),
    (
        Method::GET,
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
];

/// Responses that hyper's client takes and we do not, each with the reason.
pub(super) const STRICTER: &[(&str, &str)] = &[
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "two lengths: who repeats framing has been spliced (RFC 9110 §8.6 allows the refusal)",
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "a length beside a coding: ought to be handled as an error (RFC 9112 §6.3)",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "a coding that we would pass on undecoded and undeclared (RFC 9112 §6.1)",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nuntil the end",
        "the same, to the end of the connection",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked twice (RFC 9112 §7.1: at most once)",
    ),
    (
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "a switch that nobody asked for (RFC 9110 §15.2.2)",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n00000000000000002\r\nok\r\n0\r\n\r\n",
        "seventeen digits: more than fit 64 bits, and padding hides what follows",
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;\x01\r\nok\r\n0\r\n\r\n",
        "a control character in a chunk extension (RFC 9112 §7.1.1)",
    ),
];
