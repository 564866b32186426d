//! How a refusal is said on the wire: the code tells the agent whether to try again, the message names the remedy.
//!
//! `UNAVAILABLE` = later; `RESOURCE_EXHAUSTED` = less; everything else = not without a person's help.

use tonic::{Code, Status, metadata::MetadataValue};

use super::decode::DecodeError;
use crate::{domain::labels::Admission, identity::Denied};

/// The counter's word and the answer for somebody who is not let in.
pub(crate) fn denied(denied: &Denied) -> (&'static str, Status) {
    let (word, code) = match denied {
        Denied::UnknownToken => ("unknown_token", Code::PermissionDenied),
        Denied::ExpiredToken(_) => ("expired_token", Code::PermissionDenied),
        Denied::UsedToken => ("used_token", Code::PermissionDenied),
        Denied::OtherPlace(..) => ("other_place", Code::PermissionDenied),
        Denied::BadRequest(_) => ("bad_request", Code::InvalidArgument),
        Denied::UnknownCertificate => ("unknown_certificate", Code::Unauthenticated),
        Denied::Lapsed(_) => ("lapsed_certificate", Code::PermissionDenied),
        Denied::LateTooOften(_) => ("late_too_often", Code::PermissionDenied),
        // It is let in any minute, and asks as often as one that finds nobody.
        Denied::NotAdmitted { admission: Admission::Waiting, .. } => ("waiting", Code::Unavailable),
        Denied::NotAdmitted { .. } => ("not_admitted", Code::PermissionDenied),
        Denied::Clone(_) => ("clone", Code::PermissionDenied),
        Denied::Store(_) => ("store", Code::Unavailable),
    };
    (word, Status::new(code, denied.to_string()))
}

/// The answer to a message that cannot be read.
pub(crate) fn unreadable(error: &DecodeError) -> Status {
    let code = match error {
        DecodeError::TooLong { .. } => Code::ResourceExhausted,
        DecodeError::Empty | DecodeError::Malformed(_) => Code::InvalidArgument,
    };
    Status::new(code, error.to_string())
}

/// A refusal that names when to try again, also as gRPC's own push-back (gRFC A6).
pub(crate) fn later(code: Code, message: String, wait_ms: i64) -> Status {
    let mut status = Status::new(code, message);
    status.metadata_mut().insert("grpc-retry-pushback-ms", MetadataValue::from(wait_ms));
    status
}

/// Whether tonic refused a message for its size, before or after decompression.
pub(crate) fn is_size(status: &Status) -> bool {
    matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted)
}
