//! The end of a listener.

use std::rc::Rc;
use tokio::sync::Notify;

/// Ends a listener: who waits in its backlog is still served.
#[derive(Debug)]
pub(crate) struct Close(Rc<Notify>);

/// The other half: the listener's.
#[derive(Debug)]
pub(crate) struct Closed(Rc<Notify>);

impl Close {
    pub(crate) fn new() -> (Self, Closed) {
        let notify = Rc::new(Notify::new());
        (Self(Rc::clone(&notify)), Closed(notify))
    }

    pub(crate) fn close(self) {
        self.0.notify_one();
    }
}

impl Closed {
    /// Waits for the end.
    pub(super) async fn wait(&self) {
        self.0.notified().await;
    }
}
