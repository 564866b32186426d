//! "Not a problem": what can be chosen for an incident, what a choice would have meant, and saving it; for views and API
//! alike.

mod offer;
mod past;

use std::sync::Arc;

use super::{
    Web,
    access::Caller,
    api::{
        holds::{checked_reason, one_line},
        rules::{NewOverride, checked, put},
    },
    problem::{Problem, settled},
};
use crate::{
    domain::{
        calendar::{Recurring, Span},
        dismissal::{Asked, AskedChoice, Choice, LONGEST_NEVER_MS, past::Tally},
        event::{Answer, Command},
        hold::{Hold, Kind, Scope, When, what_of},
        ids::{DismissalNo, HoldNo, IncidentNo},
        snapshot::IncidentView,
        time::Timestamp,
    },
    store::overrides::OverrideRow,
};

pub(super) use self::offer::OfferedLimit;

/// What somebody wishes.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) choice: Wished,
    /// A label of the host, for all hosts that have it; else only this host.
    pub(super) label: Option<(String, String)>,
    pub(super) reason: String,
}

/// Which choice, with what it needs.
#[derive(Debug, Clone)]
pub(super) enum Wished {
    /// These limits, or no worse than info.
    Threshold { limits: Vec<(String, String)>, severity: Option<String> },
    /// It is expected then.
    Expected(Recurring),
    /// Nobody is paged for it until then, somebody answers for that.
    Never { owner: String, until: Timestamp },
    /// Nothing was wrong.
    FalseAlarm,
}

/// A wish looked at: what would be saved, and what it would have meant.
#[derive(Debug)]
pub(super) struct Plan {
    incident: IncidentNo,
    choice: AskedChoice,
    reason: String,
    /// What it does, in words.
    pub(super) does: String,
    /// What else is to be known before it is saved.
    pub(super) notes: Vec<String>,
    /// What it would have spared and missed.
    pub(super) tally: Tally,
}

impl Plan {
    /// The choice's word.
    pub(super) fn word(&self) -> &'static str {
        self.choice.made(HoldNo(0)).word()
    }

    /// What it would have meant, in words.
    pub(super) fn says(&self) -> String {
        match self.choice {
            AskedChoice::FalseAlarm => format!("it marks this incident alone: its {}", paged(&self.tally)),
            _ => self.tally.words(),
        }
    }
}

fn paged(tally: &Tally) -> String {
    match tally.pages {
        0 => "record counts as a false alarm, nobody was paged".into(),
        1 => "page counts as a false one".into(),
        n => format!("{n} pages count as false ones"),
    }
}

impl Web {
    /// Looks at a wish; nothing is saved.
    pub(super) async fn plan(&self, view: &Arc<IncidentView>, wish: Wish) -> Result<Plan, Problem> {
        checked_reason(&wish.reason)?;
        let (incident, reason) = (view.row.no, wish.reason.trim().to_owned());
        let mut notes = Vec::new();
        let (choice, does, tally) = match &wish.choice {
            Wished::Threshold { limits, severity } => {
                let overrides = self.context.store.overrides().await?;
                let asked = self.override_for(view, &wish, limits, severity.as_deref(), &overrides)?;
                let line = checked(self, &asked, &overrides)?;
                let judged = self.judged_with(view, &asked, &line, overrides)?;
                notes.extend(judged.notes(&asked.limits));
                let tally = self.tally_of_limits(view, &judged).await?;
                let does = format!("override {} for rules: {}", asked.name, said_of(&line));
                (AskedChoice::Threshold { name: asked.name, line }, does, tally)
            }
            Wished::Expected(recurring) => {
                let when = When::Recurring(recurring.clone());
                let hold = self.hold(view, &wish, Kind::Maintenance, when, reason.clone())?;
                let tally = self.tally_under(view, &hold).await?;
                let does = format!("maintenance window {} ({})", hold.when.words(), hold.scope.words());
                notes.push("it counts as planned work: service levels leave it out".into());
                (AskedChoice::Expected(Box::new(hold)), does, tally)
            }
            Wished::Never { owner, until } => {
                let owner = self.checked_owner(owner, *until)?;
                let when = When::Once(Span { from: self.now(), until: *until });
                let said = format!("never page for this, {owner} answers for it: {reason}");
                let hold = self.hold(view, &wish, Kind::Silence, when, said)?;
                let tally = self.tally_under(view, &hold).await?;
                let does = format!("silence until {until} ({}), {owner} answers for it", hold.scope.words());
                notes.push("it stays visible, and pages if it is still there at the end of that".into());
                (AskedChoice::Never { hold: Box::new(hold), owner }, does, tally)
            }
            Wished::FalseAlarm => {
                let does = format!("incident #{incident} is closed, its time counts as one in which nothing was wrong");
                (AskedChoice::FalseAlarm, does, self.tally_of_one(view).await?)
            }
        };
        Ok(Plan { incident, choice, reason, does, notes, tally })
    }

