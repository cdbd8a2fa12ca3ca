//! Points at which the server stops, so that the harness can kill it at exactly that moment; see python/holds.py.

use std::fs::{OpenOptions, rename};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::{Value, from_slice, json};

/// A tool's text with this in it is cut in two: the first half leaves, the rest waits.
const CUT: &str = "#cut:";

/// A folder of files: one that bears the name of a point arms it.
#[derive(Clone, Default)]
pub struct Holds {
    pub folder: Option<Arc<PathBuf>>,
    pub port: u16,
    pub ledger: Arc<str>,
    openings: Arc<Mutex<Openings>>,
}

/// How many clients have opened a session, and how many did at the same time.
#[derive(Default)]
struct Openings {
    opened: u32,
    opening: u32,
    at_once: u32,
}

impl Holds {
    fn armed(&self, point: &str) -> bool {
        let folder = self.folder.as_ref();
        folder.is_some_and(|folder| folder.join(point).exists())
    }

    /// Stops if the point is armed.
    async fn at(&self, point: &str) {
        let Some(folder) = &self.folder else { return };
        let standing = folder.join(format!("{point}.{}", self.port));
        if rename(folder.join(point), &standing).is_err() {
            return;
        }
        while standing.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What both tools do: write the call into the ledger; all points are on the way. The tool's text.
    pub async fn perform(
        &self,
        call: String,
        progress: impl Future<Output = ()>,
    ) -> io::Result<String> {
        self.at(&format!("{call}.begun")).await;
        // A `File` has no buffer: the line is one write(2), which a `kill -9` does not undo.
        let mut ledger = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&*self.ledger)?;
        ledger.write_all(format!("{call}\n").as_bytes())?;
        self.at(&format!("{call}.done")).await;
        let event = format!("{call}.event");
        if self.armed(&event) {
            progress.await;
            self.at(&event).await;
        }
        let body = format!("{call}.body");
        Ok(if self.armed(&body) {
            format!("{call} {CUT}{body}#")
        } else {
            call
        })
    }

    /// Stops where an answer is cut, and where a client is first heard.
    pub async fn around(self, request: Request, next: Next) -> Response {
        if self.folder.is_none() || request.method() != Method::POST {
            return next.run(request).await;
        }
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let opening = opening(&body);
        if opening.is_some() {
            let mut openings = self.openings();
            openings.opening += 1;
            openings.at_once = openings.at_once.max(openings.opening);
        }
        let request = Request::from_parts(parts, Body::from(body));
        let response = next.run(request).await;
        if let Some(client) = opening {
            self.at(&format!("opening-{client}")).await;
            let mut openings = self.openings();
            openings.opening -= 1;
            openings.opened += u32::from(response.status() == StatusCode::OK);
        }
        let (parts, body) = response.into_parts();
        let pieces = body
            .into_data_stream()
            .flat_map(move |piece| self.clone().cut(piece));
        Response::from_parts(parts, Body::from_stream(pieces))
    }

    /// How many clients have opened a session, and how many did at the same time, as JSON.
    pub fn counts(&self) -> String {
        let openings = self.openings();
        json!({"opened": openings.opened, "at_once": openings.at_once}).to_string()
    }

    fn openings(&self) -> MutexGuard<'_, Openings> {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(
        self,
        piece: Result<Bytes, axum::Error>,
    ) -> BoxStream<'static, Result<Bytes, axum::Error>> {
        let middle = |piece: &Bytes| {
            let at = piece
                .windows(CUT.len())
                .position(|each| each == CUT.as_bytes());
            at.map(|at| (piece.slice(..at), piece.slice(at..)))
        };
        match piece.as_ref().ok().and_then(middle) {
            Some((first, rest)) => {
                let point = String::from_utf8_lossy(&rest[CUT.len()..]);
                let point = point.split('#').next().unwrap_or_default().to_owned();
                let later = stream::once(async move {
                    self.at(&point).await;
                    Ok(rest)
                });
                stream::iter([Ok(first)]).chain(later).boxed()
            }
            None => stream::iter([piece]).boxed(),
        }
    }
}

/// The name of a client whose first request this is; the proxy's own probes are none.
fn opening(body: &[u8]) -> Option<String> {
    let message: Value = from_slice(body).ok()?;
    let params = &message["params"];
    let name = match message["method"].as_str()? {
        "initialize" => &params["clientInfo"]["name"],
        "server/discover" => &params["_meta"]["io.modelcontextprotocol/clientInfo"]["name"],
        _ => return None,
    };
    let name = name.as_str()?;
    (name != "backstay-probe").then(|| name.to_owned())
}
