//! The verb `check`.

mod findings;
mod live;

use config::ProcessEnvironment;

use crate::args::{Check, CheckFormat};
use crate::error::{Error, Exit};
use crate::output;

/// Checks a file, and with `--live` the peers it names.
///
/// # Errors
/// Standard output cannot be written, or the peers cannot be looked at.
pub(crate) fn check(args: &Check) -> Result<Exit, Error> {
    match (config::load(&args.file, &ProcessEnvironment), args.format) {
        (Ok(loaded), CheckFormat::Text) => {
            for warning in &loaded.warnings {
                output::line(&format!("{warning}\n"))?;
            }
            output::line(&summary(&loaded))?;
            if !args.live {
                return Ok(Exit::Ok);
            }
            let groups = live::look(loaded.settings)?;
            output::line(&findings::text(&groups))?;
            Ok(live::verdict(&groups))
        }
        (Ok(loaded), CheckFormat::Json) => {
            let warnings: Vec<_> = loaded.warnings.iter().map(warning).collect();
            if !args.live {
                output::line(&pretty(&warnings.into()))?;
                return Ok(Exit::Ok);
            }
            let groups = live::look(loaded.settings)?;
            let all = serde_json::json!({"warnings": warnings, "groups": groups});
            output::line(&pretty(&all))?;
            Ok(live::verdict(&groups))
        }
        (Err(problems), CheckFormat::Text) => Err(Error::Problems(problems)),
        (Err(problems), CheckFormat::Json) => {
            output::line(&pretty(&problems.to_json()))?;
            Ok(Exit::Invalid)
        }
    }
}

/// `ok: 1 listener, 2 groups, 5 peers, 2 routes`.
fn summary(loaded: &config::Loaded) -> String {
    let settings = &loaded.settings;
    let peers = settings.groups.iter().map(|group| group.peers.len()).sum();
    let mut parts = vec![
        count(settings.listeners.len(), "listener"),
        count(settings.groups.len(), "group"),
        count(peers, "peer"),
    ];
    if !settings.routes.is_empty() {
        parts.push(count(settings.routes.len(), "route"));
    }
    if !loaded.warnings.is_empty() {
        parts.push(count(loaded.warnings.len(), "warning"));
    }
    format!("ok: {}", parts.join(", "))
}

/// A warning in the form that [`config::Problems::to_json`] gives problems.
fn warning(problem: &config::Problem) -> serde_json::Value {
    let mut object = serde_json::json!({
        "code": problem.code.as_str(),
        "severity": problem.severity.as_str(),
        "path": problem.path,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    });
    if let Some(help) = &problem.help {
        object["help"] = help.as_str().into();
    }
    object
}

fn count(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}
