//! An answer as the client saw it on the wire.

use super::wire::{Broken, Framing, Head, Wire};

/// An answer as the client saw it on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// The statuses of the interim answers before it.
    pub(crate) interim: Vec<u16>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Which peer answered; none: the proxy.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.head.get("x-peer")
    }

    /// What the proxy says went wrong (RFC 9209 §2.3).
    pub(crate) fn proxy_error(&self) -> Option<&str> {
        self.head
            .get("proxy-status")?
            .split_once("error=")
            .map(|(_, error)| error)
    }

    pub(crate) fn closes(&self) -> bool {
        self.head
            .get("connection")
            .is_some_and(|value| value.contains("close"))
    }
}

impl Wire {
    /// Reads the head of the final answer to `method`.
    pub(crate) async fn reply_head(&mut self, method: &str) -> Result<Reply, Broken> {
        let mut interim = Vec::new();
        loop {
            let head = self.head().await?;
            let status = status(&head.start)?;
            if (100..200).contains(&status) {
                interim.push(status);
                continue;
            }
            // RFC 9112 §6.3: these have no body whatever their fields say.
            let bare = method == "HEAD" || matches!(status, 204 | 304);
            let said = head.framing(Framing::UntilClose)?;
            let framing = if bare { Framing::None } else { said };
            return Ok(Reply {
                status,
                head,
                framing,
                body: Vec::new(),
                trailers: Vec::new(),
                interim,
            });
        }
    }

    /// Reads a whole answer to `method`; what came of its body is lost if it is not whole.
    pub(crate) async fn reply(&mut self, method: &str) -> Result<Reply, Broken> {
        let mut reply = self.reply_head(method).await?;
        let body = &mut reply.body;
        reply.trailers = self
            .body(reply.framing, |piece| body.extend_from_slice(piece))
            .await?;
        Ok(reply)
    }
}

fn status(line: &str) -> Result<u16, Broken> {
    let mut words = line.splitn(3, ' ');
    let (version, status) = (words.next(), words.next());
    match (version, status.map(str::parse)) {
        (Some("HTTP/1.1"), Some(Ok(status))) => Ok(status),
        _ => Err(Broken::Malformed(line.to_owned())),
    }
}
