//! backstay, the program: arguments, wiring, the admin listener, and the verbs of the command line.
//!
//! `main` reads the arguments, runs the verb, prints an error with its causes once, and turns it
//! into the exit code. `serve` puts the proxy together from `config` and `proxy`; `admin` is the
//! listener for operators and their monitoring; `demo` is all of it with servers and a caller.
//! Requests never pass through code of this crate, except for the line of the access log.

mod access_log;
mod admin;
mod args;
mod check;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod descriptors;
mod error;
mod logs;
mod output;
mod reload;
mod rfc3339;
mod run;
mod schema;
mod serve;
mod session_key;
mod signals;
mod status;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};
use error::{Error, Exit};

fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match args.command {
        Command::Run(run) => run::run(&run),
        Command::Proxy(proxy) => run::proxy(&proxy),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo::demo(&demo),
        Command::Check(check) => check::check(&check),
        Command::Status(status) => status::status(&status),
        Command::Schema => schema::print(),
        Command::Completions { shell } => completions::print(shell),
    };
    match ended {
        Ok(exit) => exit.into(),
        // Whoever read our output has left (`backstay schema | head`): nobody to tell.
        Err(Error::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Exit::Ok.into()
        }
        Err(error) => {
            output::complain(&error);
            error.exit().into()
        }
    }
}
