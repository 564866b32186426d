//! (stub; replaced at merge)
use crate::host::Host;
/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Prometheus,
    /// JSON.
    Json,
}
/// One collection.
pub async fn once(_host: Host, _format: Format) -> String {
    String::new()
}
