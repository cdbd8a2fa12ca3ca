//! Every request that reached a peer, whole or not.

use super::wire::Head;
use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;
use tokio::time::Instant;

/// What all peers of a world received, in the order it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Rc<RefCell<Vec<Entry>>>);

/// A request of which at least one byte reached a peer.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) peer: usize,
    /// Counts the connections of all peers.
    pub(crate) connection: u64,
    pub(crate) at: Instant,
    pub(crate) head: Option<Head>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Its last byte came.
    pub(crate) complete: bool,
    /// The peer said that it has not looked at it.
    pub(crate) refused: bool,
    /// The status of the answer that the peer began to write.
    pub(crate) answered: Option<u16>,
    /// When the peer had written the whole answer.
    pub(crate) whole_at: Option<Instant>,
}

impl Ledger {
    pub(crate) fn begin(&self, peer: usize, connection: u64) -> usize {
        let mut entries = self.0.borrow_mut();
        entries.push(Entry {
            peer,
            connection,
            at: Instant::now(),
            head: None,
            body: Vec::new(),
            trailers: Vec::new(),
            complete: false,
            refused: false,
            answered: None,
            whole_at: None,
        });
        entries.len() - 1
    }

    pub(crate) fn entry(&self, at: usize) -> RefMut<'_, Entry> {
        RefMut::map(self.0.borrow_mut(), |entries| &mut entries[at])
    }

    pub(crate) fn entries(&self) -> Ref<'_, Vec<Entry>> {
        self.0.borrow()
    }

    /// Who received the requests for `target`, in order.
    pub(crate) fn peers_of(&self, target: &str) -> Vec<usize> {
        let entries = self.0.borrow();
        let matching = entries
            .iter()
            .filter(|entry| entry.target() == Some(target));
        matching.map(|entry| entry.peer).collect()
    }

    /// The only request for `target`.
    pub(crate) fn only(&self, target: &str) -> Entry {
        let entries = self.0.borrow();
        let mut matching = entries
            .iter()
            .filter(|entry| entry.target() == Some(target));
        let entry = matching.next().expect("nobody received it").clone();
        assert!(matching.next().is_none(), "{target} was received twice");
        entry
    }
}

impl Entry {
    pub(crate) fn method(&self) -> Option<&str> {
        self.word(0)
    }

    pub(crate) fn target(&self) -> Option<&str> {
        self.word(1)
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.head.as_ref()?.start.split(' ').nth(at)
    }
}
