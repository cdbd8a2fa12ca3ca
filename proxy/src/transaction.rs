//! One request from its head to the end of its response, and the account it leaves.

use crate::drain::Drain;
use crate::group::Group;
use crate::grpc;
use crate::hooks::Hooks;
use crate::metrics::{Counter, ProxyMetrics};
use crate::network::Network;
use crate::session::{End, Session};
use crate::thread::Thread;
use crate::upgrade::Offer;
use http::{HeaderMap, StatusCode};
use lb::PeerIndex;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// One request. Dropping it, wherever it is, counts it and calls the `logging` hook.
pub(crate) struct Transaction<H: Hooks> {
    pub(crate) session: Session,
    pub(crate) ctx: H::Ctx,
    pub(crate) hooks: Arc<H>,
    pub(crate) group: Option<Arc<Group>>,
    /// What the client may switch to; none once an answer has gone downstream.
    pub(crate) offer: Option<Offer>,
    pub(crate) metrics: Arc<ProxyMetrics>,
}

impl<H: Hooks> Transaction<H> {
    /// The head of the final response is about to go downstream.
    pub(crate) fn commit(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.offer = None;
        self.session.report.status = Some(status);
        self.session.report.committed = true;
        self.says(headers);
    }

    /// A head or trailers may say how a call of gRPC ended.
    pub(crate) fn says(&mut self, fields: &HeaderMap) -> Option<grpc::Status> {
        if !self.session.is_call() {
            return None;
        }
        let status = grpc::Status::of(fields)?;
        self.session.report.grpc_status = Some(status);
        Some(status)
    }

    /// How far the peer of its response is with leaving; without a group, the server.
    pub(crate) fn drain<'a, N: Network>(
        &'a self,
        thread: &'a Thread<N, H>,
        peer: PeerIndex,
    ) -> &'a Arc<Drain> {
        let group = self.group.as_ref();
        group.map_or(&thread.drain, |group| &group.peer(peer).drain)
    }

    /// The response is whole.
    pub(crate) fn complete(&mut self) {
        self.session.report.end = End::Complete;
    }

    /// The peer has cut the response.
    pub(crate) fn cut(&mut self) {
        self.session.report.end = End::Cut;
    }
}

impl<H: Hooks> Drop for Transaction<H> {
    fn drop(&mut self) {
        let now = self.session.clock.now();
        self.session.report.ended = now;
        let report = &self.session.report;
        self.metrics.requests_active.decrement();
        if self.session.upload.is_over() {
            self.metrics.limits.max_body.increment();
        } else if !self.session.upload.is_replayable() {
            self.metrics.limits.replay.increment();
        }
        if let Some(group) = &self.group {
            let metrics = &group.metrics;
            metrics.active.decrement();
            metrics.duration.observe(now.since(self.session.started));
            let class = report
                .status
                .map_or(0, |status| usize::from(status.as_u16() / 100));
            metrics.responses.get(class).map(Counter::increment);
            if self.session.is_call() {
                let unsaid = match report.end {
                    End::Cancelled => grpc::Status::CANCELLED,
                    _ => grpc::Status::UNKNOWN,
                };
                let code = report.grpc_status.unwrap_or(unsaid).code();
                let counter = metrics.calls.get(usize::from(code));
                counter.map(Counter::increment);
            }
            match report.end {
                End::Cancelled => metrics.cancelled.increment(),
                // What became of a tunnel is counted where it ends.
                End::Complete | End::Drained | End::Idle | End::Lost => {}
                End::Cut => metrics.failures.cut.increment(),
            }
        }
        // A panic in here would end the thread if another is under way already.
        let logged = catch_unwind(AssertUnwindSafe(|| {
            self.hooks
                .logging(&self.session, &self.session.report, &mut self.ctx);
        }));
        if logged.is_err() {
            self.metrics.panics.increment();
        }
    }
}

impl<H: Hooks> fmt::Debug for Transaction<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
