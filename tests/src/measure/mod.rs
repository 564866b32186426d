//! What the measuring programs share: a recorded machine, a fleet that replays it, meters, and a table.
//!
//! Reading order: [`recording`] is what this machine said for two minutes; [`machine`] is one simulated host that says
//! it again as its own; [`fleet`] runs many of them through the agent's real uplink; [`ground`] is what they stand on;
//! [`meter`] reads what processes cost; [`collectd`] is another agent to compare with; [`floor`] is what no agent can cost
//! less than; [`alerts`] raises incidents; [`sink`] stamps pages, [`toll`] takes few of them; [`figures`] prints.
//! [`signals`] are readings over months; [`proof`] reads the patches of `tests/proofs`, [`random`] are dice that a seed repeats.

pub mod alerts;
pub mod collectd;
pub mod figures;
pub mod fleet;
pub mod floor;
pub mod ground;
pub mod kept;
pub mod machine;
pub mod meter;
pub mod proof;
pub mod random;
pub mod recording;
pub mod signals;
pub mod sink;
pub mod toll;
