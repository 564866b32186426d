//! `[[person]]`, `[[rotation]]`, `[[policy]]` and `[[route]]`: who is told, and who after them.

use jiff::civil::{Date, Time};

use super::{
    read::{CLASS, short_text},
    section::Section,
};
use crate::{
    domain::{
        calendar::{self, Recurring, weekday_of},
        heartbeat::schedule::Schedule,
        hold::Scope,
        labels::Class,
        oncall::{
            Contact, Messenger, Person, Roster,
            absence::Exceptions,
            policy::{Policy, Step, Target},
            rotation::{Layer, Length, Rotation},
            route::RouteRule,
        },
        priority::Priority,
        rules::Unit,
        severity::Severity,
    },
    notify::receiver::ReceiverConfig,
};

/// Most of each kind.
pub(super) const MOST: usize = 500;
/// Most layers, steps, contacts, people or conditions of one.
const PARTS: usize = 100;
/// Longest delay of a contact or a step, in seconds: the longest that `GoAlert` takes, 9 000 minutes, and a bit.
const LONGEST_S: f64 = 7.0 * 86_400.0;
/// Longest shift in hours: a year.
const LONGEST_SHIFT_H: f64 = 366.0 * 24.0;
const NAME: &str = "a unique name of letters, digits, ., - and _ with at most 64 characters";
const DELAY: &str = "a time such as \"15 min\", at most 7 d";
const EVERY: &str = "the length of a shift such as \"7 d\", \"12 h\"";
pub(super) const ZONE: &str = "the name of a zone such as Europe/Berlin";
const CLOCK: &str = "a time of the day such as 09:00";
const DAY: &str = "a date such as 2026-11-30";
pub(super) const WEEKDAY: &str = "mon, tue, wed, thu, fri, sat or sun";
const HOURS: &str = "two times such as 18:00-08:00";
const TARGET: &str = "person:NAME, rotation:NAME or receiver:NAME";
const PRIORITY: &str = "one of P1, P2, P3, P4, P5";
pub(super) const SEVERITY: &str = "one of info, warning, critical";

/// The tables as they stand in the document.
pub(super) struct Tables<'s, 'i> {
    pub(super) people: Vec<Section<'s, 'i>>,
    pub(super) rotations: Vec<Section<'s, 'i>>,
    pub(super) policies: Vec<Section<'s, 'i>>,
    pub(super) routes: Vec<Section<'s, 'i>>,
}

/// Reads all of it; what names something that there is not is wrong.
pub(super) fn read(receivers: &[ReceiverConfig], messengers: Vec<Messenger>, tables: Tables<'_, '_>) -> Roster {
    let mut roster = Roster { messengers, ..Roster::default() };
    for mut section in tables.people {
        let name = name(&mut section, |name| roster.people.contains_key(name));
        let ways = Ways { receivers, roster: &roster };
        let contacts = ways.read(&mut section, "contact", true);
        let important_given = section.has("important");
        let important = ways.read(&mut section, "important", important_given);
        let notices = contacts.iter().find(|contact| ways.ring_for_nobody(contact)).cloned();
        let zone = section.text("zone", ZONE, a_zone);
        let test_page = section.text("test_page", "a calendar event such as \"mon 10:00\"", |text| {
            Schedule::on_calendar(text, zone.as_deref()).map(Box::new)
        });
        section.finish();
        if let Some(name) = name {
            roster.people.insert(name.clone(), Person { name, zone, contacts, important, notices, test_page });
        }
    }
    for section in tables.rotations {
        if let Some(rotation) = rotation(section, &roster) {
            roster.rotations.insert(rotation.name.clone(), rotation);
        }
    }
    for section in tables.policies {
        if let Some(policy) = policy(section, &roster) {
            roster.policies.insert(policy.name.clone(), policy);
        }
    }
    for section in tables.routes {
        let route = route(section, &roster);
        roster.routes.extend(route);
    }
    roster
}

pub(super) fn name(section: &mut Section<'_, '_>, taken: impl Fn(&str) -> bool) -> Option<String> {
    section.required("name", NAME, |text| {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        match good {
            true if taken(text) => Err("a name that no other has".into()),
            true => Ok(text.to_owned()),
            false => Err(NAME.to_owned()),
        }
    })
}

/// Ways to people.
struct Ways<'a> {
    receivers: &'a [ReceiverConfig],
    roster: &'a Roster,
}

