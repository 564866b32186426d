//! The agent: reports what a machine is and how it does. It reports facts and decides nothing.
//!
//! Reading order: [`host`] is the only way to the machine, [`platform`] what systems do each in their own way; [`probe`] turns what it says into readings; [`schedule`]
//! says what is due; [`gather`] reads on a thread of its own, so that nothing stuck delays a report; [`collecting`] says
//! when; [`check`] says what a service check is, [`checker`] runs them; [`evidence`] looks at what is dear, when asked; [`hardware`] at drives,
//! arrays, memory and the kernel's log, seldom; [`inventory`] says what the machine is made of, in a process of its own;
//! [`report`] is the only file that knows what is inside the wire's messages; [`exposition`] writes the same as a page of metrics, which [`once`] prints and [`exporter`] serves; [`spool`] and [`alive`] keep what nobody has heard yet;
//! [`state`] is the directory they live in; [`inspection`] says what is wrong with a text of settings; [`identity`] holds the key; [`dial`] opens a connection; [`uplink`] is the
//! stream; [`show`] prints all that it would say, [`withheld`] keeps back of it what shall not be said; [`maintenance`] asks for a window
//! beside it; [`service`] installs and removes the agent;
//! [`helper`] is asked, in a process of its own, for what takes rights that the agent lacks; [`app`] wires them.
//!
//! Nothing here judges a reading, and nothing but `host` opens a file of the machine.

pub mod alive;
pub mod app;
pub mod check;
pub mod checker;
pub mod clock;
pub mod collecting;
pub mod config;
pub mod dial;
pub mod doctor;
pub mod evidence;
pub mod exporter;
pub mod exposition;
pub mod gather;
pub mod hardware;
#[cfg_attr(not(target_os = "linux"), path = "helper/absent.rs")]
pub mod helper;
pub mod host;
pub mod identity;
pub mod inspection;
pub mod inventory;
pub mod maintenance;
pub mod once;
pub mod platform;
pub mod probe;
pub mod report;
pub mod schedule;
pub mod service;
pub mod show;
pub mod spool;
pub mod state;
pub mod telemetry;
pub mod uplink;
pub mod withheld;