    /// Saves what was looked at; answers with its number.
    pub(super) async fn dismiss(&self, caller: &Caller, plan: Plan) -> Result<i64, Problem> {
        let Plan { incident, choice, reason, tally, .. } = plan;
        if let AskedChoice::Threshold { name, line } = &choice {
            put(self, caller, "rule.override", name.clone(), line.clone()).await?;
        }
        let asked = Asked { incident, choice, reason, tally };
        let answer =
            self.context.mailbox.command(caller.principal(), Command::Dismiss(Box::new(asked.clone()))).await?;
        if let (Answer::NotFound(_) | Answer::Refused(_), AskedChoice::Threshold { name, .. }) =
            (&answer, &asked.choice)
        {
            put(self, caller, "rule.override.remove", name.clone(), String::new()).await?;
        }
        let number = if let Answer::Made(number) = answer { number } else { 0 };
        settled(answer)?;
        Ok(number)
    }

    /// Takes back what was said; what was made with it ends.
    pub(super) async fn take_back(
        &self,
        caller: &Caller,
        incident: IncidentNo,
        number: DismissalNo,
    ) -> Result<(), Problem> {
        let known = self.snapshot().dismissals.iter().find(|known| known.no == number).cloned();
        let command = Command::TakeBack { incident, dismissal: number };
        settled(self.context.mailbox.command(caller.principal(), command).await?)?;
        if let Some(Choice::Threshold { name, line }) = known.map(|known| known.choice) {
            // One that somebody has changed since is theirs.
            let present = self.context.store.overrides().await?;
            if present.iter().any(|row| row.name == name && row.line == line) {
                put(self, caller, "rule.override.remove", name, String::new()).await?;
            }
        }
        Ok(())
    }

    fn override_for(
        &self,
        view: &IncidentView,
        wish: &Wish,
        limits: &[(String, String)],
        severity: Option<&str>,
        present: &[OverrideRow],
    ) -> Result<NewOverride, Problem> {
        let (rule, part) = offer::finding_of(&view.row)?;
        if limits.is_empty() && severity.is_none() {
            let keys: Vec<&str> = rule.limits.iter().map(|limit| limit.key).collect();
            let expected = format!("at least one limit ({}), or severity info", keys.join(", "));
            return Err(Problem::invalid("limits", "nothing", &expected));
        }
        let base = format!("incident-{}", view.row.no);
        let is_free = |name: &String| present.iter().all(|row| row.name != *name);
        let mut names = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
        let (host, label) = self.whom(view, wish)?;
        Ok(NewOverride {
            name: names.find(is_free).unwrap_or(base),
            rule: rule.name.to_owned(),
            host,
            label: label.map(|(name, value)| format!("{name}={value}")),
            part: rule.part.map(|_| part.to_owned()),
            severity: severity.map(str::to_owned),
            limits: limits.iter().cloned().collect(),
            ..NewOverride::default()
        })
    }

    /// Its host, or the label that stands for several.
    #[expect(clippy::type_complexity, reason = "either of two, each as it is written")]
    fn whom(&self, view: &IncidentView, wish: &Wish) -> Result<(Option<String>, Option<(String, String)>), Problem> {
        let snapshot = self.snapshot();
        let host = view.row.host.and_then(|no| snapshot.hosts.get(&no));
        let Some(label) = &wish.label else { return Ok((host.map(|host| host.profile.name.clone()), None)) };
        let known = host.map(|host| crate::domain::hold::confirmed_labels(&host.profile)).unwrap_or_default();
        if known.contains(label) {
            return Ok((None, Some(label.clone())));
        }
        let shown: Vec<String> = known.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = if shown.is_empty() {
            "nothing: nobody but the host itself says a label of it".to_owned()
        } else {
            format!("a label of its host that somebody else says: {}", shown.join(", "))
        };
        Err(Problem::invalid("label", &format!("{}={}", label.0, label.1), &expected))
    }

    fn hold(&self, view: &IncidentView, wish: &Wish, kind: Kind, when: When, reason: String) -> Result<Hold, Problem> {
        if let Some(why) = offer::no_hold_for(&view.row) {
            return Err(Problem::invalid("choice", "this incident", &why));
        }
        let (host, label) = self.whom(view, wish)?;
        let scope = Scope {
            hosts: host.into_iter().collect(),
            labels: label.into_iter().collect(),
            what: Some(what_of(&view.row.key)),
            ..Scope::default()
        };
        let (no, version, made) = (HoldNo(0), 0, self.now());
        let (by, change) = (String::new(), String::new());
        Ok(Hold { no, version, kind, scope, when, reason, change, by, made, ended: None, outcome: None, own: None })
    }

    fn checked_owner(&self, owner: &str, until: Timestamp) -> Result<String, Problem> {
        one_line("owner", owner)?;
        if owner.trim().is_empty() {
            return Err(Problem::invalid("owner", "", "who answers for it when it hides real trouble"));
        }
        let ahead_ms = until.since_ms(self.now());
        if !(1..=LONGEST_NEVER_MS).contains(&ahead_ms) {
            let expected = "a time to come within 366 days: a forgotten one hides real trouble";
            return Err(Problem::invalid("until", &until.to_string(), expected));
        }
        Ok(owner.trim().to_owned())
    }
}

/// `name = { said }` without its name.
fn said_of(line: &str) -> &str {
    line.split_once('=').map_or(line, |(_, said)| said.trim())
}
