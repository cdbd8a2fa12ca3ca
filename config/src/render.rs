//! A problem as the compiler of Rust would show it.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use crate::problem::{Problem, Severity};

/// Message, place, line, caret and help, without colour.
pub(crate) fn plain(problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(problem.message.as_str())
        .id(problem.code.as_str());
    let group = if let Some(excerpt) = &problem.excerpt {
        let column = problem.column.saturating_sub(1);
        let start = byte_of(&excerpt.text, column);
        let end = byte_of(&excerpt.text, column + excerpt.length.max(1));
        title.element(
            Snippet::source(excerpt.text.as_str())
                .line_start(problem.line)
                .path(problem.file.as_str())
                .annotation(
                    AnnotationKind::Primary
                        .span(start..end.max(start))
                        .label(excerpt.label.as_deref()),
                ),
        )
    } else {
        let origin = Origin::path(problem.file.as_str());
        title.element(match problem.line {
            0 => origin,
            line => origin.line(line).char_column(problem.column),
        })
    };
    let group = match &problem.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    };
    Renderer::plain().render(&[group])
}

/// Where the character begins; the end of the text when there is none.
fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices()
        .nth(character)
        .map_or(text.len(), |(at, _)| at)
}
