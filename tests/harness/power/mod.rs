//! Power cuts: what a program really asks of the kernel is recorded, and the disk that a cut could leave is rebuilt from it.
//!
//! Reading order: [`trace`] reads what `strace` wrote; [`disk`] says which of it is durable when, and what else a cut may leave
//! ([`image`] is a directory as values); [`cut`] chooses the instants; [`promise`] is what the program told the outside until
//! then; [`scene`] is a collector at work, recorded; [`check`] starts it on what a cut left and looks whether it kept its word
//! ([`look`] reads its store). [`agent`] is both for an agent whose collector goes on.

pub mod agent;
pub mod check;
pub mod cut;
pub mod disk;
pub mod image;
pub mod look;
pub mod promise;
pub mod scene;
pub mod trace;
