//! Windows that a machine begins for itself, such as a script that updates it: over that very host, and in any 24 hours
//! no longer than the administrator allows. Whoever has taken a machine over can hide it for so long and no longer, and
//! the list of windows and the audit log show it.

use super::{Hold, Kind, Scope, When};
use crate::domain::{
    calendar::Span,
    ids::{HoldNo, HostNo},
    time::Timestamp,
};

/// What a machine may take is counted over so long, in milliseconds.
pub const WITHIN_MS: i64 = 24 * 3_600_000;
/// What it may take where nobody says otherwise, in milliseconds: 4 h.
pub const USUAL_MS: i64 = 4 * 3_600_000;

/// What a machine asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWindow {
    /// Which host asks; the window is over it.
    pub host: HostNo,
    /// For how long, in milliseconds.
    pub lasts_ms: i64,
    /// Why.
    pub reason: String,
    /// The change it belongs to; empty: none.
    pub change: String,
    /// How long its windows may be together within 24 hours, in milliseconds; 0: there are none.
    pub most_ms: i64,
}

impl OwnWindow {
    /// Why it cannot be, with the remedy, where the host has had so many milliseconds within 24 hours.
    #[must_use]
    pub fn refusal(&self, name: &str, used_ms: i64) -> Option<String> {
        let remedy =
            format!("an operator can: muster-collector maintenance add --now --for TIME --host {name} --reason WHY");
        if self.most_ms <= 0 {
            return Some(format!(
                "machines may not begin maintenance here ([agents] own_maintenance = \"off\"); {remedy}"
            ));
        }
        if self.lasts_ms <= 0 {
            return Some("maintenance lasts at least a moment: --for 2h".into());
        }
        // What names many hosts would be a window over them.
        if name.contains(['*', '?']) {
            return Some(format!("the name {name:?} stands for several hosts; {remedy}"));
        }
        if self.lasts_ms + used_ms > self.most_ms {
            let (most, used, left) = (minutes(self.most_ms), minutes(used_ms), minutes(self.most_ms - used_ms));
            let within = format!("a machine may take {most} within 24 h ([agents] own_maintenance)");
            let had = if used_ms > 0 { format!(", this one has had {used}: {left} are left") } else { String::new() };
            return Some(format!("{} is too long: {within}{had}; {remedy}", minutes(self.lasts_ms)));
        }
        None
    }

    /// The window itself.
    #[must_use]
    pub fn hold(&self, name: &str, now: Timestamp) -> Hold {
        Hold {
            no: HoldNo(0),
            version: 0,
            kind: Kind::Maintenance,
            scope: Scope { hosts: vec![name.to_owned()], ..Scope::default() },
            when: When::Once(Span { from: now, until: now.plus_ms(self.lasts_ms) }),
            reason: self.reason.clone(),
            change: self.change.clone(),
            by: String::new(),
            made: now,
            ended: None,
            outcome: None,
            own: Some(self.host),
        }
    }
}

/// For how long this host's own windows have lasted within the last 24 hours, in milliseconds.
#[must_use]
pub fn used_ms<'a>(holds: impl Iterator<Item = &'a Hold>, host: HostNo, now: Timestamp) -> i64 {
    let from = now.plus_ms(-WITHIN_MS);
    let lasted = holds.filter(|hold| hold.own == Some(host)).map(|hold| {
        let When::Once(span) = hold.when else { return 0 };
        let ended = hold.ended.as_ref().map_or(span.until, |(at, _)| span.until.min(*at));
        ended.min(now).since_ms(span.from.max(from)).max(0)
    });
    lasted.sum()
}

/// `4 h`, `1 h 30 min`, `20 min`; what is begun counts.
fn minutes(ms: i64) -> String {
    let minutes = (ms + 59_999) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn asked(lasts_ms: i64) -> OwnWindow {
        let (reason, change) = ("updates".to_owned(), String::new());
        OwnWindow { host: HostNo(7), lasts_ms, reason, change, most_ms: USUAL_MS }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(100 * HOUR + ms)
    }

    #[test]
    fn a_machine_may_take_the_cap_to_the_millisecond_and_no_more_of_any_day() {
        assert_eq!(asked(4 * HOUR).refusal("web-7", 0), None);
        let said = asked(4 * HOUR + 1).refusal("web-7", 0).unwrap();
        assert!(said.starts_with("4 h 1 min is too long: a machine may take 4 h within 24 h"), "{said}");
        assert!(
            said.ends_with("muster-collector maintenance add --now --for TIME --host web-7 --reason WHY"),
            "{said}"
        );
        assert_eq!(asked(HOUR).refusal("web-7", 3 * HOUR), None);
        let said = asked(HOUR + 1).refusal("web-7", 3 * HOUR).unwrap();
        assert!(said.contains("this one has had 3 h: 1 h are left"), "{said}");
        assert!(asked(0).refusal("web-7", 0).is_some());
        let off = OwnWindow { most_ms: 0, ..asked(1) };
        assert!(off.refusal("web-7", 0).unwrap().contains("own_maintenance = \"off\""));
    }

    #[test]
    fn a_name_that_stands_for_many_hosts_is_no_host_of_its_own() {
        for name in ["*", "web-?", "w*"] {
            assert!(asked(1).refusal(name, 0).unwrap().contains("several hosts"), "{name}");
        }
    }

    #[test]
    fn what_counts_is_what_has_lasted_within_the_last_24_hours() {
        let ended = |ms| Some((at(ms), "ann".to_owned()));
        let of = |host, from: i64, until: i64, ended| Hold {
            when: When::Once(Span { from: at(from), until: at(until) }),
            ended,
            own: Some(HostNo(host)),
            ..asked(1).hold("web-7", at(0))
        };
        let holds = [
            of(7, -30 * HOUR, -23 * HOUR, None),                 // 1 h of it
            of(7, -5 * HOUR, -HOUR, ended(-4 * HOUR)),           // 1 h until it was ended
            of(7, -HOUR / 2, 3 * HOUR, None),                    // half an hour so far
            of(8, -3 * HOUR, -HOUR, None),                       // another's
            Hold { own: None, ..of(7, -3 * HOUR, -HOUR, None) }, // an operator's
        ];
        assert_eq!(used_ms(holds.iter(), HostNo(7), at(0)), 2 * HOUR + HOUR / 2);
        assert_eq!(used_ms(holds.iter(), HostNo(9), at(0)), 0);
    }
}
