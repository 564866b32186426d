//! What becomes of a page.

use crate::domain::time::Timestamp;

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Accepted {
        /// Its own id for it, if it gave one.
        provider_id: Option<String>,
    },
    /// It failed and is tried again.
    Retrying {
        /// What went wrong.
        error: String,
        /// Until when the receiver asked to be left alone, if it did.
        not_before: Option<Timestamp>,
    },
    /// It is given up.
    Failed {
        /// What went wrong.
        error: String,
    },
    /// The receiver that took it will say later whether it arrived.
    Awaited,
    /// The receiver, which took it before, tells that it reached the person.
    Delivered {
        /// How it puts that.
        receipt: String,
    },
    /// It was taken and did not arrive.
    Lost {
        /// Why, as far as the receiver knows.
        error: String,
    },
}
