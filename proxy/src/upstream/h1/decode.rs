//! The head of a response, from bytes.

use super::super::connection::HeadLimits;
use super::body::Body;
use super::fault::Fault;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, Version, response};
use httparse::{ParserConfig, Status};
use std::mem::MaybeUninit;
use std::ops::Range;

/// What of a request bears on how its response is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Asked {
    /// The method was HEAD: there is no body.
    pub(super) head: bool,
    /// A switch of protocols was asked for.
    pub(super) upgrade: bool,
}

/// The head of a response, interim or final.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: response::Parts,
    pub(super) body: Body,
    /// Another request may follow on this connection.
    pub(super) keep_alive: bool,
    /// How many bytes it took.
    pub(super) size: usize,
}

/// Takes a head from the front of what was read, if it is complete.
pub(super) fn decode(
    buffer: &mut BytesMut,
    asked: Asked,
    limits: HeadLimits,
) -> Result<Option<Head>, Fault> {
    let survey = if limits.headers <= USUAL {
        survey(buffer, limits, &mut [Place::default(); USUAL])
    } else {
        survey(buffer, limits, &mut vec![Place::default(); limits.headers])
    };
    survey?.map(|line| line.finish(asked, limits)).transpose()
}

/// A status line, and the fields below it.
struct Line {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    lengths: Lengths,
    size: usize,
}

/// What the fields say of the length, and of what follows (RFC 9112 §6, §9.3).
#[derive(Default)]
struct Lengths {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

/// Where in a head the name and the value of a field stand: where each begins and ends.
///
/// Small, because a table of them is cleared for every head.
#[derive(Clone, Copy, Default)]
struct Place {
    name: [u32; 2],
    value: [u32; 2],
}

impl Place {
    /// What stands there. A head is far shorter than 4 GiB, so nothing is cut off.
    fn range([from, to]: [u32; 2]) -> Range<usize> {
        from as usize..to as usize
    }
}

fn survey(
    buffer: &mut BytesMut,
    limits: HeadLimits,
    places: &mut [Place],
) -> Result<Option<Line>, Fault> {
    let found = if limits.headers <= USUAL {
        let mut fields = [const { MaybeUninit::uninit() }; USUAL];
        let allowed = fields.get_mut(..limits.headers).unwrap_or_default();
        find(buffer, allowed, places)?
    } else {
        let mut fields = Vec::new();
        fields.resize_with(limits.headers, MaybeUninit::uninit);
        find(buffer, &mut fields, places)?
    };
    let Some(found) = found else {
        let full = buffer.len() >= limits.head_size;
        return if full { Err(Fault::HeadSize) } else { Ok(None) };
    };
    if found.size > limits.head_size {
        return Err(Fault::HeadSize);
    }
    let head = buffer.split_to(found.size).freeze();
    let places = places.get(..found.fields).unwrap_or_default();
    let (headers, lengths) = collect(&head, places)?;
    Ok(Some(Line {
        status: found.status,
        version: found.version,
        headers,
        lengths,
        size: found.size,
    }))
}

struct Found {
    status: StatusCode,
    version: Version,
    size: usize,
    fields: usize,
}

/// Finds the parts of a head, strictly: no folded lines, no space before a colon, no bare CR, no
/// NUL (RFC 9112 §5). A bare LF ends a line, as §2.2 allows.
fn find<'b>(
    bytes: &'b [u8],
    fields: &mut [MaybeUninit<httparse::Header<'b>>],
    places: &mut [Place],
) -> Result<Option<Found>, Fault> {
    let mut response = httparse::Response::new(&mut []);
    let parser = ParserConfig::default();
    let size = match parser.parse_response_with_uninit_headers(&mut response, bytes, fields) {
        Ok(Status::Complete(size)) => size,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::Fields),
        Err(_) => return Err(Fault::Head),
    };
    let status = response
        .code
        .and_then(|code| StatusCode::from_u16(code).ok());
    let Some(status) = status else {
        return Err(Fault::Head);
    };
    // A part of the slice begins so far from where the slice does.
    let place = |part: &[u8]| {
        let from = part.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
        let from = if part.is_empty() { 0 } else { from };
        [from, from + part.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX))
    };
    for (field, slot) in response.headers.iter().zip(places) {
        *slot = Place {
            name: place(field.name.as_bytes()),
            value: place(field.value),
        };
    }
    Ok(Some(Found {
        status,
        version: match response.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        },
        size,
        fields: response.headers.len(),
    }))
}

