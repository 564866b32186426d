//! The decisions and their words. No tokio, no IO, no clock: `now` is always an argument.
//!
//! [`host`] judges one host, [`desk`] looks at the fleet, [`engine`] runs both. [`rules`] turn readings into judgements
//! where the readings are, in the host's slot; [`trend`] keeps a short past of some; [`settings`] is what agents are told. [`record`] is what must be durable
//! before anybody hears of it, [`snapshot`] what the edges may read.

pub mod desk;
pub mod engine;
pub mod event;
pub mod host;
pub mod ids;
pub mod labels;
pub mod record;
pub mod rules;
pub mod settings;
pub mod snapshot;
pub mod time;
pub mod trend;
pub mod watch;
