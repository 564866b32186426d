//! Snaps and flatpaks, from what they leave in directories: no daemon is asked.

use super::super::network::last_of;
use super::super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const SNAP: &str = "/snap";
const FLATPAK: &str = "/var/lib/flatpak";

fn listed(host: &Host, directory: &str) -> Result<Vec<String>, Unread> {
    match host.list(directory) {
        Ok(names) => Ok(names),
        Err(HostError::NotPresent(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Each snap's directory has its revisions, and `current` points to one.
pub(super) fn snaps(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for name in listed(host, SNAP)? {
        let Some(revision) = last_of(host, &format!("{SNAP}/{name}/current")) else { continue };
        let text = host.read_text(&format!("{SNAP}/{name}/current/meta/snap.yaml")).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        sheet.read_in(SNAP);
        let row = Row::new(format_args!("snap/{name}"))
            .durable("manager", "snap")
            .durable("name", &name)
            .durable("version", value("version"))
            .durable("revision", revision)
            .durable("confinement", value("confinement"));
        sheet.row(row);
    }
    Ok(())
}

/// `{app,runtime}/NAME/ARCHITECTURE/BRANCH/active` points to a commit.
pub(super) fn flatpaks(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for kind in ["app", "runtime"] {
        for name in listed(host, &format!("{FLATPAK}/{kind}"))? {
            for architecture in listed(host, &format!("{FLATPAK}/{kind}/{name}"))? {
                let directory = format!("{FLATPAK}/{kind}/{name}/{architecture}");
                for branch in listed(host, &directory)? {
                    // Beside the architectures lies a link to the current one.
                    let Some(commit) = last_of(host, &format!("{directory}/{branch}/active")) else { continue };
                    sheet.read_in(FLATPAK);
                    let row = Row::new(format_args!("flatpak/{name}/{architecture}/{branch}"))
                        .durable("manager", "flatpak")
                        .durable("name", &name)
                        .durable("kind", kind)
                        .durable("architecture", &architecture)
                        .durable("version", &branch)
                        .durable("revision", commit.get(..12).unwrap_or(&commit));
                    sheet.row(row);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Machine;

    #[test]
    fn bundles_are_known_by_what_their_links_point_to() {
        let machine = Machine::new();
        machine.file("snap/core22/1122/meta/snap.yaml", "name: core22\nversion: '20240111'\nconfinement: strict\n");
        machine.link("snap/core22/current", "1122");
        machine.file("snap/README", "");
        let at = "var/lib/flatpak/app/org.gimp.GIMP";
        machine.file(&format!("{at}/x86_64/stable/0123456789abcdef/metadata"), "[Application]\n");
        machine.link(&format!("{at}/x86_64/stable/active"), "0123456789abcdef");
        machine.link(&format!("{at}/current"), "x86_64/stable");
        assert_eq!(
            machine.lines("packages"),
            [
                "flatpak/org.gimp.GIMP/x86_64/stable: architecture=x86_64 kind=app manager=flatpak name=org.gimp.GIMP \
                 revision=0123456789ab version=stable",
                "snap/core22: confinement=strict manager=snap name=core22 revision=1122 version=20240111",
            ]
        );
    }
}
