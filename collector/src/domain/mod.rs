//! The decisions and their words. No tokio, no IO, no clock: `now` is always an argument.
//!
//! [`host`] judges one host, [`desk`] looks at the fleet, [`engine`] runs both. [`rules`] turn [`readings`] into judgements
//! where the readings are, in the host's slot, each with its [`severity`], and some want [`evidence`] from the host; what they
//! find wrong is a [`finding`]; [`trend`] keeps a short past of some readings; [`hardware`] is what parts say of themselves, [`inventory`] what a host
//! consists of; [`settings`] is what agents are told. [`changed`] is what changed on
//! a host lately, [`record`] what must be durable before anybody hears of it,
//! [`snapshot`] what the edges may read. What a host is labelled with comes in [`layers`], from its agent, its token,
//! [`label_rule`]s, [`assets`] and people; [`selection`] names hosts by their labels; [`device`] is a host without an
//! agent. [`alert`] is what others say is wrong, [`hold`] when nobody is paged, [`dismissal`] what was no problem, [`oncall`]
//! who is called, [`page`] what people are told, [`proof`] how far a page has come, [`calendar`] what clocks and dates of named zones come to;
//! [`heartbeat`] is what other people's jobs say of themselves, [`watchdog`] what the collector says of itself, [`backup`]
//! when its records are copied, [`retention`] how long they are kept;
//! [`sla`] is what was promised of uptime, and kept.

pub mod alert;
pub mod assets;
pub mod backup;
pub mod calendar;
pub mod changed;
pub mod csv;
pub mod desk;
pub mod device;
pub mod dismissal;
pub mod engine;
pub mod event;
pub mod evidence;
pub mod finding;
pub mod flapping;
pub mod hardware;
pub mod heartbeat;
pub mod hold;
pub mod host;
pub mod ids;
pub mod inventory;
pub mod label_rule;
pub mod labels;
pub mod layers;
pub mod network;
pub mod oncall;
pub mod os_support;
pub mod page;
pub mod priority;
pub mod proof;
pub mod readings;
pub mod record;
pub mod redundancy;
pub mod relabelling;
pub mod reliability;
pub mod retention;
pub mod rules;
pub mod selection;
pub mod settings;
pub mod severity;
pub mod sheet;
pub mod sla;
pub mod snapshot;
pub mod time;
pub mod trend;
pub mod watch;
pub mod watchdog;
