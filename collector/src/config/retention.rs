//! `[retention]`: how long what is over is kept.

use super::section::Section;
use crate::domain::retention::Retention;

/// Reads it; what is not given has its default.
pub(super) fn read(mut section: Section<'_, '_>) -> Retention {
    let usual = Retention::default();
    let kept = Retention {
        trends_ms: length(&mut section, "trends", "2 months", usual.trends_ms),
        incidents_ms: length(&mut section, "incidents", "3 months", usual.incidents_ms),
        inventory_ms: length(&mut section, "inventory", "1 month", usual.inventory_ms),
        audit_ms: length(&mut section, "audit", "1 year", usual.audit_ms),
        reports_ms: length(&mut section, "reports", "3 months", usual.reports_ms),
    };
    section.finish();
    kept
}

fn length(section: &mut Section<'_, '_>, key: &'static str, least: &str, usual: i64) -> i64 {
    const MOST: &str = "20 years";
    let expected = format!("a length from \"{least}\" to \"{MOST}\", such as \"{}\"", Retention::words(usual));
    let (shortest, longest) = (Retention::read(least), Retention::read(MOST));
    let read = |text: &str| {
        let fits = |ms: &i64| Some(*ms) >= shortest && Some(*ms) <= longest;
        Retention::read(text).filter(fits).ok_or_else(|| expected.clone())
    };
    section.text(key, &expected, read).unwrap_or(usual)
}
