//! iCalendar (RFC 5545), as far as turns and absences need it: what is written for calendars, and what is read from them.

mod read;
mod write;

pub use self::{
    read::{Entry, Trouble, entries},
    write::{Event, calendar},
};
