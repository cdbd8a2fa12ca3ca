//! Noticing that the files of a configuration have changed.
//!
//! Directories are watched and not the files: an editor renames a new file into place, and
//! Kubernetes swaps a link (`..data`) to a directory beside it, so the file that was watched is no
//! longer the one of that name. Whatever happens in there, what counts is what the files hold. And
//! since some file systems tell nothing, they are looked at now and then too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Watching;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::Fingerprint;

/// Notices that files have changed.
#[derive(Debug)]
pub(crate) struct Watch {
    files: Vec<PathBuf>,
    /// What was acted upon last.
    seen: Option<Fingerprint>,
    poll: Duration,
    events: mpsc::Receiver<()>,
    /// Something happened that was not looked at yet.
    told: bool,
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches files of which `seen` has been read.
    pub(crate) fn new(files: Vec<PathBuf>, seen: Option<Fingerprint>, watching: Watching) -> Self {
        // Whatever comes while one is waiting says nothing new.
        let (sender, events) = mpsc::channel(1);
        let told = move |event: notify::Result<Event>| {
            let looked_at = matches!(
                &event,
                Ok(Event {
                    kind: EventKind::Access(_),
                    ..
                })
            );
            if !looked_at {
                // Full: it is told already.
                sender.try_send(()).unwrap_or_default();
            }
        };
        let watcher = notify::recommended_watcher(told);
        let mut watch = Self {
            files,
            seen,
            poll: watching.poll,
            events,
            told: false,
            watcher: watcher
                .inspect_err(|error| tracing::warn!(%error, "config_watch_failed"))
                .ok(),
            directories: BTreeSet::new(),
        };
        watch.follow();
        watch
    }

    /// Waits until the files hold something else than when they were last read, and says what.
    /// Cancelling it loses nothing.
    pub(crate) async fn changed(&mut self) -> Fingerprint {
        loop {
            if !self.told {
                tokio::select! {
                    Some(()) = self.events.recv() => self.told = true,
                    () = tokio::time::sleep(self.poll) => {}
                }
            }
            if self.told {
                tokio::time::sleep(DEBOUNCE).await;
            }
            // What came meanwhile is seen by the look that follows.
            while self.events.try_recv().is_ok() {}
            self.told = false;
            self.follow();
            if let Some(now) = self.look() {
                return now;
            }
        }
    }

    /// What the files hold now, and that it has been read.
    pub(crate) fn read(&mut self) -> Option<Fingerprint> {
        let now = Fingerprint::of(&self.files)?;
        self.seen = Some(now.clone());
        Some(now)
    }

    /// Watches these files instead, which have just been read.
    pub(crate) fn turn_to(&mut self, files: Vec<PathBuf>) {
        if self.files != files {
            self.files = files;
            self.seen = Fingerprint::of(&self.files);
            self.follow();
        }
    }

    fn look(&mut self) -> Option<Fingerprint> {
        let now = Fingerprint::of(&self.files)?;
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        self.seen = Some(now.clone());
        Some(now)
    }

    /// Watches the directories that the files, and what they lead to, are in now.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted = directories(&self.files);
        for gone in self.directories.difference(&wanted) {
            // It may be gone itself, and its watch with it.
            drop(watcher.unwatch(gone));
        }
        // Where that fails, the next look tries again, and until then there is the poll.
        let mut follows = |directory: &PathBuf| {
            self.directories.contains(directory)
                || watcher
                    .watch(directory, RecursiveMode::NonRecursive)
                    .is_ok()
        };
        self.directories = wanted.into_iter().filter(|each| follows(each)).collect();
    }
}

/// The directories of the files, and those of what the links lead to.
fn directories(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let resolved = files.iter().filter_map(|file| file.canonicalize().ok());
    let both = files.iter().cloned().chain(resolved);
    both.map(|file| parent(&file)).collect()
}

/// A file is rarely written in one piece, and a reload costs more than waiting for the rest.
const DEBOUNCE: Duration = Duration::from_millis(250);
