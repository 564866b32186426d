//! Whether a change was declared: one that may have been made while a maintenance window of its host lasted is expected.

use crate::domain::{
    calendar::Span,
    hold::{Hold, Kind, Subject},
    time::Timestamp,
};

/// Longest reason for a change, in characters.
pub const REASON_CHARS: usize = 200;

/// The window that a change was made in, as far as can be known: it was made after the look before (`since`) and not after
/// the one that saw it (`at`). `CHG123`, or `maintenance 3` where the window names no change.
#[must_use]
pub fn window<'a>(
    holds: impl IntoIterator<Item = &'a Hold>,
    subject: &Subject<'_>,
    since: Timestamp,
    at: Timestamp,
) -> Option<String> {
    let between = Span { from: since, until: at.plus_ms(1) };
    let covers = |hold: &&Hold| {
        hold.kind == Kind::Maintenance && hold.scope.fits_host(subject) && !hold.within(between).is_empty()
    };
    let hold = holds.into_iter().find(covers)?;
    Some(if hold.change.is_empty() { hold.name() } else { hold.change.clone() })
}

/// A reason as it is kept.
///
/// # Errors
/// What is wrong with it, in words.
pub fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > REASON_CHARS || text.chars().any(char::is_control) {
        return Err(format!("a reason is one line of 1 to {REASON_CHARS} characters"));
    }
    Ok(text.to_owned())
}
