//! A session for the farewell alone: said by one that does not run any more.

use std::error::Error as _;

use super::Uplink;

impl Uplink {
    /// Tries each known address once and says goodbye with `why` to the first that listens.
    ///
    /// # Errors
    /// In words: why nobody heard it.
    pub async fn farewell(mut self, why: u32) -> Result<(), String> {
        let mut last = "no collector address is known".to_owned();
        for _ in 0..self.parts.addresses.len().max(self.identity.addresses.len()) {
            self.begin_opening();
            let Some(opening) = self.opening.take() else { continue };
            match opening.await {
                Ok(opened) => {
                    self.opened(opened);
                    return if self.leave(why).await { Ok(()) } else { Err("it did not answer".to_owned()) };
                }
                Err(error) => {
                    last = error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
                }
            }
        }
        Err(last)
    }
}
