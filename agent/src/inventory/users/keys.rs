//! SSH keys with which one can log in: sshd(8), AUTHORIZED_KEYS FILE FORMAT. Fingerprints as `ssh-keygen -l` prints them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};

use super::super::{Row, Sheet, Unread};
use super::{PASSWD, accounts};
use crate::host::{Host, HostError};

/// sshd's default, and its second file.
const FILES: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];
/// Beginnings of the names of key types.
const TYPES: [&str; 4] = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];

pub(in super::super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let passwd = host.read_text(PASSWD)?;
    sheet.read_in("authorized_keys");
    for account in accounts(&passwd) {
        for file in FILES {
            let path = format!("{}/{file}", account.home.trim_end_matches('/'));
            match host.read_text(&path) {
                Ok(text) => text.lines().filter_map(|line| key(account.name, line)).for_each(|row| {
                    sheet.row(row.durable("file", &path));
                }),
                Err(HostError::NotPresent(_)) => {}
                Err(error) => sheet.lacks(error),
            }
        }
    }
    Ok(())
}

/// `[options] type base64 [comment]`.
fn key(user: &str, line: &str) -> Option<Row> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let is_type = |word: &str| TYPES.iter().any(|kind| word.starts_with(kind));
    // Options may hold blanks within quotes, but no word that is a type with a key behind it.
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let at = words.iter().position(|word| is_type(word))?;
    let blob = STANDARD.decode(words.get(at + 1)?).ok()?;
    let print = STANDARD_NO_PAD.encode(digest(&SHA256, &blob).as_ref());
    let row = Row::new(format_args!("{user}/SHA256:{print}"))
        .durable("user", user)
        .durable("type", words[at])
        .durable("fingerprint", format_args!("SHA256:{print}"))
        .durable("comment", words[at + 2..].join(" "))
        .durable("options", words[..at].join(" "));
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Machine;

    /// A blob of ssh-ed25519 made of a hash; the fingerprint is `SHA256:` and base64 of hashlib's sha256 of it.
    #[test]
    fn keys_are_known_by_their_fingerprints() {
        let machine = Machine::new();
        machine.file("etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n");
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILDUSakevjRtP2V1BQ3jKqJzHvq7f3rfLurki6bGUs86";
        machine.file("home/ann/.ssh/authorized_keys", format!("# mine\nfrom=\"10.0.0.1\",no-pty {key} ann@box\nbad\n"));
        assert_eq!(
            machine.lines("ssh_keys"),
            [
                "ann/SHA256:Fc3lgOjQoA4yUeemvuW88LSpV8F4LGDeeSKch9Br748: comment=ann@box file=/home/ann/.ssh/authorized_keys fingerprint=SHA256:Fc3lgOjQoA4yUeemvuW88LSpV8F4LGDeeSKch9Br748 \
              options=from=\"10.0.0.1\",no-pty type=ssh-ed25519 user=ann"
            ]
        );
    }
}
