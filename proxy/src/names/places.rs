//! Where a peer is, as far as is known.

use super::families::interleaved;
use super::service::Service;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// Where a peer is. Threads share it; one task writes.
#[derive(Debug)]
pub(crate) struct Places {
    known: watch::Sender<Known>,
    fixed: bool,
}

#[derive(Clone, Debug)]
enum Known {
    /// The first answer is waited for.
    Nothing,
    At(Arc<[SocketAddr]>),
    /// Whichever target of a service is drawn.
    Service(Arc<Service>),
    /// A socket in the file system.
    Path(Arc<Path>),
    /// It never had an address, or was said to have none; why.
    Failed(io::ErrorKind, String),
}

/// Where to connect.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Any of these, in this order.
    Addresses(Arc<[SocketAddr]>),
    /// Each time in another order.
    Service(Arc<Service>),
    /// A socket in the file system.
    Path(Arc<Path>),
}

impl Places {
    /// A peer that is given by its address.
    pub(crate) fn fixed(address: SocketAddr) -> Self {
        Self {
            known: watch::Sender::new(Known::At([address].into())),
            fixed: true,
        }
    }

    /// A peer behind a socket in the file system.
    pub(crate) fn path(path: &Path) -> Self {
        Self {
            known: watch::Sender::new(Known::Path(path.into())),
            fixed: true,
        }
    }

    /// A peer that has a name, which is yet to be looked up.
    pub(crate) fn named() -> Self {
        Self {
            known: watch::Sender::new(Known::Nothing),
            fixed: false,
        }
    }

    pub(crate) fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// Where to connect; waits for the first answer.
    ///
    /// # Errors
    /// There never was an address, or there is none any more.
    pub(crate) async fn now(&self) -> io::Result<Place> {
        let mut known = self.known.subscribe();
        let known = known
            .wait_for(|known| !matches!(known, Known::Nothing))
            .await;
        match known.as_deref() {
            Ok(Known::At(addresses)) => Ok(Place::Addresses(Arc::clone(addresses))),
            Ok(Known::Service(service)) => Ok(Place::Service(Arc::clone(service))),
            Ok(Known::Path(path)) => Ok(Place::Path(Arc::clone(path))),
            Ok(Known::Failed(kind, why)) => Err(io::Error::new(*kind, why.clone())),
            Ok(Known::Nothing) | Err(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// It is there now; whether that is somewhere else. The order is the name server's, and may
    /// change with every answer.
    pub(super) fn set(&self, addresses: &[SocketAddr]) -> bool {
        let sorted = |addresses: &[SocketAddr]| {
            let mut sorted = addresses.to_vec();
            sorted.sort_unstable();
            sorted
        };
        let now = sorted(addresses);
        let order = interleaved(addresses).into();
        let before = self.known.send_replace(Known::At(order));
        !matches!(before, Known::At(before) if sorted(&before) == now)
    }

    /// Its service is there now; whether that is somewhere else. As long as it is not, the order of
    /// its targets goes on where it was.
    pub(super) fn set_service(&self, service: Service) -> bool {
        self.known.send_if_modified(|known| {
            let same = matches!(known, Known::Service(before) if before.is_like(&service));
            if !same {
                *known = Known::Service(service.into());
            }
            !same
        })
    }

    /// It is nowhere, as whoever knows has said.
    pub(super) fn clear(&self, why: &io::Error) {
        self.known
            .send_replace(Known::Failed(why.kind(), why.to_string()));
    }

    /// Nobody knows; what was known stays.
    pub(super) fn fail(&self, error: &io::Error) {
        self.known.send_if_modified(|known| {
            let never = !matches!(known, Known::At(_) | Known::Service(_));
            if never {
                *known = Known::Failed(error.kind(), error.to_string());
            }
            never
        });
    }
}
