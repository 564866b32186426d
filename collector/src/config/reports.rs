//! `[[report]]`: which service level reports are delivered, when and where.

use super::{
    oncall::{clock, name},
    read::short_text,
    receivers::ENTRIES,
    section::Section,
};
use crate::{
    domain::sla::{
        delivery::{Format, Plan, Post},
        period::Length,
        report::Declared,
    },
    notify::receiver::{ReceiverConfig, ReceiverKind},
};
use jiff::civil::Time;

/// Most of them.
pub(super) const MOST: usize = 100;
/// Most agreements in a list.
const AGREEMENTS: usize = 500;
const EVERY: &str = "one of day, week, month, quarter, year";
const CLOCK: &str = "a time of the day such as \"06:00\"";
const DIRECTORY: &str = "the whole path of a directory such as /srv/reports";
const ADDRESS: &str = "a mail address such as it@example.org";
/// Hosts that come back at night have told by then what they did before midnight.
const USUAL: Time = Time::constant(6, 0, 0, 0);

/// Reads all of them; those with mistakes are noted and left out.
pub(super) fn read(sections: Vec<Section<'_, '_>>, agreements: &[Declared], receivers: &[ReceiverConfig]) -> Vec<Plan> {
    let mut found: Vec<Plan> = Vec::new();
    for section in sections {
        let taken = |name: &str| found.iter().any(|other| other.name == name);
        if let Some(plan) = plan(section, agreements, receivers, taken) {
            found.push(plan);
        }
    }
    found
}

fn plan(
    mut section: Section<'_, '_>,
    agreements: &[Declared],
    receivers: &[ReceiverConfig],
    taken: impl Fn(&str) -> bool,
) -> Option<Plan> {
    let place = section.place();
    let name = name(&mut section, taken);
    let names: Vec<&str> = agreements.iter().map(|declared| declared.agreement.name.as_str()).collect();
    let stands = section.at("agreements");
    let about = section.texts("agreements", "the name of an agreement", AGREEMENTS, short_text);
    // It may have been declared by the API, or will be.
    for unknown in about.iter().flatten().filter(|name| !names.contains(&name.as_str())) {
        let advice = format!(
            "there is no [[agreement]] {unknown:?} here ({}): nothing of it is delivered until the API has declared it",
            listed(&names)
        );
        section.advise(stands, "agreements", &advice);
    }
    let every = section.text("every", EVERY, |word| {
        Length::parse(word).filter(|length| !matches!(length, Length::Rolling(_))).ok_or_else(|| EVERY.into())
    });
    let at = section.text("at", CLOCK, |text| clock(text).map_err(|_| CLOCK.to_owned()));
    let read = |word: &str| Format::parse(word).ok_or_else(|| Format::EXPECTED.to_owned());
    let has_formats = section.has("formats");
    let formats = if has_formats {
        section.required_texts("formats", Format::EXPECTED, Format::ALL.len(), read)
    } else {
        section.knows("formats");
        Some(vec![Format::Html, Format::Json])
    };
    let has_place = ["directory", "to", "receiver"].iter().any(|key| section.has(key));
    let directory = section.text("directory", DIRECTORY, |text| {
        let good = text.starts_with('/') && !text.contains('\0');
        if good { Ok(text.to_owned()) } else { Err(DIRECTORY.into()) }
    });
    let mail = mail(&mut section, receivers);
    if !has_place {
        section.wrong(
            "directory",
            "somewhere to deliver it: directory = \"/srv/reports\", or to = [\"it@example.org\"], or both",
        );
    }
    section.finish();
    let mut formats = formats?;
    formats.sort_unstable();
    formats.dedup();
    Some(Plan {
        name: name?,
        agreements: about.unwrap_or_default(),
        every: every.unwrap_or(Length::Month),
        at: at.unwrap_or(USUAL),
        formats,
        directory,
        mail: mail?,
        place,
    })
}

/// `receiver` and `to`: the outer option is none where something is wrong with them.
fn mail(section: &mut Section<'_, '_>, receivers: &[ReceiverConfig]) -> Option<Option<Post>> {
    let mails = receivers.iter().filter_map(|receiver| match &receiver.kind {
        ReceiverKind::Email(config) => Some((receiver.name.as_str(), config)),
        _ => None,
    });
    let mails: Vec<_> = mails.collect();
    let names: Vec<&str> = mails.iter().map(|(name, _)| *name).collect();
    let (has_receiver, has_to) = (section.has("receiver"), section.has("to"));
    let which = format!("the name of a [[receiver]] of kind email: {}", listed(&names));
    let receiver = section
        .text("receiver", &which, |text| names.iter().position(|name| *name == text).ok_or_else(|| which.clone()));
    let to = section.texts("to", ADDRESS, ENTRIES, |text| {
        text.parse::<lettre::message::Mailbox>().map(|_| text.to_owned()).map_err(|_| ADDRESS.to_owned())
    });
    if !has_receiver && !has_to {
        return Some(None);
    }
    let at = match receiver {
        Some(at) => at,
        None if has_receiver => return None,
        None if mails.len() == 1 => 0,
        None => {
            section.wrong("receiver", format!("whose mail server takes it: {which}"));
            return None;
        }
    };
    let (name, config) = mails[at];
    let to = match to {
        Some(to) if to.is_empty() => {
            section.wrong("to", format!("at least one address, or no key: then it goes to those of receiver {name}"));
            return None;
        }
        Some(to) => to,
        None if has_to => return None,
        None => config.to.iter().map(ToString::to_string).collect(),
    };
    Some(Some(Post { receiver: name.to_owned(), to }))
}

fn listed(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.dedup();
    if names.is_empty() { "there is none at all".to_owned() } else { format!("one of {}", names.join(", ")) }
}

/// What keeps files from being put into a plan's directory, if anything. A share may be mounted later, so this keeps no
/// collector from starting.
#[must_use]
pub fn directory_trouble(plan: &Plan) -> Option<String> {
    let directory = plan.directory.as_ref()?;
    let named = |why: String| Some(format!("{}: report {}: directory = {directory:?}: {why}", plan.place, plan.name));
    match std::fs::metadata(directory) {
        Err(error) => return named(format!("expected a directory that is there: {error}")),
        Ok(meta) if !meta.is_dir() => return named("expected a directory; this is something else".into()),
        Ok(_) => {}
    }
    rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).err().and_then(|error| {
        named(format!(
            "expected a directory that this user may write: {error}; give it to the collector's user and, under systemd, add it \
             to ReadWritePaths= of muster-collector.service"
        ))
    })
}
