//! Maintenance that a machine begins and ends for itself.

use super::{Desk, DeskStep};
use crate::domain::{
    event::{Answer, Principal},
    hold::own::{OwnWindow, used_ms},
    ids::{HoldNo, HostNo},
    time::Timestamp,
};

impl Desk {
    /// A window over the host that asks; the one of its own that lasts ends with it.
    pub(super) fn begin_own(
        &mut self,
        by: &Principal,
        asked: &OwnWindow,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let Some(name) = self.fleet.get(asked.host).map(|member| member.name.clone()) else {
            return Answer::NotFound(format!("host {}", asked.host));
        };
        let used = used_ms(self.holds.iter(), asked.host, now);
        if let Some(why) = asked.refusal(&name, used) {
            return Answer::Refused(why);
        }
        let lasting = self.own_lasting(asked.host, now);
        let made = self.add_hold(by, &asked.hold(&name, now), now, step);
        for no in lasting {
            self.end_hold(by, no, now, step);
        }
        made
    }

    /// What this host began itself ends now; what others began stays.
    pub(super) fn end_own(&mut self, by: &Principal, host: HostNo, now: Timestamp, step: &mut DeskStep) -> Answer {
        let lasting = self.own_lasting(host, now);
        if lasting.is_empty() {
            return Answer::NotFound("maintenance that this machine began itself and that still lasts".into());
        }
        for no in lasting {
            self.end_hold(by, no, now, step);
        }
        Answer::Done
    }

    fn own_lasting(&self, host: HostNo, now: Timestamp) -> Vec<HoldNo> {
        let own = self.holds.iter().filter(|hold| hold.own == Some(host) && hold.at(now).is_some());
        own.map(|hold| hold.no).collect()
    }
}
