//! Hosts that were not seen for long: machines that were sold, stolen or forgotten. Worth knowing, and nobody is called.

use super::{field, first_of};
use crate::domain::{
    finding::{FindingRow, Judgement, Verdict},
    host::State,
    labels::Admission,
    severity::Severity,
    snapshot::HostView,
    time::Timestamp,
};

/// The finding's rule.
pub const RULE: &str = "lifecycle_not_seen";
/// Its part: the host as a whole.
const PART: &str = "host";
/// What is said anew when it is over, in days; the longest first.
const DAYS: [i64; 3] = [90, 60, 30];
const DAY_MS: i64 = 86_400_000;
/// Sections that say who used a host last and whether its disks are encrypted.
pub const SECTIONS: &[&str] = &["system", "users", "sessions", "logins", "volumes", "encryption"];
/// Users that are named.
const NAMED: usize = 2;

/// What was known last of a host that is not seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Last {
    users: Vec<(String, String)>,
    encrypted: Vec<(String, bool)>,
}

impl Last {
    /// A row of one of [`SECTIONS`].
    pub fn hear(&mut self, section: &str, durable: &[(String, String)], latest: &[(String, String)]) {
        let all: Vec<(String, String)> = durable.iter().chain(latest).cloned().collect();
        if section == "users" {
            let seen = first_of(&all, &["last_login", "last_login_at", "last_seen"]);
            self.users.extend(seen.zip(field(&all, "name")).map(|(seen, name)| (seen.to_owned(), name.to_owned())));
            return;
        }
        let user = first_of(&all, &["last_user", "user"]).filter(|_| section != "volumes");
        self.users.extend(user.map(|user| (String::from("~"), user.to_owned())));
        let name = first_of(&all, &["mount_point", "mounted_on", "name", "device"]).unwrap_or(section);
        let encrypted = field(&all, "encrypted").map(|value| matches!(value, "yes" | "true" | "1"));
        self.encrypted.extend(encrypted.map(|yes| (name.to_owned(), yes)));
    }

    fn words(&self) -> String {
        let mut users = self.users.clone();
        // The latest first.
        users.sort_by(|a, b| b.cmp(a));
        users.dedup_by(|a, b| a.1 == b.1);
        let named: Vec<&str> = users.iter().take(NAMED).map(|(_, name)| name.as_str()).collect();
        let by = if named.is_empty() { String::new() } else { format!("; last used by {}", named.join(", ")) };
        let plain: Vec<&str> = self.encrypted.iter().filter(|(_, yes)| !yes).map(|(name, _)| name.as_str()).collect();
        let disks = match (self.encrypted.is_empty(), plain.is_empty()) {
            (true, _) => "; whether its disks are encrypted is not known".to_owned(),
            (false, true) => "; its disks were encrypted".to_owned(),
            (false, false) => format!("; not encrypted: {}", plain[..plain.len().min(3)].join(", ")),
        };
        format!("{by}{disks}")
    }
}

fn open(view: &HostView) -> Option<&FindingRow> {
    view.findings.iter().find(|finding| finding.rule == RULE)
}

fn is_seen(view: &HostView) -> bool {
    matches!(view.state, State::Up | State::Suspect)
}

/// When a host was seen last, if that was thirty days ago or longer and nobody said that it is gone.
#[must_use]
pub fn since(view: &HostView, now: Timestamp) -> Option<Timestamp> {
    let counts = view.profile.admission == Admission::Active && view.device.is_none() && !is_seen(view);
    let unseen = counts && view.proof != Timestamp::default() && now.since_ms(view.proof) >= DAYS[2] * DAY_MS;
    unseen.then_some(view.proof)
}

/// What is said when a host that was not seen for long is seen again.
#[must_use]
pub fn back(view: &HostView) -> Option<Judgement> {
    open(view).filter(|_| is_seen(view))?;
    let verdict = Verdict::Cleared { evidence: "it is seen again".into() };
    Some(Judgement { part: PART.into(), rule: RULE, verdict, cause: None })
}

/// What is said of a host that was not seen since then; none: it is said already.
#[must_use]
pub fn judgement(view: &HostView, since: Timestamp, now: Timestamp, last: &Last) -> Option<Judgement> {
    let days = DAYS.into_iter().find(|days| now.since_ms(since) >= days * DAY_MS)?;
    let at = view.peer.map_or_else(String::new, |peer| format!(" at {peer}"));
    let class = view.profile.class.word();
    let evidence = format!("{class} not seen for {days} days: last on {since}{at}{}", last.words());
    if open(view).is_some_and(|finding| finding.evidence == evidence) {
        return None;
    }
    let verdict = Verdict::Holds { severity: Severity::Info, evidence };
    Some(Judgement { part: PART.into(), rule: RULE, verdict, cause: None })
}
