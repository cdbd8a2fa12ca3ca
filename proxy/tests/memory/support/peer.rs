//! A scripted HTTP/1.1 peer on plain bytes.

use super::ledger::Ledger;
use super::script::{Answer, End, Form, Script, Step};
use super::wire::{Broken, Framing, Wire};
use proxy::memory::MemoryNetwork;
use proxy::network::Network as _;
use proxy::tls;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// A scripted peer. Clones are the same peer.
#[derive(Clone)]
#[expect(clippy::type_complexity, reason = "named by what it does")]
pub(crate) struct Peer {
    pub(crate) number: usize,
    pub(crate) address: SocketAddr,
    scripts: Rc<RefCell<VecDeque<Script>>>,
    usual: Rc<RefCell<Box<dyn FnMut(usize) -> Script>>>,
    ledger: Ledger,
    /// It closes connections that were idle for so long.
    pub(crate) keep_alive: Rc<Cell<Option<Duration>>>,
}

impl Peer {
    /// A peer that listens, and answers 200 with its own number.
    pub(crate) fn start(
        network: &MemoryNetwork,
        number: usize,
        ledger: &Ledger,
        connections: &Rc<Cell<u64>>,
        acceptor: Option<TlsAcceptor>,
    ) -> Self {
        let ip = [10, 0, 0, u8::try_from(number + 1).unwrap()];
        let address = SocketAddr::from((ip, 80));
        let peer = Self {
            number,
            address,
            scripts: Rc::default(),
            usual: Rc::new(RefCell::new(Box::new(|_| {
                Script::answer(Answer::new(200, "hello"))
            }))),
            ledger: ledger.clone(),
            keep_alive: Rc::default(),
        };
        peer.listen(network, address, connections, acceptor);
        peer
    }

    /// Listens at an address, which may be one of several.
    pub(crate) fn listen(
        &self,
        network: &MemoryNetwork,
        address: SocketAddr,
        connections: &Rc<Cell<u64>>,
        acceptor: Option<TlsAcceptor>,
    ) {
        let network = network.seen_from(address.ip());
        let socket = network.bind(address).unwrap();
        let listener = network.listen(socket).unwrap();
        let (accepting, connections) = (self.clone(), Rc::clone(connections));
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = network.accept(&listener).await.unwrap();
                connections.set(connections.get() + 1);
                let (peer, connection) = (accepting.clone(), connections.get());
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    let stream = match acceptor {
                        None => tls::Wire::Plain(stream),
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => tls::Wire::Tls(Box::new(stream.into())),
                            Err(_) => return,
                        },
                    };
                    peer.serve(Wire::new(stream), connection).await;
                });
            }
        });
    }

    /// What it does with a request, whatever the protocol.
    pub(crate) fn script(&self, entry: usize) -> Script {
        let scripted = self.scripts.borrow_mut().pop_front();
        scripted.unwrap_or_else(|| (self.usual.borrow_mut())(entry))
    }

    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// What it does with the next request that has no script yet.
    pub(crate) fn next(&self, script: Script) -> &Self {
        self.scripts.borrow_mut().push_back(script);
        self
    }

    /// What it does with all requests that have no script; it is given the ledger's entry.
    pub(crate) fn usually(&self, usual: impl FnMut(usize) -> Script + 'static) {
        *self.usual.borrow_mut() = Box::new(usual);
    }

    pub(crate) fn always(&self, script: Script) {
        self.usually(move |_| script.clone());
    }

    /// Whether another request comes on a connection.
    async fn is_asked(&self, wire: &mut Wire) -> bool {
        let limit = self.keep_alive.get().unwrap_or(Duration::MAX);
        let asked = tokio::time::timeout(limit, wire.first_byte()).await;
        asked.is_ok_and(|asked| asked.is_ok())
    }

    async fn serve(self, mut wire: Wire, connection: u64) {
        while self.is_asked(&mut wire).await {
            let entry = self.ledger.begin(self.number, connection);
            let script = self.script(entry);
            let mut exchange = Exchange {
                peer: &self,
                wire,
                entry,
                framing: None,
                read: 0,
            };
            if exchange.play(script).await != Ok(Next::Keep) {
                return;
            }
            wire = exchange.wire;
        }
    }
}

