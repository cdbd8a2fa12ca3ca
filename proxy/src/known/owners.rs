//! Which peer has which task.

use aws_lc_rs::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which peer has which task of the modern era (rule 26): an id is never changed, so whoever made
/// it is remembered. What was used longest ago makes room.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    tasks: BTreeMap<Task, Owned>,
    /// When each was used last, oldest first.
    order: BTreeMap<u64, Task>,
    uses: u64,
}

/// A digest of the id: ids are as long as servers like, and some are secrets.
type Task = [u8; 16];

#[derive(Debug)]
struct Owned {
    peer: Arc<str>,
    used: u64,
}

impl Owners {
    /// Notes that a peer has a task; whether another was forgotten because there are `most`.
    pub(crate) fn note(&mut self, task: &str, peer: &str, most: usize) -> bool {
        let task = id(task);
        match self.tasks.get_mut(&task) {
            Some(owned) if &*owned.peer == peer => {}
            Some(owned) => owned.peer = peer.into(),
            None => {
                let peer = peer.into();
                self.tasks.insert(task, Owned { peer, used: 0 });
            }
        }
        self.touch(task);
        let mut forgotten = false;
        while self.tasks.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            forgotten |= self.tasks.remove(&oldest).is_some();
        }
        forgotten
    }

    /// The name of the peer that has a task, if that is known.
    pub(crate) fn find(&mut self, task: &str) -> Option<Arc<str>> {
        let task = id(task);
        let peer = Arc::clone(&self.tasks.get(&task)?.peer);
        self.touch(task);
        Some(peer)
    }

    /// How many tasks are known.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    fn touch(&mut self, task: Task) {
        let Some(owned) = self.tasks.get_mut(&task) else {
            return;
        };
        self.uses += 1;
        self.order.remove(&owned.used);
        owned.used = self.uses;
        self.order.insert(owned.used, task);
    }
}

fn id(task: &str) -> Task {
    let whole = digest(&SHA256, task.as_bytes());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(whole.as_ref()) {
        *to = *from;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_26_the_last_peer_that_told_of_a_task_has_it() {
        let mut owners = Owners::default();
        assert_eq!(owners.find("t"), None);
        assert!(!owners.note("t", "a", 8));
        assert_eq!(owners.find("t").as_deref(), Some("a"));
        owners.note("t", "b", 8);
        assert_eq!(owners.find("t").as_deref(), Some("b"));
        assert_eq!(owners.find("T"), None);
        assert_eq!(owners.len(), 1);
    }

    #[test]
    fn the_task_that_was_used_longest_ago_makes_room() {
        let mut owners = Owners::default();
        for task in ["1", "2", "3"] {
            assert!(!owners.note(task, "a", 3));
        }
        // Looking is using.
        owners.find("1");
        assert!(owners.note("4", "a", 3));
        let known = ["1", "2", "3", "4"].map(|task| owners.find(task).is_some());
        assert_eq!(known, [true, false, true, true]);
        // A smaller bound, after a reload.
        owners.note("5", "a", 1);
        assert_eq!((owners.len(), owners.order.len()), (1, 1));
    }
}