impl Ways<'_> {
    fn ring_for_nobody(&self, contact: &Contact) -> bool {
        self.receivers.iter().any(|known| known.name == contact.receiver && known.kind.rings_for_nobody())
    }

    fn read(&self, section: &mut Section<'_, '_>, key: &'static str, needed: bool) -> Vec<Contact> {
        let mut found: Vec<Contact> = Vec::new();
        for mut one in section.tables(key, PARTS) {
            let receiver = one.required("receiver", "the name of a receiver", |text| known_receiver(self.roster, text));
            let kind =
                self.receivers.iter().find(|known| receiver.as_ref() == Some(&known.name)).map(|known| &known.kind);
            let to = one.text("to", "their address or number there", |text| {
                let text = short_text(text)?;
                match kind.and_then(|kind| kind.address_trouble(&text)) {
                    Some(expected) => Err(expected.to_owned()),
                    None => Ok(text),
                }
            });
            let after_ms = delay(&mut one, "after").unwrap_or(0);
            one.finish();
            found.extend(receiver.map(|receiver| Contact { receiver, to, after_ms }));
        }
        if found.is_empty() && needed {
            section.wrong(key, "a list of at least one way to reach them: [{ receiver = \"NAME\" }]");
        }
        found.sort_by_key(|contact| contact.after_ms);
        found
    }
}

fn known_receiver(roster: &Roster, text: &str) -> Result<String, String> {
    let known: Vec<&str> = roster.messengers.iter().map(|messenger| &*messenger.receiver).collect();
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("the name of a [[receiver]] that takes pages: {}", listed(known.into_iter())))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "there is none".into() } else { names.join(", ") }
}

fn known_person(roster: &Roster, text: &str) -> Result<String, String> {
    if roster.people.contains_key(text) {
        return Ok(text.to_owned());
    }
    Err(format!("the name of a [[person]]: {}", listed(roster.people.keys().map(String::as_str))))
}

fn delay(section: &mut Section<'_, '_>, key: &'static str) -> Option<i64> {
    let seconds = section.text(key, DELAY, |text| {
        Unit::Time.read(text).filter(|seconds| (0.0..=LONGEST_S).contains(seconds)).ok_or_else(|| DELAY.to_owned())
    })?;
    #[expect(clippy::cast_possible_truncation, reason = "at most a week in milliseconds")]
    let ms = (seconds * 1_000.0) as i64;
    Some(ms)
}

pub(super) fn zone_name(section: &mut Section<'_, '_>) -> Option<String> {
    section.required("zone", ZONE, a_zone)
}

fn a_zone(text: &str) -> Result<String, String> {
    calendar::zone(text).map(|_| text.to_owned()).ok_or_else(|| ZONE.to_owned())
}

pub(super) fn clock(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_| CLOCK.to_owned())
}

/// `hours` and `days`: when something holds.
fn hours(section: &mut Section<'_, '_>, zone: Option<&str>) -> Option<Recurring> {
    let given = section.has("hours") || section.has("days");
    let times = section.text("hours", HOURS, |text| {
        let (start, end) = text.split_once('-').ok_or_else(|| HOURS.to_owned())?;
        Ok((clock(start.trim()).map_err(|_| HOURS)?, clock(end.trim()).map_err(|_| HOURS)?))
    });
    let weekdays = section.texts("days", WEEKDAY, 7, |text| weekday_of(text).ok_or_else(|| WEEKDAY.to_owned()));
    if !given {
        return None;
    }
    let (start, end) = times.unwrap_or((Time::midnight(), Time::midnight()));
    let Some(zone) = zone else {
        section.wrong("zone", format!("{ZONE}; hours without a zone mean something else to everybody"));
        return None;
    };
    Some(Recurring {
        zone: zone.to_owned(),
        weekdays: weekdays.unwrap_or_default(),
        month_days: Vec::new(),
        start,
        end,
    })
}

pub(super) fn severity(word: &str) -> Result<Severity, String> {
    let all = [Severity::Info, Severity::Warning, Severity::Critical];
    all.into_iter().find(|severity| severity.word() == word).ok_or_else(|| SEVERITY.to_owned())
}

fn rotation(mut section: Section<'_, '_>, roster: &Roster) -> Option<Rotation> {
    let name = name(&mut section, |name| roster.rotations.contains_key(name));
    let zone = zone_name(&mut section);
    let gaps_confirmed = section.switch("gaps_are_intended").unwrap_or(false);
    let handoff_notice = section.switch("handoff_notice").unwrap_or(true);
    let mut layers = Vec::new();
    for layer in section.tables("layer", PARTS) {
        layers.extend(read_layer(layer, zone.as_deref(), roster));
    }
    if layers.is_empty() {
        section.wrong("layer", "at least one: [[rotation.layer]] with people, every, handoff and from");
    }
    let rotation = name.zip(zone).map(|(name, zone)| Rotation { name, zone, layers, gaps_confirmed, handoff_notice });
    let gap = rotation
        .as_ref()
        .filter(|_| !gaps_confirmed)
        .and_then(|known| known.gaps(None, &Exceptions::default()).first().copied());
    if let Some(gap) = gap {
        let expected = format!(
            "somebody at all times: from {} to {} nobody is on call. Add people or hours, or set gaps_are_intended = true",
            gap.from, gap.until
        );
        section.wrong("layer", expected);
    }
    section.finish();
    rotation
}

