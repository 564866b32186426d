//! The tools of service managers.

use super::ServiceError;
use crate::host::{Host, Output};

/// What one says, however it ends.
pub(super) fn ask(host: &Host, tool: &str, words: &[&str], within_ms: u64) -> Result<Output, ServiceError> {
    host.run(tool, words, within_ms).map_err(|error| ServiceError::Tool(error.to_string()))
}

/// Has one do something; where it does not, `look` tells where to read why.
pub(super) fn must(host: &Host, tool: &str, words: &[&str], within_ms: u64, look: &str) -> Result<(), ServiceError> {
    let output = ask(host, tool, words, within_ms)?;
    if output.code == Some(0) {
        return Ok(());
    }
    let code = output.code.map_or("a signal".to_owned(), |code| code.to_string());
    Err(ServiceError::Tool(format!("{tool} {} ended with {code}; see: {look}", words.join(" "))))
}
