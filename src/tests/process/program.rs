//! One run of the program.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Bounds every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program, with a place of its own for its state.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstay"));
    command.env("STATE_DIRECTORY", home);
    command
}

/// Runs it to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    command(home.path()).args(arguments).output().unwrap()
}

/// A proxy that serves; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    reader: Option<JoinHandle<()>>,
    /// Where it keeps its state and its file.
    pub(crate) home: tempfile::TempDir,
}

impl Program {
    /// Runs a configuration.
    pub(crate) fn run(configuration: &str, arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("backstay.yaml");
        std::fs::write(&file, configuration).unwrap();
        let mut command = command(home.path());
        command.args(["run", "-c"]).arg(file).args(arguments);
        Self::spawn(command, home)
    }

    /// Runs arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = command(home.path());
        command.args(arguments);
        Self::spawn(command, home)
    }

    fn spawn(mut command: Command, home: tempfile::TempDir) -> Self {
        let piped = command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let (sender, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
            reader: Some(reader),
            home,
        }
    }

    /// Waits for a line with this text, from the beginning of its log on.
    pub(crate) fn line(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        self.next_line(text)
    }

    /// Waits for a line with this text that nobody has waited for yet.
    pub(crate) fn next_line(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {text:?} in {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended without {text:?}: {:#?}", self.seen)
                }
            }
        }
    }

    /// What it logged so far, as far as it was waited for.
    pub(crate) fn log(&self) -> &[String] {
        &self.seen
    }

    /// Where it serves.
    pub(crate) fn address(&mut self) -> SocketAddr {
        address(&self.line(" listening "))
    }

    /// Where its admin listener is.
    pub(crate) fn admin(&mut self) -> SocketAddr {
        address(&self.line(" admin_listening "))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for its end. Everything it logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        // Its log ends when it does.
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.seen),
            }
        }
        let status = self.child.wait().unwrap();
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

fn address(line: &str) -> SocketAddr {
    let (_, address) = line.split_once("address=").unwrap();
    address.parse().unwrap()
}
