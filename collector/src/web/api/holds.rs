//! Maintenance windows and silences: listed, made (or only looked at beforehand), ended.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, command, list as page_of, time_of};
use crate::{
    domain::{
        calendar::{Recurring, Span, weekday_of},
        event::{Answer, Command},
        hold::{Hold, Kind, LONGEST_SILENCE_MS, LONGEST_WINDOW_MS, Labels, Scope, Subject, When, confirmed_labels},
        ids::HoldNo,
        labels::{Admission, Class, Profile},
        oncall::{during::OnDuty, rotation::Shift},
        snapshot::Snapshot,
        time::Timestamp,
    },
    web::{
        Shared,
        access::Caller,
        problem::{Body, Problem, settled},
    },
};

/// Occurrences that are shown beforehand.
const SHOWN: usize = 10;
/// Shifts that are shown beforehand: a month of rotations that hand over each hour has thousands.
const SHIFTS: usize = 200;
/// Longest reason or change id, in bytes.
const TEXT_BYTES: usize = 1_000;
/// Most patterns, sites or labels of one.
const CONDITIONS: usize = 200;

/// A maintenance window or a silence as asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewHold {
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    sites: Vec<String>,
    class: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    what: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    pub(in crate::web) reason: String,
    #[serde(default)]
    pub(in crate::web) change: String,
    from: Option<String>,
    until: Option<String>,
    for_seconds: Option<i64>,
    every: Option<Every>,
    flexible_seconds: Option<i64>,
    #[serde(default)]
    dry_run: bool,
}

/// When it recurs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Every {
    #[serde(default)]
    pub(in crate::web) days: Vec<String>,
    #[serde(default)]
    pub(in crate::web) month_days: Vec<i8>,
    pub(in crate::web) start: String,
    pub(in crate::web) end: String,
    pub(in crate::web) zone: String,
}

impl NewHold {
    /// One that comes once; why is still to be said.
    pub(in crate::web) fn once(
        hosts: Vec<String>,
        sites: Vec<String>,
        what: Option<String>,
        from: Option<String>,
        for_seconds: i64,
    ) -> Self {
        Self { hosts, sites, what, from, for_seconds: Some(for_seconds), ..Self::default() }
    }

    /// As the engine takes it, or what is wrong.
    pub(in crate::web) fn checked(self, kind: Kind, now: Timestamp) -> Result<Hold, Problem> {
        let scope = self.scope()?;
        one_line("change", &self.change)?;
        checked_reason(&self.reason)?;
        let when = self.when(kind, now)?;
        let (reason, change) = (self.reason, self.change);
        Ok(Hold {
            no: HoldNo(0),
            version: 0,
            kind,
            scope,
            when,
            reason,
            change,
            by: String::new(),
            made: now,
            ended: None,
            outcome: None,
            own: None,
        })
    }

    fn scope(&self) -> Result<Scope, Problem> {
        let class = self.class.as_deref().map(|word| {
            Class::from_word(word).ok_or_else(|| Problem::invalid("class", word, "server, workstation or device"))
        });
        let scope = Scope {
            hosts: self.hosts.clone(),
            sites: self.sites.clone(),
            class: class.transpose()?,
            labels: self.labels.clone().into_iter().collect(),
            what: self.what.clone(),
            all: self.all,
        };
        if scope.is_empty() {
            let expected = "at least one host, site, class, label or what; or all: true for everything";
            return Err(Problem::invalid("hosts", "", expected));
        }
        let long = scope.hosts.len() > CONDITIONS || scope.sites.len() > CONDITIONS || scope.labels.len() > CONDITIONS;
        if long {
            return Err(Problem::invalid("hosts", "too many", "at most 200 of each: use * or a label"));
        }
        Ok(scope)
    }

