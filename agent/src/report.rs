//! (stub; replaced at merge)
use crate::clock::Moment;
use crate::gather::Gathered;
use crate::host::Host;
use muster_proto::v1;
fn clock(at: Moment) -> Option<v1::Clock> {
    Some(v1::Clock { wall_ms: at.wall_ms, boottime_ms: at.boottime_ms })
}
/// Encodes one stream.
#[derive(Debug, Default)]
pub struct StreamEncoder {
    sent: bool,
}
impl StreamEncoder {
    /// New.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Encodes.
    pub fn encode(&mut self, gathered: &Gathered) -> Vec<v1::agent_message::Body> {
        let full = !std::mem::replace(&mut self.sent, true);
        vec![v1::agent_message::Body::Readings(v1::Readings { clock: clock(gathered.at), full, ..Default::default() })]
    }
}
/// Facts.
#[must_use]
pub fn host_facts(_host: &Host, _labels: &[(String, String)]) -> v1::HostFacts {
    v1::HostFacts::default()
}
/// Fingerprint.
#[must_use]
pub fn fingerprint(_host: &Host) -> v1::Fingerprint {
    v1::Fingerprint { machine_id: vec![1; 16], ..Default::default() }
}
/// A gap.
#[must_use]
pub fn gap_record(what: &str, from: Moment, to: Moment, lost: u64, reason: &str) -> v1::record::Body {
    v1::record::Body::Gap(v1::Gap { what: what.into(), from: clock(from), to: clock(to), lost, reason: reason.into() })
}
/// A clock step.
#[must_use]
pub fn clock_step_record(before: Moment, after: Moment) -> v1::record::Body {
    v1::record::Body::ClockStep(v1::ClockStep { before: clock(before), after: clock(after) })
}
/// A minute.
#[derive(Debug, Default)]
pub struct RollupMinute {
    span: Option<(Moment, Moment)>,
}
impl RollupMinute {
    /// New.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Folds.
    pub fn fold(&mut self, gathered: &Gathered) {
        let from = self.span.map_or(gathered.at, |span| span.0);
        self.span = Some((from, gathered.at));
    }
    /// Finishes.
    pub fn finish(&mut self) -> Option<Minute> {
        self.span.take().map(|(from, to)| Minute { from, to })
    }
}
/// A finished minute.
#[derive(Debug)]
pub struct Minute {
    from: Moment,
    to: Moment,
}
/// A minute's record.
#[must_use]
pub fn rollup_record(minute: &Minute) -> v1::record::Body {
    v1::record::Body::Rollup(v1::Rollup { from: clock(minute.from), to: clock(minute.to), series: vec![] })
}
