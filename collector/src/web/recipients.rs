//! Mail addresses of people: shown to those who may deliver a report, and to nobody who may only look.

use super::access::Caller;
use crate::{
    domain::sla::delivery::{Destination, Way},
    store::people::Role,
};

/// What stands for an address.
const SOMEBODY: &str = "a mail address";

/// Whether whoever asks may see them.
pub(super) fn are_shown_to(caller: &Caller) -> bool {
    caller.role >= Role::Operator
}

/// Where a report goes: a path, or an address where it is shown.
pub(super) fn place(destination: &Destination, shown: bool) -> &str {
    if shown || destination.way == Way::Directory { &destination.to } else { SOMEBODY }
}

/// The text, without these addresses where they are not shown: as they are written, and bare as mail servers repeat them.
pub(super) fn without<'a>(text: &str, places: impl IntoIterator<Item = &'a Destination>, shown: bool) -> String {
    let mails = places.into_iter().filter(|place| !shown && place.way == Way::Mail);
    mails.fold(text.to_owned(), |text, place| {
        let bare = place.to.rsplit_once('<').map_or(&*place.to, |(_, rest)| rest.trim_end_matches('>'));
        text.replace(&place.to, SOMEBODY).replace(bare, SOMEBODY)
    })
}
