//! What a peer does with one request.

use super::client::chunk;
use std::fmt::Write as _;
use std::time::Duration;

/// What a peer does with one request, step by step. Steps that follow the last one a peer may
/// survive (`Close`, `Hang`, `Reset`) are not reached; without them it waits for the next request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(pub Vec<Step>);

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads the head.
    Head,
    /// Reads the head, if that was not done, and the whole body.
    Body,
    /// Reads at least so many bytes of the body.
    Some(usize),
    /// Writes exactly these bytes; the status is noted in the ledger.
    Write(Vec<u8>),
    /// Writes an answer, or what of it `HEAD` leaves.
    Answer(Answer),
    /// Answers 200 in chunks, each as its bytes come in.
    Echo,
    Wait(Duration),
    /// Waits so long, in which nothing may come.
    Nothing(Duration),
    /// Switches to `websocket`.
    Switch,
    /// Sends back what comes, until nothing more does.
    Mirror,
    /// Notes what comes as the body, until nothing more does.
    Gather,
    /// Writes nothing more, but reads on.
    Finish,
    /// Notes what comes as the body, and writes these bytes meanwhile.
    Both(Vec<u8>),
    /// Writes an interim answer.
    Interim(u16),
    /// HTTP/2: refuses the stream unseen (RFC 9113 §8.7).
    Refuse,
    /// HTTP/2: says that this stream and those after it are not looked at (RFC 9113 §6.8).
    GoAway,
    /// HTTP/2: takes no streams after this one, and says so in order.
    Leave,
    /// Closes in order.
    Close,
    /// Reads on and answers nothing, until the other end has gone.
    Hang,
    Reset,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) form: Form,
    /// After a body in chunks, or over HTTP/2.
    pub(crate) trailers: Vec<(String, String)>,
    /// Between two pieces.
    pub(crate) pace: Duration,
    /// Ends after so many pieces, and with them the connection.
    pub(crate) cut: Option<(usize, End)>,
}

/// How the end of an answer is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Length,
    Chunked,
    Close,
    /// No body and no length.
    Bare,
}

/// How an answer is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Close,
    Reset,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            fields: Vec::new(),
            pieces: vec![body.into()],
            form: Form::Length,
            trailers: Vec::new(),
            pace: Duration::ZERO,
            cut: None,
        }
    }

    pub(crate) fn pieces(self, pieces: &[&[u8]], form: Form, pace: Duration) -> Self {
        Self {
            pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
            form,
            pace,
            ..self
        }
    }

    pub(crate) fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn cut(self, after: usize, end: End) -> Self {
        Self {
            cut: Some((after, end)),
            ..self
        }
    }

    /// Its head on the wire.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Status\r\n", self.status);
        for (name, value) in &self.fields {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        match self.form {
            Form::Length => {
                let length: usize = self.pieces.iter().map(Vec::len).sum();
                write!(text, "content-length: {length}\r\n").unwrap();
            }
            Form::Chunked => text += "transfer-encoding: chunked\r\n",
            Form::Close => text += "connection: close\r\n",
            Form::Bare => {}
        }
        text += "\r\n";
        text.into_bytes()
    }

    /// A piece of its body on the wire.
    pub(crate) fn piece(&self, at: usize) -> Vec<u8> {
        match self.form {
            Form::Chunked => chunk(&self.pieces[at]),
            Form::Length | Form::Close => self.pieces[at].clone(),
            Form::Bare => Vec::new(),
        }
    }

    /// What follows the last piece.
    pub(crate) fn end(&self) -> Vec<u8> {
        match self.form {
            Form::Chunked => {
                let mut bytes = b"0\r\n".to_vec();
                for (name, value) in &self.trailers {
                    bytes.extend(format!("{name}: {value}\r\n").into_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes
            }
            Form::Length | Form::Close | Form::Bare => Vec::new(),
        }
    }
}

impl Script {
    /// Reads the whole request, then answers.
    pub(crate) fn answer(answer: Answer) -> Self {
        Self(vec![Step::Body, Step::Answer(answer)])
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::answer(Answer::new(status, format!("status {status}")))
    }

    /// Reads the whole request, then does as told.
    pub(crate) fn then(step: Step) -> Self {
        Self(vec![Step::Body, step])
    }

    /// Switches to `websocket`, then does as told.
    pub(crate) fn switch(steps: &[Step]) -> Self {
        let mut all = vec![Step::Head, Step::Switch];
        all.extend_from_slice(steps);
        all.push(Step::Close);
        Self(all)
    }
}
