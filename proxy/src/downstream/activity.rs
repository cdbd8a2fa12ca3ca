//! What a client connection notes while it works; the registry judges it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// What a connection notes. Atomic only because connections are `Send`: one thread writes.
#[derive(Debug, Default)]
pub(super) struct Activity {
    bytes_read: AtomicU64,
    /// `bytes_read` when the last response was whole.
    bytes_at_end: AtomicU64,
    /// The client has to read before more can be written.
    write_waits: AtomicBool,
    /// Writes that made progress.
    writes: AtomicU32,
    /// Requests begun.
    requests: AtomicU32,
    /// A request was begun whose response is not yet whole.
    serving: AtomicBool,
    /// A TLS handshake is under way.
    shaking: AtomicBool,
    /// The response is an event stream.
    streaming: AtomicBool,
    /// HTTP/2: frames that carry neither a request nor a body.
    control_frames: AtomicU32,
    /// HTTP/2: heads that have come.
    heads: AtomicU32,
    /// HTTP/2: a head has begun and not ended.
    in_head: AtomicBool,
    /// The connection ends before the client has sent all it may.
    unread: AtomicBool,
    /// Nothing more is written, and what still comes is dropped.
    lingering: AtomicBool,
    /// Nothing was heard of the client for so long that the system gave it up.
    silent: AtomicBool,
    verdict: AtomicU8,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Doing {
    /// Between two requests.
    Idle,
    /// A TLS handshake.
    Handshake,
    /// A head is coming, or the first byte of a new connection is waited for.
    Head,
    /// The last answer is out, and the client may still be sending.
    Lingering,
    /// A request is served.
    Serving,
}

/// What was decided about a connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Verdict {
    /// Go on.
    Serve,
    /// Finish what is in flight, then close.
    Drain,
    /// Close now.
    Close,
}

impl Activity {
    pub(super) fn read(&self, bytes: usize) {
        let total = self.bytes_read().wrapping_add(bytes as u64);
        self.bytes_read.store(total, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self, progress: bool) {
        self.write_waits.store(!progress, Ordering::Relaxed);
        if progress {
            self.writes
                .store(self.writes().wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// A TLS handshake begins, or has ended.
    pub(super) fn shake(&self, shaking: bool) {
        self.shaking.store(shaking, Ordering::Relaxed);
    }

    /// A request begins; says how many there were with it.
    pub(super) fn begin(&self) -> u32 {
        let requests = self.requests().wrapping_add(1);
        self.requests.store(requests, Ordering::Relaxed);
        self.serving.store(true, Ordering::Relaxed);
        requests
    }

    /// Its response is whole, or given up.
    pub(super) fn end(&self) {
        self.bytes_at_end
            .store(self.bytes_read(), Ordering::Relaxed);
        self.serving.store(false, Ordering::Relaxed);
        self.streaming.store(false, Ordering::Relaxed);
    }

    /// The response has turned out to be an event stream.
    pub(super) fn streams(&self) {
        self.streaming.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.streaming.load(Ordering::Relaxed)
    }

    /// The last answer goes out, and the client may still be sending.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// The last answer is out.
    pub(super) fn linger(&self) {
        self.lingering.store(true, Ordering::Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingering.load(Ordering::Relaxed)
    }

    /// The system has given the client up.
    pub(super) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    pub(super) fn doing(&self) -> Doing {
        if self.lingers() {
            Doing::Lingering
        } else if self.serving.load(Ordering::Relaxed) {
            Doing::Serving
        } else if self.shaking.load(Ordering::Relaxed) {
            Doing::Handshake
        } else if self.requests() == 0
            || self.bytes_read() != self.bytes_at_end.load(Ordering::Relaxed)
        {
            Doing::Head
        } else {
            Doing::Idle
        }
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    pub(super) fn writes(&self) -> u32 {
        self.writes.load(Ordering::Relaxed)
    }

    pub(super) fn write_waits(&self) -> bool {
        self.write_waits.load(Ordering::Relaxed)
    }

    pub(super) fn control_frame(&self) {
        let frames = self.control_frames().wrapping_add(1);
        self.control_frames.store(frames, Ordering::Relaxed);
    }

    pub(super) fn control_frames(&self) -> u32 {
        self.control_frames.load(Ordering::Relaxed)
    }

    /// Whether a head has begun and not ended.
    pub(super) fn in_head(&self, in_head: bool) {
        self.in_head.store(in_head, Ordering::Relaxed);
    }

    pub(super) fn is_in_head(&self) -> bool {
        self.in_head.load(Ordering::Relaxed)
    }

    pub(super) fn head_ended(&self) {
        self.heads
            .store(self.heads().wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn heads(&self) -> u32 {
        self.heads.load(Ordering::Relaxed)
    }

    /// Decides; a milder verdict than the present one changes nothing.
    pub(super) fn decide(&self, verdict: Verdict) {
        self.verdict.fetch_max(verdict as u8, Ordering::Relaxed);
    }

    /// What was decided.
    pub(super) fn verdict(&self) -> Verdict {
        match self.verdict.load(Ordering::Relaxed) {
            0 => Verdict::Serve,
            1 => Verdict::Drain,
            _ => Verdict::Close,
        }
    }
}