/// One request and its answer.
struct Exchange<'a> {
    peer: &'a Peer,
    wire: Wire,
    entry: usize,
    framing: Option<Framing>,
    read: u64,
}

#[derive(Debug, Eq, PartialEq)]
enum Next {
    Keep,
    Close,
    Reset,
}

impl From<End> for Next {
    fn from(end: End) -> Self {
        match end {
            End::Close => Self::Close,
            End::Reset => Self::Reset,
        }
    }
}

impl Exchange<'_> {
    async fn play(&mut self, script: Script) -> Result<Next, Broken> {
        for step in script.0 {
            match step {
                Step::Head => self.head().await?,
                Step::Body => self.body().await?,
                Step::Some(bytes) => self.some(bytes).await?,
                Step::Write(bytes) => self.write(&bytes).await?,
                Step::Answer(answer) => match self.answer(&answer).await? {
                    Next::Keep => {}
                    Next::Close => return Ok(Next::Close),
                    Next::Reset => return Ok(self.reset()),
                },
                Step::Echo => self.echo().await?,
                Step::Wait(wait) => tokio::time::sleep(wait).await,
                Step::Nothing(wait) => self.nothing(wait).await,
                Step::Switch => self.switch().await?,
                Step::Mirror => self.mirror().await?,
                Step::Gather => self.gather().await?,
                Step::Both(bytes) => {
                    let (sent, came) = self.wire.both(&bytes).await;
                    sent?;
                    self.peer.ledger.entry(self.entry).body = came;
                }
                Step::Finish => self.wire.finish().await,
                Step::Interim(status) => {
                    let interim = format!("HTTP/1.1 {status} Interim\r\n\r\n");
                    self.write(interim.as_bytes()).await?;
                }
                Step::GoAway | Step::Leave | Step::Refuse => {
                    return Err(Broken::Malformed("only with HTTP/2".to_owned()));
                }
                Step::Close => return Ok(Next::Close),
                Step::Hang => self.hang().await,
                Step::Reset => return Ok(self.reset()),
            }
        }
        let ledger = self.peer.ledger.clone();
        let complete = ledger.entry(self.entry).complete;
        Ok(if complete { Next::Keep } else { Next::Close })
    }

    fn reset(&mut self) -> Next {
        let stream = match &self.wire.stream {
            tls::Wire::Plain(stream) => stream,
            tls::Wire::Tls(stream) => stream.get_ref().0,
        };
        stream.cut_after(0, proxy::memory::Cut::Reset);
        Next::Reset
    }

    /// Until the other end has gone.
    async fn hang(&mut self) {
        while self.wire.some(usize::MAX).await.is_ok() {}
    }

    async fn head(&mut self) -> Result<(), Broken> {
        let head = self.wire.head().await?;
        let framing = head.framing(Framing::None)?;
        self.framing = Some(framing);
        let mut entry = self.peer.ledger.entry(self.entry);
        entry.head = Some(head);
        entry.complete = matches!(framing, Framing::None | Framing::Length(0));
        Ok(())
    }

    /// Answers the key (RFC 6455 §4.2.2), as far as there is one.
    async fn switch(&mut self) -> Result<(), Broken> {
        let head = self.peer.ledger.entry(self.entry).head.clone().unwrap();
        let mut answer = Answer::new(101, "").form(Form::Bare);
        for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
            answer = answer.field(name, value);
        }
        if let Some(key) = head.get("sec-websocket-key") {
            answer = answer.field("sec-websocket-accept", &accept(key));
        }
        self.write(&answer.head()).await
    }

    async fn nothing(&mut self, wait: Duration) {
        assert_eq!(self.wire.pending(), b"", "too early");
        let came = tokio::time::timeout(wait, self.wire.first_byte()).await;
        assert!(came.is_err(), "too early: {:?}", self.wire.pending());
    }

    async fn mirror(&mut self) -> Result<(), Broken> {
        loop {
            match self.wire.some(usize::MAX).await {
                Ok(bytes) => self.write(&bytes).await?,
                Err(Broken::Ended) => return Ok(()),
                Err(broken) => return Err(broken),
            }
        }
    }

    async fn gather(&mut self) -> Result<(), Broken> {
        loop {
            match self.wire.some(usize::MAX).await {
                Ok(bytes) => {
                    let mut entry = self.peer.ledger.entry(self.entry);
                    entry.body.extend_from_slice(&bytes);
                }
                Err(Broken::Ended) => return Ok(()),
                Err(broken) => return Err(broken),
            }
        }
    }

    async fn framing(&mut self) -> Result<Framing, Broken> {
        if self.framing.is_none() {
            self.head().await?;
        }
        Ok(self.framing.unwrap())
    }

    async fn body(&mut self) -> Result<(), Broken> {
        let framing = match self.framing().await? {
            Framing::Length(length) => Framing::Length(length - self.read),
            other => other,
        };
        let (ledger, entry) = (self.peer.ledger.clone(), self.entry);
        let note = |piece: &[u8]| ledger.entry(entry).body.extend_from_slice(piece);
        let trailers = self.wire.body(framing, note).await?;
        ledger.entry(entry).trailers = trailers;
        ledger.entry(entry).complete = true;
        Ok(())
    }

    async fn some(&mut self, bytes: usize) -> Result<(), Broken> {
        let Framing::Length(length) = self.framing().await? else {
            return Err(Broken::Malformed("only bodies with a length".to_owned()));
        };
        let target = (self.read + bytes as u64).min(length);
        while self.read < target {
            let left = usize::try_from(target - self.read).unwrap();
            let piece = self.wire.some(left).await?;
            self.read += piece.len() as u64;
            let mut entry = self.peer.ledger.entry(self.entry);
            entry.body.extend_from_slice(&piece);
            entry.complete = self.read == length;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.wire.write(bytes).await.map_err(|_| Broken::Reset)
    }

    async fn answer(&mut self, answer: &Answer) -> Result<Next, Broken> {
        let mut answer = answer.clone();
        for (name, value) in [("x-peer", self.peer.number), ("x-answer", self.entry)] {
            answer.fields.push((name.to_owned(), value.to_string()));
        }
        self.peer.ledger.entry(self.entry).answered = Some(answer.status);
        let head_only = self.peer.ledger.entry(self.entry).method() == Some("HEAD");
        let mut bytes = answer.head();
        if !head_only {
            for at in 0..answer.pieces.len() {
                if at > 0 && !answer.pace.is_zero() {
                    self.write(&bytes).await?;
                    bytes.clear();
                    tokio::time::sleep(answer.pace).await;
                }
                if let Some((after, end)) = answer.cut
                    && after == at
                {
                    self.write(&bytes).await?;
                    return Ok(end.into());
                }
                bytes.extend(answer.piece(at));
            }
            if let Some((_, end)) = answer.cut {
                self.write(&bytes).await?;
                return Ok(end.into());
            }
            bytes.extend(answer.end());
        }
        self.write(&bytes).await?;
        self.peer.ledger.entry(self.entry).whole_at = Some(Instant::now());
        Ok(if answer.form == Form::Close {
            Next::Close
        } else {
            Next::Keep
        })
    }

    /// For bodies in chunks.
    async fn echo(&mut self) -> Result<(), Broken> {
        self.framing().await?;
        let answer = Answer::new(200, "").form(Form::Chunked);
        self.peer.ledger.entry(self.entry).answered = Some(200);
        self.write(&answer.head()).await?;
        while let Some(size) = self.wire.chunk_size().await? {
            let mut piece = Vec::new();
            let framing = Framing::Length(size);
            self.wire
                .body(framing, |bytes| piece.extend_from_slice(bytes))
                .await?;
            // The end of the line after the chunk.
            let mut end = Vec::new();
            self.wire
                .body(Framing::Length(2), |bytes| end.extend_from_slice(bytes))
                .await?;
            self.write(&super::client::chunk(&piece)).await?;
        }
        self.wire.body(Framing::Length(2), |_| {}).await?;
        self.peer.ledger.entry(self.entry).complete = true;
        self.write(&answer.end()).await?;
        self.peer.ledger.entry(self.entry).whole_at = Some(Instant::now());
        Ok(())
    }
}

/// What answers a key (RFC 6455 §4.2.2).
fn accept(key: &str) -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    use base64::Engine as _;
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(hash)
}
