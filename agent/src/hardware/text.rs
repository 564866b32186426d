//! Values of small files, one `path:value` a line, as `grep .` prints them.

use super::found::digest_of;
use super::{Found, Outcome};
use crate::host::{Host, HostError};

/// What is said of one thing, in bytes.
pub(super) const TEXT_MAX: usize = 64 * 1024;
/// Entries of one directory that are looked at.
const MEMBERS_MAX: usize = 256;

/// What files said so far.
pub(super) struct Text<'a> {
    host: &'a Host,
    said: String,
    max: usize,
    /// Files that are there and could not be read.
    unread: usize,
    /// More was said than is kept.
    is_cut: bool,
    lacking: &'static str,
    /// Tells it from what was said at another time, in place of what moves.
    instead: String,
}

impl<'a> Text<'a> {
    /// Nothing yet.
    pub(super) fn of(host: &'a Host) -> Self {
        Self::up_to(host, TEXT_MAX)
    }

    /// Nothing yet, of something of which more may be said, in bytes.
    pub(super) fn up_to(host: &'a Host, max: usize) -> Self {
        Self { host, said: String::new(), max, unread: 0, is_cut: false, lacking: "", instead: String::new() }
    }

    /// The files that are there.
    pub(super) fn values(&mut self, directory: &str, names: &[&str]) {
        for name in names {
            self.value(directory, name, |_| true);
        }
    }

    /// The lines of a file that are wanted; some say several.
    pub(super) fn value(&mut self, directory: &str, name: &str, wanted: impl Fn(&str) -> bool) {
        match self.host.read_text(&format!("{directory}/{name}")) {
            Ok(value) => value.lines().filter(|line| wanted(line)).for_each(|line| self.say(directory, name, line)),
            Err(HostError::NotPresent(_)) => {}
            // A device that has no such value may say so with an error (EINVAL of a link that is down).
            Err(HostError::Unreadable { .. }) => self.unread += 1,
            Err(HostError::Failed { .. }) => {}
        }
    }

    /// As if a file said it.
    pub(super) fn say(&mut self, directory: &str, name: &str, value: &str) {
        self.add(&format!("{directory}/{name}:{}\n", value.trim()));
    }

    /// Lines that were said before.
    pub(super) fn add(&mut self, lines: &str) {
        if self.said.len() < self.max {
            self.said.push_str(lines);
        } else {
            self.is_cut = true;
        }
    }

    /// What was said.
    pub(super) fn into_text(self) -> String {
        self.said
    }

    /// What is in a directory, as if that were said by a file.
    pub(super) fn names(&mut self, directory: &str, name: &str, wanted: impl Fn(&str) -> bool) {
        let names = self.host.list(&format!("{directory}/{name}")).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| wanted(name)).take(MEMBERS_MAX).collect();
        if !names.is_empty() {
            self.say(directory, name, &names.join(" "));
        }
    }

    /// The same files of each entry whose name begins so.
    pub(super) fn members(&mut self, directory: &str, begin: &[&str], names: &[&str]) {
        let entries = self.host.list(directory).unwrap_or_default();
        let members = entries.iter().filter(|name| begin.iter().any(|begin| name.starts_with(begin)));
        for member in members.take(MEMBERS_MAX) {
            self.values(&format!("{directory}/{member}"), names);
        }
    }

    /// Channels of rows, `csrow0/ch1_ce_count`, of which there may be eight.
    pub(super) fn channels(&mut self, controller: &str) {
        let rows = self.host.list(controller).unwrap_or_default();
        for row in rows.iter().filter(|name| name.starts_with("csrow")).take(MEMBERS_MAX) {
            let directory = format!("{controller}/{row}");
            let files = self.host.list(&directory).unwrap_or_default();
            let of_channels = files.iter().filter(|name| name.starts_with("ch"));
            let wanted: Vec<&str> = of_channels
                .filter(|name| name.ends_with("_ce_count") || name.ends_with("_dimm_label"))
                .map(String::as_str)
                .collect();
            self.values(&directory, &wanted);
        }
    }

    /// Whether a file of this name said something.
    pub(super) fn says(&self, name: &str) -> bool {
        self.said.contains(&format!("/{name}:"))
    }

    /// What cannot be told of it, whatever is read.
    pub(super) fn lacks(&mut self, lacking: &'static str) {
        self.lacking = lacking;
    }

    /// All that was said so far.
    pub(super) fn so_far(&self) -> &str {
        &self.said
    }

    /// What is news in place of what moves.
    pub(super) fn instead(&mut self, news: String) {
        self.instead = news;
    }

    /// What was said, with what is lacking in it; `None` where nothing was.
    pub(super) fn found(self, source: &'static str, part: impl Into<String>) -> Option<Found> {
        self.found_but(source, part, &[])
    }

    /// The same, where values of some files move at each look and are no news.
    pub(super) fn found_but(self, source: &'static str, part: impl Into<String>, moving: &[&str]) -> Option<Found> {
        if self.said.is_empty() {
            return None;
        }
        let unread = (self.unread > 0).then(|| format!("partial: {} files may not be read by the agent", self.unread));
        let cut = self.is_cut.then(|| format!("partial: more than {} KiB, the rest is left out", self.max / 1024));
        let lacking = (!self.lacking.is_empty()).then(|| self.lacking.to_owned());
        let note = unread.into_iter().chain(cut).chain(lacking).collect::<Vec<_>>().join("; ");
        let moves = |line: &&str| moving.iter().any(|name| line.contains(&format!("/{name}:")));
        let steady: String = self.said.lines().filter(|line| !moves(line)).collect();
        let digest = digest_of(&[steady.as_bytes(), self.instead.as_bytes(), note.as_bytes()]);
        let outcome = Outcome::Read { payload: self.said.into_bytes(), note, digest };
        Some(Found { source: source.into(), part: part.into(), outcome })
    }
}
