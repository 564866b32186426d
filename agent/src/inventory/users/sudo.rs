//! Who may become root with sudo: sudoers(5), as far as a user or a group of this machine is named.

use std::collections::BTreeSet;

use super::super::Sheet;
use crate::host::{Host, HostError};

const FILE: &str = "/etc/sudoers";
const DIRECTORY: &str = "/etc/sudoers.d";
/// Groups that distributions let do so, where the files may not be read.
const USUAL: [&str; 3] = ["sudo", "wheel", "admin"];

/// What the files say: names, `%` before those of groups, and whether no password is asked for.
#[derive(Debug, Default)]
pub(super) struct Sudo(Vec<(String, bool)>);

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Sudo {
    let text = match host.read_text(FILE) {
        Ok(text) => text,
        Err(HostError::NotPresent(_)) => return Sudo::default(),
        Err(error) => {
            sheet.lacks(format!("who may use sudo is guessed by group: {error}"));
            return Sudo(USUAL.iter().map(|group| (format!("%{group}"), false)).collect());
        }
    };
    sheet.read_in(FILE);
    let mut found = entries(&text);
    // As sudo does: nothing whose name has a dot or ends like a copy.
    for name in host.list(DIRECTORY).unwrap_or_default() {
        if name.contains('.') || name.ends_with('~') {
            continue;
        }
        match host.read_text(&format!("{DIRECTORY}/{name}")) {
            Ok(text) => found.extend(entries(&text)),
            Err(error) => sheet.lacks(error),
        }
    }
    Sudo(found)
}

/// `user HOSTS = (RUNAS) TAGS: COMMANDS`, user and `%group` alone or in a list.
fn entries(text: &str) -> Vec<(String, bool)> {
    const NO_RULES: [&str; 5] = ["Defaults", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias"];
    let joined = text.replace("\\\n", " ");
    let aliases: Vec<(&str, Vec<&str>)> = joined
        .lines()
        .filter_map(|line| line.trim().strip_prefix("User_Alias")?.split_once('='))
        .map(|(name, members)| (name.trim(), members.split(',').map(str::trim).collect()))
        .collect();
    let mut found = Vec::new();
    for line in joined.lines().map(str::trim) {
        let is_rule = !line.is_empty()
            && !line.starts_with('@')
            && line.strip_prefix('#').is_none_or(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            && !NO_RULES.iter().any(|word| line.starts_with(word));
        let Some((who, what)) = line.split_once('=').filter(|_| is_rule) else { continue };
        // The last word before the equals sign is the host.
        let Some((users, _host)) = who.trim().rsplit_once(char::is_whitespace) else { continue };
        let free = what.contains("NOPASSWD");
        for name in users.split(',').map(str::trim) {
            match aliases.iter().find(|(alias, _)| *alias == name) {
                Some((_, members)) => found.extend(members.iter().map(|member| ((*member).to_owned(), free))),
                None => found.push((name.to_owned(), free)),
            }
        }
    }
    found
}

impl Sudo {
    /// Those whom a rule names themselves.
    pub(super) fn people(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().map(|(who, _)| who.as_str());
        // Groups, numbers, netgroups, and words that stand for others.
        names.filter(|who| !who.starts_with(['%', '#', '+', '!', '"']) && who.chars().any(|c| c.is_ascii_lowercase()))
    }

    /// By which rule a user may; root needs none.
    pub(super) fn by(&self, name: &str, uid: &str, groups: &BTreeSet<&str>) -> Option<String> {
        if uid == "0" {
            return Some("uid 0".to_owned());
        }
        let fits = |who: &str| match who.strip_prefix('%') {
            Some(group) => groups.contains(group),
            None => who == name || who == "ALL" || who.strip_prefix('#') == Some(uid),
        };
        let mut rules = self.0.iter().filter(|(who, _)| fits(who)).collect::<Vec<_>>();
        // The one that asks for no password says more.
        rules.sort_by_key(|(who, free)| (!free, who.clone()));
        rules.first().map(|(who, free)| if *free { format!("{who} (NOPASSWD)") } else { who.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_users_groups_and_aliases() {
        let text = "User_Alias ADMINS = ann, bob\nADMINS ALL=(ALL) ALL\n%ops, carl  web1=/usr/bin/systemctl\n\
                    #includedir /x\nDefaults:ann !lecture\n# dave ALL=(ALL) ALL\n#1005 ALL = NOPASSWD: \\\n ALL\n";
        let sudo = Sudo(entries(text));
        let by = |name: &str, uid: &str, groups: &[&str]| sudo.by(name, uid, &groups.iter().copied().collect());
        assert_eq!(by("ann", "1", &[]).as_deref(), Some("ann"));
        assert_eq!(by("x", "2", &["ops"]).as_deref(), Some("%ops"));
        assert_eq!(by("carl", "3", &[]).as_deref(), Some("carl"));
        assert_eq!((by("dave", "4", &[]), by("ADMINS", "5", &[])), (None, None));
        assert_eq!(by("eve", "1005", &[]).as_deref(), Some("#1005 (NOPASSWD)"));
        assert_eq!(by("root", "0", &[]).as_deref(), Some("uid 0"));
    }
}
