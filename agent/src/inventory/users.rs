//! Local accounts: who can log in, how, and who may become root.

mod keys;
mod sudo;

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError};

pub(super) use keys::read as keys;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const SHADOW: &str = "/etc/shadow";
const WTMP: &str = "/var/log/wtmp";
/// Shells that let nobody in.
const CLOSED: [&str; 4] = ["nologin", "false", "sync", "halt"];

/// A line of passwd(5).
struct Account<'a> {
    name: &'a str,
    uid: &'a str,
    gid: &'a str,
    gecos: &'a str,
    home: &'a str,
    shell: &'a str,
}

fn accounts(text: &str) -> impl Iterator<Item = Account<'_>> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, gecos, home, shell] = fields[..] else { return None };
        // `+` and `-` stand for NIS.
        (!name.is_empty() && !name.starts_with(['+', '-'])).then_some(Account { name, uid, gid, gecos, home, shell })
    })
}

/// A line of group(5): name, number and members.
fn group_lines(text: &str) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        let members = members.split(',').filter(|member| !member.is_empty()).collect();
        (!name.is_empty() && !name.starts_with(['+', '-'])).then_some((name, gid, members))
    })
}

/// Accounts.
pub(super) fn users(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let passwd = host.read_text(PASSWD)?;
    sheet.read_in(PASSWD);
    let group = host.read_text(GROUP).unwrap_or_default();
    let shadow = match host.read_text(SHADOW) {
        Ok(text) => {
            sheet.read_in(SHADOW);
            text
        }
        Err(HostError::NotPresent(_)) => String::new(),
        Err(error) => {
            sheet.lacks(format!("whether passwords are set: {error}"));
            String::new()
        }
    };
    let secrets: BTreeMap<&str, Vec<&str>> = shadow
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            Some((*fields.first()?, fields))
        })
        .collect();
    let sudo = sudo::read(host, sheet);
    let last = last_logins(host);
    for one in accounts(&passwd) {
        let groups = groups_of(&group, &one);
        let shell = one.shell.rsplit('/').next().unwrap_or_default();
        let closed = !one.shell.is_empty() && CLOSED.contains(&shell);
        let by = sudo.by(one.name, one.uid, &groups);
        let row = Row::new(one.name)
            .durable("name", one.name)
            .durable("uid", one.uid)
            .durable("gid", one.gid)
            .durable("full_name", one.gecos.split(',').next().unwrap_or_default())
            .durable("home", one.home)
            .durable("shell", one.shell)
            .durable("can_log_in", if closed { "no" } else { "yes" })
            .durable("groups", groups.iter().copied().collect::<Vec<_>>().join(","))
            .durable("sudo", if by.is_some() { "yes" } else { "no" })
            .known("sudo_by", by);
        let row = match secrets.get(one.name) {
            Some(fields) => secret(row, fields),
            None => row,
        };
        sheet.row(match last.get(one.name) {
            Some(seconds) => row.latest("last_login", date::spelled(*seconds).unwrap_or_default()),
            None => row,
        });
    }
    elsewhere(&passwd, &group, &sudo).into_iter().for_each(|row| sheet.row(row));
    Ok(())
}

/// Who may become root here and has an account elsewhere, such as in a directory: named by a rule, or a member of a group that is.
fn elsewhere(passwd: &str, group: &str, sudo: &sudo::Sudo) -> Vec<Row> {
    let known: BTreeSet<&str> = accounts(passwd).map(|account| account.name).collect();
    let mut others: BTreeMap<&str, BTreeSet<&str>> = sudo.people().map(|name| (name, BTreeSet::new())).collect();
    for (name, _, members) in group_lines(group) {
        for member in members {
            others.entry(member).or_default().insert(name);
        }
    }
    let rows = others.into_iter().filter(|(name, _)| !known.contains(name)).filter_map(|(name, groups)| {
        let by = sudo.by(name, "", &groups).filter(|by| !by.starts_with("ALL"))?;
        let groups = groups.into_iter().collect::<Vec<_>>().join(",");
        let row = Row::new(name).durable("name", name).durable("groups", groups);
        Some(row.durable("sudo", "yes").durable("sudo_by", by))
    });
    rows.collect()
}

/// Whether there is a password, never what it is: shadow(5).
fn secret(row: Row, fields: &[&str]) -> Row {
    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
    let password = match field(1) {
        "" => "none",
        hash if hash.starts_with(['!', '*']) => "locked",
        _ => "set",
    };
    let day = |at: usize| field(at).parse().ok().and_then(date::day);
    row.durable("password", password).known("password_changed", day(2)).known("expires", day(7))
}

fn groups_of<'a>(group: &'a str, account: &Account<'_>) -> BTreeSet<&'a str> {
    let belongs = |gid: &str, members: &[&str]| gid == account.gid || members.contains(&account.name);
    group_lines(group).filter(|(_, gid, members)| belongs(gid, members)).map(|(name, ..)| name).collect()
}

