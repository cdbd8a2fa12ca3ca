//! Names, and what is answered to who asks for them.

use super::network::MemoryNetwork;
use crate::network::{Resolved, ServiceRecords, ServiceTarget};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The names of a network.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, Answer>,
    lookups: BTreeMap<String, u64>,
}

/// What is answered to who asks for a name.
#[derive(Clone, Debug)]
enum Answer {
    At(Vec<IpAddr>, Duration),
    Service(ServiceRecords),
    /// Nobody answers.
    Silence,
}

impl Names {
    /// What is answered; none: nothing, ever.
    pub(super) fn ask(&mut self, host: &str, port: u16) -> Option<io::Result<Resolved>> {
        *self.lookups.entry(host.to_owned()).or_default() += 1;
        match self.known.get(host) {
            None | Some(Answer::Service(_)) => Some(Err(io::ErrorKind::NotFound.into())),
            Some(Answer::Silence) => None,
            Some(Answer::At(addresses, ttl)) => Some(Ok(Resolved {
                addresses: addresses
                    .iter()
                    .map(|ip| SocketAddr::new(*ip, port))
                    .collect(),
                ttl: *ttl,
            })),
        }
    }

    /// What is answered to who asks for a service; none: nothing, ever.
    pub(super) fn ask_service(&mut self, name: &str) -> Option<io::Result<ServiceRecords>> {
        *self.lookups.entry(name.to_owned()).or_default() += 1;
        match self.known.get(name) {
            Some(Answer::Service(records)) => Some(Ok(records.clone())),
            Some(Answer::Silence) => None,
            None | Some(Answer::At(..)) => Some(Err(io::ErrorKind::NotFound.into())),
        }
    }

    /// The first address of a name.
    pub(super) fn first(&self, name: &str) -> Option<IpAddr> {
        match self.known.get(name)? {
            Answer::At(addresses, _) => addresses.first().copied(),
            Answer::Service(_) | Answer::Silence => None,
        }
    }
}

impl MemoryNetwork {
    /// Gives hosts a name, for who asks from now on; it may be relied on for a minute.
    pub fn set_name(&self, name: &str, addresses: &[IpAddr]) {
        self.set_answer(name, addresses, MINUTE);
    }

    /// What is answered to who asks for a name from now on, and how long it may be relied on.
    pub fn set_answer(&self, name: &str, addresses: &[IpAddr], ttl: Duration) {
        self.answer(name, Answer::At(addresses.to_vec(), ttl));
    }

    /// What is answered to who asks for a service from now on, and how long it may be relied on.
    pub fn set_service(&self, name: &str, targets: Vec<ServiceTarget>, ttl: Duration) {
        self.answer(name, Answer::Service(ServiceRecords { targets, ttl }));
    }

    /// Whoever asks for a name from now on waits for ever.
    pub fn silence_name(&self, name: &str) {
        self.answer(name, Answer::Silence);
    }

    /// Whoever asks for a name from now on is told that there is none.
    pub fn forget_name(&self, name: &str) {
        self.lock().names.known.remove(name);
    }

    /// How often a name was asked for.
    pub fn lookups(&self, name: &str) -> u64 {
        let names = &self.lock().names;
        names.lookups.get(name).copied().unwrap_or_default()
    }

    fn answer(&self, name: &str, answer: Answer) {
        self.lock().names.known.insert(name.to_owned(), answer);
    }
}

/// Names that nobody said more of.
const MINUTE: Duration = Duration::from_secs(60);
