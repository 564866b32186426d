//! Collecting: each section on a thread of its own, cut when its time is over.

use std::sync::mpsc;
use std::time::Duration;

use super::row::Filled;
use super::{Section, Sheet, Source, Status};
use crate::clock;
use crate::host::Host;

/// A section's thread's stack: it reads files and follows one program.
const STACK_BYTES: usize = 512 * 1024;

/// Reads these sections, one after the other. One that hangs is left behind, and its thread with it.
pub fn collect<'a>(host: &Host, sources: impl Iterator<Item = &'a Source>, mut taken: impl FnMut(Section)) {
    for source in sources {
        taken(section(host, *source));
    }
}

/// A section that is not to be looked at, and what of agent.toml says so.
#[must_use]
pub fn switched_off(name: &str, by: &str) -> Section {
    Section {
        name: name.to_owned(),
        status: Status::SwitchedOff,
        reason: format!("switched off by {by} in agent.toml"),
        source: String::new(),
        collected_ms: clock::now().wall_ms,
        rows: Vec::new(),
        whole: true,
    }
}

fn section(host: &Host, source: Source) -> Section {
    let collected_ms = clock::now().wall_ms;
    let filled = read(host, source).unwrap_or_else(|reason| Filled {
        status: Status::Unreadable,
        reason,
        source: String::new(),
        rows: Vec::new(),
        whole: false,
    });
    let Filled { status, reason, source: read_in, rows, whole } = filled;
    Section { name: source.name.to_owned(), status, reason, source: read_in, collected_ms, rows, whole }
}

fn read(host: &Host, source: Source) -> Result<Filled, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let host = host.clone();
    let thread = std::thread::Builder::new().name(format!("muster-{}", source.name)).stack_size(STACK_BYTES);
    let look = move || {
        let mut sheet = Sheet::default();
        let outcome = (source.read)(&host, &mut sheet);
        // Nobody waits any more when it was cut.
        drop(sender.send(sheet.filled(outcome)));
    };
    thread.spawn(look).map_err(|error| format!("no thread could be started: {error}"))?;
    receiver.recv_timeout(Duration::from_millis(source.budget_ms)).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => format!("it was cut: no answer within {} s", source.budget_ms / 1000),
        mpsc::RecvTimeoutError::Disconnected => "reading it ended without an outcome".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Row, Unread};
    use super::*;

    fn sections(sources: &[Source]) -> Vec<Section> {
        let mut all = Vec::new();
        collect(&Host::live(), sources.iter(), |section| all.push(section));
        all
    }

    #[test]
    fn a_section_that_hangs_is_cut_and_the_others_are_read() {
        let hangs = |_: &Host, _: &mut Sheet| {
            std::thread::park();
            Ok(())
        };
        let sources = [
            Source { name: "hangs", read: hangs, budget_ms: 50, rests_on: &[] },
            Source {
                name: "lives",
                read: |_, sheet| {
                    sheet.read_in("here");
                    sheet.row(Row::new("a"));
                    Ok(())
                },
                budget_ms: 10_000,
                rests_on: &[],
            },
            Source { name: "dies", read: |_, _| panic!("of the test"), budget_ms: 10_000, rests_on: &[] },
            Source {
                name: "none",
                read: |_, _| Err(Unread::Absent("no such bus".into())),
                budget_ms: 10_000,
                rests_on: &[],
            },
        ];
        let all = sections(&sources);
        let told: Vec<(&str, Status, &str, usize, bool)> =
            all.iter().map(|one| (&*one.name, one.status, &*one.reason, one.rows.len(), one.whole)).collect();
        assert_eq!(
            told,
            [
                ("hangs", Status::Unreadable, "it was cut: no answer within 0 s", 0, false),
                ("lives", Status::Complete, "", 1, true),
                ("dies", Status::Unreadable, "reading it ended without an outcome", 0, false),
                ("none", Status::Absent, "no such bus", 0, true),
            ]
        );
        assert_eq!(all[1].source, "here");
    }
}
