//! `log`, `access_log` and `reload`.

use std::time::Duration;

use super::duration;
use crate::file;
use crate::finding::Findings;
use crate::loaded::{AccessLog, AccessLogFormat, Log, LogFormat, LogLevel, Watching};

pub(super) fn log(log: file::Log) -> Log {
    let default = Log::default();
    Log {
        level: log.level.map_or(default.level, |level| match level {
            file::LogLevel::Error => LogLevel::Error,
            file::LogLevel::Warn => LogLevel::Warn,
            file::LogLevel::Info => LogLevel::Info,
            file::LogLevel::Debug => LogLevel::Debug,
            file::LogLevel::Trace => LogLevel::Trace,
        }),
        format: log.format.map_or(default.format, |format| match format {
            file::LogFormat::Text => LogFormat::Text,
            file::LogFormat::Json => LogFormat::Json,
            file::LogFormat::Ecs => LogFormat::Ecs,
        }),
    }
}

pub(super) fn access_log(access_log: Option<file::AccessLog>) -> Option<AccessLog> {
    let access_log = access_log?;
    Some(AccessLog {
        file: access_log.file.map(Into::into),
        format: match access_log.format {
            Some(file::AccessLogFormat::Text) => AccessLogFormat::Text,
            Some(file::AccessLogFormat::Json) => AccessLogFormat::Json,
            None => AccessLogFormat::default(),
        },
    })
}

pub(super) fn reload(reload: Option<file::Reload>, found: &mut Findings) -> Option<Watching> {
    let reload = reload.unwrap_or_default();
    let default = Watching::default().poll;
    let poll = duration(reload.poll, default, SHORTEST, "reload.poll", found);
    reload.watch.unwrap_or(true).then_some(Watching { poll })
}

/// Reading a file costs little, but not nothing.
const SHORTEST: Duration = Duration::from_secs(1);