fn read_layer(mut section: Section<'_, '_>, zone: Option<&str>, roster: &Roster) -> Option<Layer> {
    let people = section.required_texts("people", "the name of a [[person]]", PARTS, |text| known_person(roster, text));
    let from = section.required("from", DAY, |text| text.parse::<Date>().map_err(|_| DAY.to_owned()));
    let handoff = section.required("handoff", CLOCK, clock);
    let every = section.required("every", EVERY, |text| {
        let hours = Unit::Time.read(text).map(|seconds| seconds / 3_600.0);
        let whole = hours.filter(|hours| (1.0..=LONGEST_SHIFT_H).contains(hours) && hours.fract() == 0.0);
        #[expect(clippy::cast_possible_truncation, reason = "at most the hours of a year")]
        let hours = whole.ok_or_else(|| EVERY.to_owned())? as i32;
        Ok(if hours % 24 == 0 { Length::Days(hours / 24) } else { Length::Hours(hours) })
    });
    let hours = hours(&mut section, zone);
    section.finish();
    Some(Layer { people: people?, from: from?, handoff: handoff?, every: every?, hours })
}

fn policy(mut section: Section<'_, '_>, roster: &Roster) -> Option<Policy> {
    let name = name(&mut section, |name| roster.policies.contains_key(name));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 20")]
    let repeat = section.number("repeat", 0.0..=20.0).unwrap_or(0.0) as u32;
    let mut steps: Vec<Step> = Vec::new();
    for mut step in section.tables("step", PARTS) {
        let after_ms = delay(&mut step, "after").unwrap_or(0);
        let targets = step.required_texts("notify", TARGET, PARTS, |text| {
            let target = Target::from_words(text).ok_or_else(|| TARGET.to_owned())?;
            match &target {
                Target::Person(name) => known_person(roster, name).map(drop)?,
                Target::Receiver(name) => known_receiver(roster, name).map(drop)?,
                Target::Rotation(name) if roster.rotations.contains_key(name) => {}
                Target::Rotation(_) => {
                    let known = listed(roster.rotations.keys().map(String::as_str));
                    return Err(format!("the name of a [[rotation]]: {known}"));
                }
            }
            Ok(target)
        });
        if steps.last().is_some_and(|before| before.after_ms > after_ms) {
            step.wrong("after", "not less than that of the step before");
        }
        step.finish();
        steps.extend(targets.map(|targets| Step { after_ms, targets }));
    }
    if steps.is_empty() {
        section.wrong("step", "at least one: [[policy.step]] with notify");
    }
    // Between rounds as much time passes as before the last step, but at least five minutes.
    let usual_ms = steps.last().map_or(0, |step| step.after_ms).max(300_000);
    let pause_ms = delay(&mut section, "pause").unwrap_or(usual_ms).max(60_000);
    section.finish();
    Some(Policy { name: name?, steps, repeat, pause_ms })
}

/// Which incidents are meant; nothing said: all.
pub(super) fn scope(section: &mut Section<'_, '_>) -> Scope {
    let texts = |section: &mut Section<'_, '_>, key: &'static str, expected: &str| {
        section.texts(key, expected, PARTS, short_text).unwrap_or_default()
    };
    Scope {
        hosts: texts(section, "hosts", "a host name with * and ?"),
        sites: texts(section, "sites", "the name of a site"),
        class: section.text("class", CLASS, |word| Class::from_word(word).ok_or_else(|| CLASS.to_owned())),
        labels: section.pairs("labels", |_, value| short_text(value).map(drop)),
        what: section.text("what", "kind and what, such as check/* or finding/filesystem_*", short_text),
        all: false,
    }
}

fn route(mut section: Section<'_, '_>, roster: &Roster) -> Option<RouteRule> {
    let place = section.place();
    let scope = scope(&mut section);
    let least = section.text("severity", SEVERITY, severity);
    let urgent = section.text("priority", PRIORITY, |word| Priority::from_word(word).ok_or_else(|| PRIORITY.into()));
    let zone = if section.has("zone") { zone_name(&mut section) } else { None };
    section.knows("zone");
    let hours = hours(&mut section, zone.as_deref());
    let receivers = section.texts("receivers", "the name of a receiver", PARTS, |text| known_receiver(roster, text));
    let policy = section.text("policy", "the name of a [[policy]]", |text| {
        let known = || format!("the name of a [[policy]]: {}", listed(roster.policies.keys().map(String::as_str)));
        if roster.policies.contains_key(text) { Ok(text.to_owned()) } else { Err(known()) }
    });
    let go_on = section.switch("continue").unwrap_or(false);
    let receivers = receivers.unwrap_or_default();
    if receivers.is_empty() && policy.is_none() {
        section.wrong("policy", "policy or receivers: to whom it leads");
    }
    section.finish();
    let least = least.unwrap_or(Severity::Warning);
    Some(RouteRule { place, scope, least, urgent, hours, receivers, policy, go_on })
}
