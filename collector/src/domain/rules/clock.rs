//! The host's clock is off.

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
    single::Single,
};

/// `clock_off`
pub(super) static OFF: Rule = Rule {
    name: "clock_off",
    says: "The host's clock differs from the collector's, or from its own time source.",
    part: None,
    limits: &[
        Limit::new("warning", "difference from the collector's clock", Unit::Time, (0.1, 86_400.0), 2.0),
        Limit::new("critical", "difference that is critical", Unit::Time, (0.1, 86_400.0), f64::NAN),
        Limit::new("hysteresis", "less than the limit that ends it", Unit::Time, (0.0, 60.0), 0.5),
        Limit::new("source", "offset from its own time source that warns", Unit::Time, (0.001, 60.0), 0.05),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 300.0),
    ],
    source: "node-mixin: 50 ms off its time source for 10 min; the way to the collector adds to the difference, hence 2 s \
             in every report of five minutes. Kerberos refuses at 300 s. That nothing disciplines a clock (sync_status 0) \
             is told only once it is off: virtual machines follow their host's",
    remedy: "timedatectl; chronyc tracking; is the time server reached?",
    evidence: None,
};

const WARNING: usize = 0;
const CRITICAL: usize = 1;
const HYSTERESIS: usize = 2;
const OFFSET: usize = 3;
const FOR: usize = 4;

/// Judges.
pub(super) fn judge(judging: &mut Judging<'_>) {
    let applies = judging.applies(&OFF);
    let limits = &applies.limits;
    let previous = judging.crossed(&OFF, "clock");
    #[expect(clippy::cast_precision_loss, reason = "milliseconds between clocks, shown with one digit")]
    let ahead_s = judging.inputs.clock_ahead_ms as f64 / 1_000.0;
    let disciplined = judging.inputs.single(Single::ClockSynchronised) == 1.0;
    let offset_s = judging.inputs.single(Single::ClockOffset);
    let measured = level(Bad::Above, ahead_s.abs(), (limits[WARNING], limits[CRITICAL]), limits[HYSTERESIS], previous);
    let told = level(Bad::Above, offset_s.abs(), (limits[OFFSET], f64::NAN), limits[OFFSET] / 2.0, previous)
        .filter(|_| disciplined);
    let evidence = || {
        let direction = if ahead_s < 0.0 { "behind" } else { "ahead of" };
        let source = if disciplined {
            format!("{:.0} ms off its time source", offset_s * 1_000.0)
        } else {
            "no time source disciplines it".into()
        };
        format!("clock: {:.1} s {direction} the collector's, {source}", ahead_s.abs())
    };
    judging.settle(&OFF, "clock", measured.max(told), (&applies, limits[FOR]), evidence);
}
