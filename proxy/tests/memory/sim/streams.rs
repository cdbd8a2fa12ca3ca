//! A peer that plays its scripts over HTTP/2.

use super::splice::{Splice, Spliced};
use crate::support::h2::{piece, send};
use crate::support::{Answer, End, Form, Head, Ledger, Peer, Script, Step, World};
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, request};
use proxy::memory::MemoryStream;
use proxy::network::Network as _;
use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// Serves HTTP/2 at an address, with so many streams of a connection at once.
pub(super) fn listen(world: &World, peer: &Peer, address: SocketAddr, most: u32) {
    let (network, peer) = (world.network.seen_from(address.ip()), peer.clone());
    let socket = network.bind(address).unwrap();
    let listener = network.listen(socket).unwrap();
    let (ledger, connections) = (world.ledger.clone(), Rc::new(Cell::new(0)));
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = network.accept(&listener).await.unwrap();
            connections.set(connections.get() + 1);
            let line = Line {
                peer: peer.clone(),
                ledger: ledger.clone(),
                number: connections.get(),
                splice: Splice::default(),
                news: Rc::default(),
                end: Rc::default(),
                last: Rc::new(Cell::new(u32::MAX)),
            };
            tokio::task::spawn_local(line.serve(stream, most));
        }
    });
}

/// One connection. Clones are the same.
#[derive(Clone)]
struct Line {
    peer: Peer,
    ledger: Ledger,
    number: u64,
    splice: Splice,
    /// The connection has something to do.
    news: Rc<Notify>,
    end: Rc<Cell<Ending>>,
    /// The last stream that is looked at.
    last: Rc<Cell<u32>>,
}

/// How a connection comes to its end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Ending {
    #[default]
    None,
    /// No more streams.
    Leave,
    /// At once.
    Close,
}

/// Why a script ends before its last step.
enum Stop {
    /// As it says.
    Told,
    /// The proxy, or the connection, has gone.
    Gone,
}

impl From<h2::Error> for Stop {
    fn from(_: h2::Error) -> Self {
        Self::Gone
    }
}

impl Line {
    async fn serve(self, stream: MemoryStream, most: u32) {
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(most);
        let spliced = Spliced::new(stream, &self.splice);
        let Ok(mut connection) = builder.handshake::<_, Bytes>(spliced).await else {
            return;
        };
        while let Some((request, respond)) = self.next(&mut connection).await {
            let line = self.clone();
            tokio::task::spawn_local(async move { line.play(request, respond).await });
        }
    }

    /// The next request; none: the connection has ended.
    async fn next(
        &self,
        connection: &mut Connection<Spliced<MemoryStream>, Bytes>,
    ) -> Option<(Request<RecvStream>, SendResponse<Bytes>)> {
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            let accepted = poll_fn(|cx| {
                // First what is to be said, then what it is said to.
                let told = news.as_mut().poll(cx).is_ready();
                match connection.poll_accept(cx) {
                    Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
                    Poll::Pending if told => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await;
            match (accepted, self.end.get()) {
                (_, Ending::Close) => return None,
                (Some(accepted), _) => return accepted?.ok(),
                (None, Ending::Leave) => {
                    self.end.set(Ending::None);
                    connection.graceful_shutdown();
                }
                (None, Ending::None) => {}
            }
        }
    }

    fn end(&self, ending: Ending) {
        self.end.set(ending);
        self.news.notify_one();
    }

    fn note(&self, at: usize, head: &request::Parts, complete: bool) {
        let mut entry = self.ledger.entry(at);
        entry.head = Some(Head {
            start: format!("{} {} HTTP/2", head.method, head.uri.path()),
            fields: fields(&head.headers),
        });
        entry.complete = complete;
    }

    async fn play(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let at = self.ledger.begin(self.peer.number, self.number);
        let (head, body) = request.into_parts();
        self.note(at, &head, body.is_end_stream());
        let mut exchange = Exchange {
            line: self,
            at,
            respond,
            request: Some(body),
        };
        if exchange.id() > self.last.get() {
            return exchange.overlooked().await;
        }
        let script = self.peer.script(at);
        drop(exchange.play(script).await);
    }
}

/// One stream.
struct Exchange<'a> {
    line: &'a Line,
    at: usize,
    respond: SendResponse<Bytes>,
    request: Option<RecvStream>,
}

impl Exchange<'_> {
    fn id(&self) -> u32 {
        self.respond.stream_id().into()
    }

    /// Nobody looks at it, nobody says so: a GOAWAY has.
    async fn overlooked(&mut self) {
        self.line.ledger.entry(self.at).refused = true;
        drop(poll_fn(|cx| self.respond.poll_reset(cx)).await);
    }