/// Groups, with the members that are named.
pub(super) fn groups(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let text = host.read_text(GROUP)?;
    sheet.read_in(GROUP);
    for (name, gid, mut members) in group_lines(&text) {
        members.sort_unstable();
        sheet.row(Row::new(name).durable("name", name).durable("gid", gid).durable("members", members.join(",")));
    }
    Ok(())
}

/// The last log-in of each, from records of utmp(5): 384 bytes on every architecture whose time has 32 bits there.
fn last_logins(host: &Host) -> BTreeMap<String, i64> {
    const RECORD: usize = 384;
    const USER_PROCESS: u16 = 7;
    let (mut bytes, mut last) = (Vec::new(), BTreeMap::new());
    if host.read(WTMP, &mut bytes).is_err() {
        return last;
    }
    for record in bytes.chunks_exact(RECORD) {
        if u16::from_le_bytes([record[0], record[1]]) != USER_PROCESS {
            continue;
        }
        let name = record[44..76].split(|byte| *byte == 0).next().unwrap_or_default();
        let seconds = i64::from(u32::from_le_bytes([record[340], record[341], record[342], record[343]]));
        let entry = last.entry(String::from_utf8_lossy(name).into_owned()).or_insert(seconds);
        *entry = seconds.max(*entry);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    fn machine() -> Machine {
        let machine = Machine::new();
        machine.files(&[
            (
                "etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann A,,,:/home/ann:/bin/zsh\n\
                 bob:x:1001:1001::/home/bob:/bin/sh\n_chrony:x:101:102::/var/lib/chrony:/usr/sbin/nologin\n+::::::\n",
            ),
            ("etc/group", "root:x:0:\nsudo:x:27:ann\nann:x:1000:\nusers:x:100:bob,ann\n"),
            ("etc/shadow", "root:*:19000:0:99999:7:::\nann:$y$j9T$x:20000:0:99999:7::20100:\nbob::19000::::::\n"),
            (
                "etc/sudoers",
                "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
            ),
            ("etc/sudoers.d/bob", "bob ALL=(root) NOPASSWD: /usr/bin/apt\n"),
            ("etc/sudoers.d/old~", "_chrony ALL=(ALL) ALL\n"),
        ]);
        machine
    }

    #[test]
    fn accounts_say_who_can_log_in_and_become_root() {
        let machine = machine();
        let mut record = vec![0; 384];
        record[0] = 7;
        record[44..47].copy_from_slice(b"ann");
        record[340..344].copy_from_slice(&1_700_000_000_u32.to_le_bytes());
        machine.file("var/log/wtmp", record);
        assert_eq!(
            machine.lines("users"),
            [
                "_chrony: can_log_in=no gid=102 home=/var/lib/chrony name=_chrony shell=/usr/sbin/nologin sudo=no uid=101",
                "ann: can_log_in=yes expires=2025-01-12 full_name=Ann A gid=1000 groups=ann,sudo,users home=/home/ann \
                 name=ann password=set password_changed=2024-10-04 shell=/bin/zsh sudo=yes sudo_by=%sudo uid=1000 \
                 | last_login=2023-11-14T22:13:20Z",
                "bob: can_log_in=yes gid=1001 groups=users home=/home/bob name=bob password=none \
                 password_changed=2022-01-08 shell=/bin/sh sudo=yes sudo_by=bob (NOPASSWD) uid=1001",
                "root: can_log_in=yes full_name=root gid=0 groups=root home=/root name=root password=locked \
                 password_changed=2022-01-08 shell=/bin/bash sudo=yes sudo_by=uid 0",
            ]
            .map(|line| if line.starts_with("root") { format!("{line} uid=0") } else { line.to_owned() })
        );
        assert_eq!(machine.section("users").status, Status::Complete);
    }

    #[test]
    fn whoever_has_an_account_elsewhere_and_may_become_root_here_is_listed() {
        let machine = machine();
        machine.file("etc/group", "sudo:x:27:ann,dana\nusers:x:100:erin\n");
        machine
            .file("etc/sudoers", "%sudo ALL=(ALL) ALL\nfrank@example.org ALL=(ALL) NOPASSWD: ALL\nALL ALL=/bin/true\n");
        let lines = machine.lines("users");
        let without_account: Vec<&String> = lines.iter().filter(|line| !line.contains("uid=")).collect();
        assert_eq!(
            without_account,
            [
                "dana: groups=sudo name=dana sudo=yes sudo_by=%sudo",
                "frank@example.org: name=frank@example.org sudo=yes sudo_by=frank@example.org (NOPASSWD)",
            ]
        );
    }

    #[test]
    fn groups_name_their_members() {
        assert_eq!(
            machine().lines("groups"),
            [
                "ann: gid=1000 name=ann",
                "root: gid=0 name=root",
                "sudo: gid=27 members=ann name=sudo",
                "users: gid=100 members=ann,bob name=users"
            ]
        );
    }
}
