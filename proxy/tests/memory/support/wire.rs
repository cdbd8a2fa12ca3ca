//! HTTP/1.1 read byte by byte, with no patience for anything that is not exactly right.

use proxy::memory::MemoryStream;
use proxy::tls;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A connection and what was read of it but not used.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: tls::Wire<MemoryStream>,
    buffer: Vec<u8>,
    /// What of `buffer` was used.
    used: usize,
}

/// Why nothing more can be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Broken {
    /// The stream ended before the first byte of what was to come.
    Ended,
    /// It ended in the middle.
    Short,
    /// It was reset.
    Reset,
    /// It is not HTTP.
    Malformed(String),
}

/// The head of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

impl Head {
    /// The only field of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "more than one {name}: {all:?}");
        all.first().copied()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let matching = self.fields.iter().filter(|(field, _)| field == name);
        matching.map(|(_, value)| value.as_str()).collect()
    }

    /// What `Content-Length` and `Transfer-Encoding` say; both is malformed.
    pub(crate) fn framing(&self, neither: Framing) -> Result<Framing, Broken> {
        let length = self.get("content-length");
        match (self.get("transfer-encoding"), length) {
            (None, None) => Ok(neither),
            (Some("chunked"), None) => Ok(Framing::Chunked),
            (None, Some(length)) => match length.parse() {
                Ok(length) => Ok(Framing::Length(length)),
                Err(_) => Err(malformed(&format!("content-length {length}"))),
            },
            both => Err(malformed(&format!("{both:?}"))),
        }
    }

    fn parse(text: &[u8]) -> Result<Self, Broken> {
        let text = std::str::from_utf8(text).map_err(|_| malformed("not text"))?;
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
            if name.is_empty() || name.contains([' ', '\t']) || line.contains(['\r', '\n']) {
                return Err(malformed(line));
            }
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { start, fields })
    }
}

impl Wire {
    pub(crate) fn new(stream: tls::Wire<MemoryStream>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            used: 0,
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Writes nothing more.
    pub(crate) async fn finish(&mut self) {
        drop(self.stream.shutdown().await);
    }

    /// Writes these bytes and then nothing more, and reads all that comes meanwhile.
    pub(crate) async fn both(&mut self, bytes: &[u8]) -> (Result<(), Broken>, Vec<u8>) {
        let mut came = self.pending().to_vec();
        self.used = self.buffer.len();
        let (mut reading, mut writing) = tokio::io::split(&mut self.stream);
        let sending = async {
            writing.write_all(bytes).await?;
            writing.shutdown().await
        };
        let (sent, read) = tokio::join!(sending, reading.read_to_end(&mut came));
        let done = sent.and_then(|()| read.map(drop));
        (done.map_err(|_| Broken::Reset), came)
    }

    /// What was read and not used.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Waits for the first byte of what comes next.
    pub(crate) async fn first_byte(&mut self) -> Result<(), Broken> {
        if self.pending().is_empty() {
            self.fill().await.map_err(|broken| match broken {
                Broken::Short => Broken::Ended,
                other => other,
            })?;
        }
        Ok(())
    }

    /// Reads a head.
    pub(crate) async fn head(&mut self) -> Result<Head, Broken> {
        self.first_byte().await?;
        let mut searched = 0;
        let end = loop {
            let pending = self.pending();
            let found = pending[searched..]
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(at) = found {
                break searched + at;
            }
            searched = pending.len().saturating_sub(3);
            self.fill().await?;
        };
        let head = Head::parse(&self.pending()[..end]);
        self.used += end + 4;
        head
    }

    /// Reads the body; gives each piece to `sink` as it comes. Returns the trailers.
    pub(crate) async fn body(
        &mut self,
        framing: Framing,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Vec<(String, String)>, Broken> {
        match framing {
            Framing::None => Ok(Vec::new()),
            Framing::Length(length) => {
                self.exactly(length, &mut sink).await?;
                Ok(Vec::new())
            }
            Framing::UntilClose => loop {
                sink(self.pending());
                self.used = self.buffer.len();
                match self.fill().await {
                    Ok(()) => {}
                    Err(Broken::Short) => return Ok(Vec::new()),
                    Err(broken) => return Err(broken),
                }
            },
            Framing::Chunked => {
                while let Some(size) = self.chunk_size().await? {
                    self.exactly(size, &mut sink).await?;
                    let end = self.line().await?;
                    if !end.is_empty() {
                        return Err(malformed("a chunk longer than its size"));
                    }
                }
                let mut text = Vec::new();
                loop {
                    let line = self.line().await?;
                    if line.is_empty() {
                        break;
                    }
                    text.extend_from_slice(b"\r\n");
                    text.extend_from_slice(&line);
                }
                Ok(Head::parse(&text)?.fields)
            }
        }
    }

    /// Reads at most so many bytes of whatever comes; none at the end.
    pub(crate) async fn some(&mut self, most: usize) -> Result<Vec<u8>, Broken> {
        self.first_byte().await?;
        let n = self.pending().len().min(most);
        let some = self.pending()[..n].to_vec();
        self.used += n;
        Ok(some)
    }

    /// The size of the next chunk; none for the last.
    pub(crate) async fn chunk_size(&mut self) -> Result<Option<u64>, Broken> {
        let line = self.line().await?;
        let text = String::from_utf8_lossy(&line).into_owned();
        match u64::from_str_radix(&text, 16) {
            Ok(0) => Ok(None),
            Ok(size) => Ok(Some(size)),
            Err(_) => Err(malformed(&format!("chunk size {text:?}"))),
        }
    }

    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            let found = self.pending().windows(2).position(|two| two == b"\r\n");
            if let Some(at) = found {
                let line = self.pending()[..at].to_vec();
                self.used += at + 2;
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn exactly(
        &mut self,
        mut length: u64,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        while length > 0 {
            if self.pending().is_empty() {
                self.fill().await?;
            }
            let n = usize::try_from(length).unwrap().min(self.pending().len());
            sink(&self.pending()[..n]);
            self.used += n;
            length -= n as u64;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Broken::Short),
            Ok(_) => Ok(()),
            Err(_) => Err(Broken::Reset),
        }
    }
}

fn malformed(what: &str) -> Broken {
    Broken::Malformed(what.to_owned())
}

const READ: usize = 8 * 1024;