    async fn play(&mut self, script: Script) -> Result<(), Stop> {
        for step in script.0 {
            match step {
                Step::Head => {}
                Step::Body | Step::Some(_) => self.body().await?,
                Step::Write(bytes) => {
                    self.line.splice.bytes(&bytes);
                    self.line.news.notify_one();
                }
                Step::Answer(answer) => self.answer(&answer).await?,
                Step::Wait(wait) => sleep(wait).await,
                Step::Interim(status) => {
                    let interim = Response::builder().status(status).body(()).unwrap();
                    self.respond.send_informational(interim)?;
                }
                Step::Refuse => {
                    self.line.ledger.entry(self.at).refused = true;
                    self.respond.send_reset(Reason::REFUSED_STREAM);
                    return Err(Stop::Told);
                }
                Step::GoAway => {
                    let last = self.id() - 1;
                    self.line.last.set(last.min(self.line.last.get()));
                    self.line.splice.go_away(last);
                    self.line.news.notify_one();
                    let line = self.line.clone();
                    // Who was heard before is answered, more or less.
                    tokio::task::spawn_local(async move {
                        sleep(GOODBYE).await;
                        line.end(Ending::Close);
                    });
                    self.overlooked().await;
                    return Err(Stop::Told);
                }
                Step::Leave => self.line.end(Ending::Leave),
                Step::Close => {
                    self.line.end(Ending::Close);
                    return Err(Stop::Told);
                }
                Step::Hang | Step::Echo => {
                    poll_fn(|cx| self.respond.poll_reset(cx)).await?;
                    return Err(Stop::Gone);
                }
                // Only with HTTP/1.1.
                Step::Both(_)
                | Step::Finish
                | Step::Gather
                | Step::Mirror
                | Step::Nothing(_)
                | Step::Switch => return Err(Stop::Told),
                Step::Reset => {
                    self.respond.send_reset(Reason::INTERNAL_ERROR);
                    return Err(Stop::Told);
                }
            }
        }
        Ok(())
    }

    async fn body(&mut self) -> Result<(), Stop> {
        let Some(mut request) = self.request.take() else {
            return Ok(());
        };
        while let Some(piece) = piece(&mut request).await? {
            self.line
                .ledger
                .entry(self.at)
                .body
                .extend_from_slice(&piece);
        }
        let trailers = request.trailers().await?;
        let mut entry = self.line.ledger.entry(self.at);
        entry.trailers = trailers.as_ref().map(fields).unwrap_or_default();
        entry.complete = true;
        Ok(())
    }

    async fn answer(&mut self, answer: &Answer) -> Result<(), Stop> {
        let bare = self.line.ledger.entry(self.at).method() == Some("HEAD");
        let length: usize = answer.pieces.iter().map(Vec::len).sum();
        let mut head = Response::builder().status(answer.status);
        for (name, value) in &answer.fields {
            head = head.header(name, value);
        }
        head = head.header("x-peer", self.line.peer.number);
        head = head.header("x-answer", self.at);
        if answer.form == Form::Length {
            head = head.header("content-length", length);
        }
        self.line.ledger.entry(self.at).answered = Some(answer.status);
        let over = bare || (length == 0 && answer.trailers.is_empty() && answer.cut.is_none());
        let mut sending = self.respond.send_response(head.body(()).unwrap(), over)?;
        if over {
            self.line.ledger.entry(self.at).whole_at = Some(Instant::now());
            return Ok(());
        }
        let cut = answer.cut.map_or(usize::MAX, |(after, _)| after);
        for (at, piece) in answer.pieces.iter().take(cut).enumerate() {
            if at > 0 && !answer.pace.is_zero() {
                sleep(answer.pace).await;
            }
            send(&mut sending, Bytes::copy_from_slice(piece), false).await?;
        }
        match answer.cut {
            Some((_, End::Close)) => {
                // What was said has left before.
                sleep(Duration::from_millis(1)).await;
                self.line.end(Ending::Close);
                Err(Stop::Told)
            }
            Some((_, End::Reset)) => {
                sending.send_reset(Reason::INTERNAL_ERROR);
                Err(Stop::Told)
            }
            None => {
                self.line.ledger.entry(self.at).whole_at = Some(Instant::now());
                finish(&mut sending, answer)
            }
        }
    }
}

fn finish(sending: &mut SendStream<Bytes>, answer: &Answer) -> Result<(), Stop> {
    if answer.trailers.is_empty() {
        sending.send_data(Bytes::new(), true)?;
    } else {
        sending.send_trailers(trailers(answer))?;
    }
    Ok(())
}

fn trailers(answer: &Answer) -> HeaderMap {
    let named = |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap();
    let trailers = answer.trailers.iter();
    trailers
        .map(|(name, value)| (named(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// Fields as a strict reader of HTTP/1.1 has them.
pub(super) fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

/// How long a peer that said goodbye goes on with what it has heard.
const GOODBYE: Duration = Duration::from_secs(1);
