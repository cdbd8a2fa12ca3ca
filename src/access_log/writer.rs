//! The thread that writes, and the queue to it.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use config::{AccessLog, AccessLogFormat};
use proxy::gateway::{AccessSink, Entry};

use super::line::line;
use super::record::Record;
use crate::error::Error;

/// Opens the log and starts its thread.
///
/// # Errors
/// The file cannot be opened, or there is no thread.
pub(crate) fn open(settings: &AccessLog) -> Result<Writer, Error> {
    let out: Box<dyn Write + Send> = match &settings.file {
        None => Box::new(io::stderr()),
        Some(path) => {
            let mut options = OpenOptions::new();
            let file = options.create(true).append(true).open(path);
            Box::new(file.map_err(|source| Error::Open {
                what: "access log",
                name: path.display().to_string(),
                source,
            })?)
        }
    };
    start(out, settings.format, QUEUE).map_err(Error::System)
}

fn start(out: Box<dyn Write + Send>, format: AccessLogFormat, queue: usize) -> io::Result<Writer> {
    let (sender, receiver) = sync_channel(queue);
    let dropped = Dropped::default();
    let counted = dropped.clone();
    let thread = std::thread::Builder::new()
        .name("backstay-access".to_owned())
        .spawn(move || write(&receiver, BufWriter::new(out), format, &counted))?;
    Ok(Writer {
        queue: sender,
        dropped,
        thread,
    })
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: SyncSender<Message>,
    dropped: Dropped,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Where requests leave their records.
    pub(crate) fn sink(&self) -> Arc<dyn AccessSink> {
        Arc::new(self.queue())
    }

    fn queue(&self) -> Queue {
        Queue {
            queue: self.queue.clone(),
            dropped: self.dropped.clone(),
        }
    }

    /// Counts what was dropped.
    pub(crate) fn dropped(&self) -> Dropped {
        self.dropped.clone()
    }

    /// Writes what is queued, and ends the thread.
    pub(crate) fn finish(self) {
        // A thread that is gone has nothing left to write.
        if self.queue.send(Message::Finish).is_ok() {
            drop(self.thread.join());
        }
    }
}

/// How many records were not written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dropped(Arc<AtomicU64>);

impl Dropped {
    /// So many.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

enum Message {
    Record(Box<Record>),
    Finish,
}

#[derive(Debug)]
struct Queue {
    queue: SyncSender<Message>,
    dropped: Dropped,
}

impl AccessSink for Queue {
    fn log(&self, entry: &Entry<'_>) {
        self.put(Record::new(entry));
    }
}

impl Queue {
    fn put(&self, record: Record) {
        let message = Message::Record(Box::new(record));
        if self.queue.try_send(message).is_err() {
            self.dropped.one();
        }
    }
}

fn write(
    queue: &Receiver<Message>,
    mut out: BufWriter<Box<dyn Write + Send>>,
    format: AccessLogFormat,
    dropped: &Dropped,
) {
    let mut fails = false;
    loop {
        let message = match queue.try_recv() {
            // While nothing waits, the lines go out.
            Err(TryRecvError::Empty) => {
                fails = note(out.flush(), fails);
                queue.recv().ok()
            }
            message => message.ok(),
        };
        let Some(Message::Record(record)) = message else {
            note(out.flush(), fails);
            return;
        };
        let mut line = line(&record, format);
        line.push('\n');
        // In one piece, so that the buffer never ends in the middle of a line: on standard error
        // another thread may write between two of its flushes.
        let written = out.write_all(line.as_bytes());
        if written.is_err() {
            dropped.one();
        }
        fails = note(written, fails);
    }
}

/// Logs the first failure in a row. Whether it fails now.
fn note(written: io::Result<()>, failed: bool) -> bool {
    match written {
        Ok(()) => false,
        Err(error) => {
            if !failed {
                tracing::error!(%error, "access_log_failed");
            }
            true
        }
    }
}

/// A few MiB at most; at 100,000 requests per second it bridges some 80 ms.
const QUEUE: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::super::record::sample;
    use super::*;
    use std::sync::{Barrier, Mutex};

    /// A disk that takes its time with the first write.
    struct Disk {
        /// Met once when the write has come, and once when it may go on.
        first: Option<Arc<Barrier>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(barrier) = self.first.take() {
                barrier.wait();
                barrier.wait();
            }
            let written = self.written.lock();
            let mut written = written.map_err(|_| io::Error::other("poisoned"))?;
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_is_written_in_the_end() {
        let barrier = Arc::new(Barrier::new(2));
        let written = Arc::new(Mutex::new(Vec::new()));
        let disk = Disk {
            first: Some(Arc::clone(&barrier)),
            written: Arc::clone(&written),
        };
        let writer = start(Box::new(disk), AccessLogFormat::Json, 2).unwrap();
        let (queue, dropped) = (writer.queue(), writer.dropped());
        queue.put(sample());
        barrier.wait();
        // The thread is busy with the first: two wait, and two are too many.
        (0..4).for_each(|_| queue.put(sample()));
        assert_eq!(dropped.count(), 2);
        barrier.wait();
        writer.finish();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert_eq!(dropped.count(), 2);
    }
}
