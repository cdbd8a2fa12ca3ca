//! One thread, one runtime, paused time.

use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

/// Runs a test in virtual time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    run_within(TOO_LONG, test)
}

/// Runs a test that may take so much virtual time.
pub(crate) fn run_within<T>(limit: Duration, test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build_local(LocalOptions::default())
        .unwrap();
    // The proxy's own tick keeps virtual time going, so what waits for ever ends here.
    let bounded = async { tokio::time::timeout(limit, test).await };
    runtime.block_on(bounded).expect("the test stands still")
}

/// Lets everything happen that happens within `wait`.
pub(crate) async fn settle(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// What comes of `work`, which must come within `limit` of virtual time: the machine's speed plays
/// no part.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(limit, work).await;
    came.unwrap_or_else(|_| panic!("not within {limit:?} of virtual time"))
}

/// In virtual time; longer than any deadline of the proxy.
const TOO_LONG: Duration = Duration::from_secs(3600);
