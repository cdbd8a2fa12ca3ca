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
    let excerpt = &problem.excerpt;
    let group = if problem.line == 0 {
        title.element(Origin::path(problem.file.as_str()))
    } else {
        let start = byte_of(&excerpt.text, problem.column.saturating_sub(1));
        let end = byte_of(
            &excerpt.text,
            problem.column.saturating_sub(1) + excerpt.length.max(1),
        );
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