    fn when(&self, kind: Kind, now: Timestamp) -> Result<When, Problem> {
        if let Some(every) = &self.every {
            if kind == Kind::Silence {
                return Err(Problem::invalid("every", "given", "nothing: only maintenance windows recur"));
            }
            return every.checked().map(When::Recurring);
        }
        let within = self.span(now)?;
        let (most, days) = match kind {
            Kind::Maintenance => (LONGEST_WINDOW_MS, 31),
            Kind::Silence => (LONGEST_SILENCE_MS, 30),
        };
        if within.until.since_ms(within.from) > most {
            let expected = format!("at most {days} days after the beginning: a forgotten one hides real trouble");
            return Err(Problem::invalid("until", &within.until.to_string(), &expected));
        }
        if within.until <= now && kind == Kind::Silence {
            return Err(Problem::invalid("until", &within.until.to_string(), "a time to come"));
        }
        match self.flexible_seconds {
            None => Ok(When::Once(within)),
            Some(seconds) if seconds > 0 && seconds.saturating_mul(1_000) <= most => {
                Ok(When::Flexible { within, lasts_ms: seconds * 1_000, began: None })
            }
            Some(seconds) => {
                Err(Problem::invalid("flexible_seconds", &seconds.to_string(), &format!("1 s to {days} days")))
            }
        }
    }

    fn span(&self, now: Timestamp) -> Result<Span, Problem> {
        let from = self.from.as_deref().map_or(Ok(now), |text| time_of("from", text))?;
        let until = match (&self.until, self.for_seconds) {
            (Some(text), None) => time_of("until", text)?,
            (None, Some(seconds)) if seconds > 0 => from.plus_ms(seconds.saturating_mul(1_000)),
            (None, Some(seconds)) => return Err(Problem::invalid("for_seconds", &seconds.to_string(), "at least 1")),
            (Some(text), Some(_)) => return Err(Problem::invalid("until", text, "either until or for_seconds")),
            (None, None) => return Err(Problem::invalid("until", "", "an end: until, for_seconds or every")),
        };
        if until <= from {
            return Err(Problem::invalid("until", &until.to_string(), "later than its beginning"));
        }
        Ok(Span { from, until })
    }
}

impl Every {
    /// As the engine takes it, or what is wrong.
    pub(in crate::web) fn checked(&self) -> Result<Recurring, Problem> {
        let days = self.days.iter().map(|word| {
            weekday_of(word).ok_or_else(|| Problem::invalid("every.days", word, "mon, tue, wed, thu, fri, sat or sun"))
        });
        let time = |field: &str, text: &str| {
            text.parse().map_err(|_| Problem::invalid(field, text, "a time of the day such as 22:00"))
        };
        let recurring = Recurring {
            weekdays: days.collect::<Result<_, _>>()?,
            month_days: self.month_days.clone(),
            start: time("every.start", &self.start)?,
            end: time("every.end", &self.end)?,
            zone: self.zone.clone(),
        };
        match recurring.trouble() {
            Some(trouble) => Err(Problem::invalid("every", &recurring.words(), &trouble)),
            None => Ok(recurring),
        }
    }
}

/// One line of bounded length.
pub(in crate::web) fn one_line(field: &str, text: &str) -> Result<(), Problem> {
    if text.len() > TEXT_BYTES || text.chars().any(char::is_control) {
        return Err(Problem::invalid(field, text, "one line of at most 1000 bytes"));
    }
    Ok(())
}

/// Why something pages nobody is always said.
pub(in crate::web) fn checked_reason(reason: &str) -> Result<(), Problem> {
    one_line("reason", reason)?;
    if reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "", "why: whoever looks at 3 a.m. wants to know"));
    }
    Ok(())
}

/// Whether one covers a host.
pub(in crate::web) fn covers(hold: &Hold, profile: &Profile) -> bool {
    fits(&hold.scope, profile)
}

/// Whether a scope covers a host.
pub(in crate::web) fn fits(scope: &Scope, profile: &Profile) -> bool {
    let labels = confirmed_labels(profile);
    let site = profile.confirmed_site();
    scope.fits_host(&Subject { name: &profile.name, site, class: Some(profile.class), labels: Labels(&labels) })
}

/// Names of the hosts that one covers.
pub(in crate::web) fn hosts_of(snapshot: &Snapshot, scope: &Scope) -> Vec<String> {
    let alive = snapshot.hosts.values().filter(|host| host.profile.admission != Admission::Retired);
    let mut names: Vec<String> =
        alive.filter(|host| fits(scope, &host.profile)).map(|host| host.profile.name.clone()).collect();
    names.sort();
    names
}

