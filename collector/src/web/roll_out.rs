//! How a roll-out goes: who is invited, who came, who waits, who was never heard and who was refused, for view and API.

use std::{collections::HashMap, sync::Arc};

use super::{Web, problem::Problem};
use crate::{
    domain::{host::State, labels::Admission, snapshot::HostView, time::Timestamp},
    identity::{Refusal, TokenRow},
    store::AuditOf,
};

/// Lines of the audit log that are looked at: enrolments, and new installations of hosts, the newest first.
const LINES: usize = 20_000;
/// How the audit log calls them.
const ENROLLED: [&str; 2] = ["host.enrol", "host.replace"];

/// A token that still works.
pub(super) struct Invited {
    pub(super) token: TokenRow,
    /// How many came with it.
    pub(super) enrolled: usize,
}

/// A machine that came, and when.
pub(super) struct Came {
    pub(super) host: Arc<HostView>,
    pub(super) at: Option<Timestamp>,
}

pub(super) struct RollOut {
    pub(super) invited: Vec<Invited>,
    /// A person has to let them in.
    pub(super) waiting: Vec<Came>,
    /// Enrolled, and not one message since.
    pub(super) unheard: Vec<Came>,
    /// Since the collector was started, the newest first.
    pub(super) refused: Vec<Refusal>,
}

impl Web {
    pub(super) async fn roll_out(&self) -> Result<RollOut, Problem> {
        let (mut by_token, mut when): (HashMap<String, usize>, HashMap<String, Timestamp>) = Default::default();
        for action in ENROLLED {
            let of = AuditOf { action: Some(action.to_owned()), ..AuditOf::default() };
            for line in self.context.store.audit_of(of, LINES).await? {
                if let Some(token) = line.who.strip_prefix("token ") {
                    *by_token.entry(token.to_owned()).or_default() += 1;
                }
                let at = when.entry(line.subject).or_insert(line.at);
                *at = line.at.max(*at);
            }
        }
        let tokens = self.context.identity.tokens(self.now()).await?;
        let invited =
            tokens.into_iter().map(|token| Invited { enrolled: by_token.get(&token.id).copied().unwrap_or(0), token });
        let snapshot = self.snapshot();
        let came = |fits: fn(&HostView) -> bool| {
            let hosts = snapshot.hosts.values().filter(|host| host.device.is_none() && fits(host));
            let mut came: Vec<Came> =
                hosts.map(|host| Came { at: when.get(&host.profile.name).copied(), host: Arc::clone(host) }).collect();
            came.sort_by_key(|one| std::cmp::Reverse(one.at));
            came
        };
        Ok(RollOut {
            invited: invited.collect(),
            waiting: came(|host| host.profile.admission == Admission::Waiting),
            unheard: came(|host| {
                let never = host.state == State::Unknown && host.peer.is_none() && host.session.is_none();
                never && host.profile.admission == Admission::Active
            }),
            refused: self.context.identity.refusals(),
        })
    }
}
