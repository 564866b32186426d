//! (stub; replaced at merge)
use crate::host::Host;
use std::path::Path;
/// A finding.
#[derive(Debug)]
pub struct Finding;
/// Looks.
#[must_use]
pub fn examine(_host: &Host, _state: &Path) -> Vec<Finding> {
    Vec::new()
}
/// Prints.
#[must_use]
pub fn render(_findings: &[Finding]) -> String {
    String::new()
}
