//! zypper(8): packages that could be newer, and patches, which alone say what is of security.

use super::{Row, Sheet, Unread, Update, run};
use crate::host::Host;

/// What is known already is asked, and nobody at the keyboard.
const ASKED: [&str; 3] = ["--quiet", "--non-interactive", "--no-refresh"];
/// All well; and repositories that were skipped since nothing of them lies here (`ZYPPER_EXIT_INF_REPOS_SKIPPED`).
const FINE: [i32; 2] = [0, 106];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("zypper list-updates, list-patches");
    let asked = |what: &[&'static str]| run(host, "zypper", &[&ASKED[..], what].concat(), &FINE);
    let updates = asked(&["list-updates"])?;
    let patches = asked(&["list-patches", "--category", "security"]);
    let patches = patches.as_ref().map(|text| table(text, &["Name", "Category", "Severity", "Repository"]));
    // A patch names no package here: where there are some it is not known which packages they mend.
    let security = patches.as_ref().ok().filter(|patches| patches.is_empty()).map(|_| false);
    for [name, installed, candidate, architecture, origin] in
        table(&updates, &["Name", "Current Version", "Available Version", "Arch", "Repository"])
    {
        sheet.row(Update { manager: "zypper", name, architecture, installed, candidate, origin, security }.row());
    }
    match patches {
        Ok(patches) => patches.into_iter().for_each(|[name, category, severity, origin]| {
            let row = Row::new(format_args!("zypper/patch/{name}"))
                .durable("manager", "zypper")
                .durable("kind", "patch")
                .durable("name", name)
                .durable("category", category)
                .durable("severity", severity)
                .durable("origin", origin)
                .durable("security", "yes");
            sheet.row(row);
        }),
        Err(_) => sheet.fails("which updates are of security: zypper list-patches did not end well"),
    }
    Ok(())
}

/// The columns with these headings of a table with bars, line by line.
fn table<'a, const N: usize>(text: &'a str, headings: &[&str; N]) -> Vec<[&'a str; N]> {
    let cells = |line: &'a str| line.split('|').map(str::trim).collect::<Vec<&str>>();
    let mut lines = text.lines().filter(|line| line.contains('|'));
    let heads = lines.next().map(cells).unwrap_or_default();
    let at = headings.map(|heading| heads.iter().position(|known| *known == heading));
    let rows = lines.filter_map(|line| {
        let row = cells(line);
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at).copied()).unwrap_or_default();
        let row = at.map(cell);
        // Its first column is what it is about.
        (!row[0].is_empty()).then_some(row)
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::super::super::testing::Machine;

    fn machine(patches: &str) -> Machine {
        let machine = Machine::new();
        machine.file("etc/zypp/zypp.conf", "");
        let updates = "S  | Repository | Name | Current Version | Available Version | Arch\n\
                       ---+------------+------+-----------------+-------------------+-------\n\
                       v  | main-upd   | zlib | 1.3-1.1         | 1.3-2.1           | x86_64\n";
        machine.tool("zypper", &format!("case $* in *list-patches*) {patches};; *) cat <<'E'\n{updates}E\n;; esac"));
        machine
    }

    #[test]
    fn patches_of_security_stand_beside_the_packages() {
        let patches = "cat <<'E'\nRepository | Name | Category | Severity | Interactive | Status | Summary\n\
                       -----------+------+----------+----------+-------------+--------+--------\n\
                       main-upd | SUSE-2026-1 | security | important | --- | needed | for zlib\nE\n";
        assert_eq!(
            machine(patches).lines("updates"),
            [
                "zypper/patch/SUSE-2026-1: category=security kind=patch manager=zypper name=SUSE-2026-1 origin=main-upd \
                 security=yes severity=important",
                "zypper/zlib/x86_64: architecture=x86_64 candidate=1.3-2.1 installed=1.3-1.1 manager=zypper name=zlib \
                 origin=main-upd",
            ]
        );
    }

    #[test]
    fn without_a_patch_nothing_is_of_security_and_what_cannot_be_asked_is_not_known() {
        let lines = machine("echo 'No updates found.'").lines("updates");
        assert!(lines.len() == 1 && lines[0].ends_with("origin=main-upd security=no"), "{lines:?}");
        let section = machine("exit 7").section("updates");
        assert_eq!((section.status, section.rows.len()), (Status::Partial, 1));
        assert_eq!(section.rows[0].get("security"), None);
    }
}
