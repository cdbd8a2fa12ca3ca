//! hyper's background futures, on the thread they belong to.

use hyper::rt::Executor;
use std::future::Future;

/// Runs what hyper spawns as tasks of the present thread: nothing of a connection is `Send`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        // A request has some 8 KB, and tokio copies what it is given four times more from here
        // to its end: this way it copies a pointer.
        drop(tokio::task::spawn_local(Box::pin(future)));
    }
}