/// Where one stands: `lasting`, `to_come`, `over`.
pub(in crate::web) fn stands(hold: &Hold, now: Timestamp) -> &'static str {
    match hold.at(now) {
        Some(_) => "lasting",
        None if hold.is_over(now) => "over",
        None => "to_come",
    }
}

/// One of them with its present or next occurrence.
pub(in crate::web) fn to_json(hold: &Hold, now: Timestamp) -> Value {
    let span = hold.at(now).or_else(|| hold.following(now).next());
    let once = match &hold.when {
        When::Once(span) => Some(*span),
        _ => None,
    };
    let span = span.or(once);
    json!({
        "number": hold.no, "kind": hold.kind, "state": stands(hold, now), "covers": hold.scope.words(),
        "when": hold.when.words(), "from": span.map(|span| span.from.to_string()),
        "until": span.map(|span| span.until.to_string()), "reason": hold.reason, "change": hold.change, "by": hold.by,
        "made": hold.made.to_string(), "ended": hold.ended.as_ref().map(|(at, _)| at.to_string()),
        "ended_by": hold.ended.as_ref().map(|(_, by)| by),
        "not_back": hold.outcome.as_ref().map(|outcome| &outcome.not_back),
    })
}

async fn list(web: Shared, kind: Kind) -> Answered {
    let (snapshot, now) = (web.snapshot(), web.now());
    let of_kind = snapshot.holds.iter().filter(|hold| hold.kind == kind);
    let mut shown: Vec<&Hold> = of_kind.collect();
    shown.sort_by_key(|hold| (stands(hold, now) == "over", hold.turns_after(now), hold.no));
    Ok(page_of(shown.into_iter().map(|hold| to_json(hold, now)).collect(), None))
}

pub(in crate::web) async fn windows(State(web): State<Shared>) -> Answered {
    list(web, Kind::Maintenance).await
}

pub(in crate::web) async fn silences(State(web): State<Shared>) -> Answered {
    list(web, Kind::Silence).await
}

fn on_duty_json(one: &OnDuty) -> Value {
    let Shift { person, span, .. } = &one.shift;
    json!({
        "person": person, "rotation": one.rotation, "from": span.from.to_string(), "until": span.until.to_string() })
}

async fn add(web: Shared, caller: Caller, asked: NewHold, kind: Kind) -> Answered {
    let now = web.now();
    let dry_run = asked.dry_run;
    let hold = asked.checked(kind, now)?;
    let snapshot = web.snapshot();
    let hosts = hosts_of(&snapshot, &hold.scope);
    let spans: Vec<Span> = hold.at(now).into_iter().chain(hold.following(now)).take(SHOWN).collect();
    let occurrences: Vec<Value> =
        spans.iter().map(|span| json!({ "from": span.from.to_string(), "until": span.until.to_string() })).collect();
    let mut answer = to_json(&hold, now);
    (answer["hosts"], answer["host_count"]) = (json!(hosts.iter().take(200).collect::<Vec<_>>()), json!(hosts.len()));
    answer["occurrences"] = Value::from(occurrences);
    if kind == Kind::Maintenance {
        answer["agreements"] = json!(web.agreements_of(|_, host| covers(&hold, &host.profile)));
        answer["retroactive"] = json!(matches!(hold.when, When::Once(span) if span.from < now));
    }
    answer["on_call"] =
        spans.iter().flat_map(|span| web.on_duty(*span)).take(SHIFTS).map(|one| on_duty_json(&one)).collect();
    answer["number"] = Value::Null;
    if !dry_run {
        let made = web.context.mailbox.command(caller.principal(), Command::AddHold(Box::new(hold))).await?;
        if let Answer::Made(number) = made {
            answer["number"] = number.into();
        }
        settled(made)?;
    }
    Ok(Json(answer))
}

pub(in crate::web) async fn add_window(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewHold>,
) -> Answered {
    add(web, caller, asked, Kind::Maintenance).await
}

pub(in crate::web) async fn add_silence(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewHold>,
) -> Answered {
    add(web, caller, asked, Kind::Silence).await
}

/// Ends one before its time.
pub(in crate::web) async fn end(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Answered {
    let no = number.parse().map_err(|_| Problem::invalid("number", &number, "a number, such as 3"))?;
    command(&web, &caller, Command::EndHold(HoldNo(no))).await
}