/// The fields as a map whose values are slices of the head, and what they say of the length.
fn collect(head: &Bytes, places: &[Place]) -> Result<(HeaderMap, Lengths), Fault> {
    let mut headers = HeaderMap::with_capacity(places.len() + ROOM);
    let mut lengths = Lengths::default();
    for Place { name, value } in places {
        let name = head.get(Place::range(*name)).unwrap_or_default();
        let name = HeaderName::from_bytes(name).map_err(|_| Fault::Head)?;
        let value = head.slice(Place::range(*value));
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Fault::Head)?;
        if name == header::CONTENT_LENGTH {
            // Twice, even with one value, is refused: RFC 9110 §8.6 allows it, and who sends it
            // does not know what it sends.
            if lengths.length.replace(number(value.as_bytes())?).is_some() {
                return Err(Fault::Length);
            }
        } else if name == header::TRANSFER_ENCODING {
            let one = value.as_bytes().eq_ignore_ascii_case(b"chunked");
            if !one || std::mem::replace(&mut lengths.chunked, true) {
                return Err(Fault::Coding);
            }
        } else if name == header::CONNECTION {
            let mut tokens = value.as_bytes().split(|byte| *byte == b',');
            lengths.close |= tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
        let appended = headers.try_append(name, value);
        appended.map_err(|_| Fault::Fields)?;
    }
    Ok((headers, lengths))
}

/// A `Content-Length`: digits alone (RFC 9110 §8.6).
fn number(value: &[u8]) -> Result<u64, Fault> {
    if value.is_empty() {
        return Err(Fault::Length);
    }
    value.iter().try_fold(0u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10);
        let digit = digit.ok_or(Fault::Length)?;
        let tens = number.checked_mul(10).ok_or(Fault::Length)?;
        tens.checked_add(u64::from(digit)).ok_or(Fault::Length)
    })
}

impl Line {
    /// The length of the body, in the order of RFC 9112 §6.3.
    fn finish(self, asked: Asked, limits: HeadLimits) -> Result<Head, Fault> {
        let Self {
            status,
            version,
            headers,
            lengths,
            size,
        } = self;
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        if switches && !asked.upgrade {
            return Err(Fault::Upgrade);
        }
        if lengths.chunked && version == Version::HTTP_10 {
            // §6.1: framing that a 1.0 peer does not understand is faulty.
            return Err(Fault::Coding);
        }
        if lengths.chunked && lengths.length.is_some() {
            // §6.3: an attempt at smuggling, or an error.
            return Err(Fault::Length);
        }
        let bare = asked.head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = match lengths.length {
            _ if bare => Body::Done,
            _ if lengths.chunked => Body::chunked(limits),
            Some(0) => Body::Done,
            Some(length) => Body::Length(length),
            None => Body::UntilClose,
        };
        // A 1.0 peer that keeps connections alive is not worth its exceptions (§9.3, C.2.2).
        let persists = version == Version::HTTP_11 && !lengths.close && !switches;
        let keep_alive = persists && !matches!(body, Body::UntilClose);
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = status;
        parts.version = version;
        parts.headers = headers;
        Ok(Head {
            parts,
            body,
            keep_alive,
            size,
        })
    }
}

/// More fields than this need room on the heap.
const USUAL: usize = 100;
/// Fields that are added on the way downstream, so that the map need not grow for them.
const ROOM: usize = 2;
