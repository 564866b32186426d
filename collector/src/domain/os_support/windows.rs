//! Which cycle of Windows a build is: the number says the release, and of most releases the edition says until when.

use super::{Release, Table};

/// Editions (`EditionID` in the registry), as they begin, and what follows the release in the table's names: `-e` Enterprise
/// and Education, `-w` Home and Pro, `-e-lts` and `-iot-lts` the ones that stay as they are for years. Longer ones first.
const EDITIONS: [(&str, &str); 8] = [
    ("IoTEnterpriseS", "-iot-lts"),
    ("IoTEnterprise", "-e"),
    ("EnterpriseS", "-e-lts"),
    ("Enterprise", "-e"),
    ("Education", "-e"),
    // Several people at once on a desktop in somebody's cloud; a client although it is called a server.
    ("ServerRdsh", "-e"),
    ("Professional", "-w"),
    ("Core", "-w"),
];

/// Whether it is one for servers.
pub(super) fn is_server(release: &Release) -> bool {
    release.edition.starts_with("Server") && !release.edition.starts_with("ServerRdsh")
}

/// The names that the cycle may have, the most exact one first. Of an edition that is not known the one that ends first is
/// taken: better too early than too late.
pub(super) fn names(release: &Release, table: &Table) -> Vec<String> {
    let (product, Some(number)) = (release.product(), release.build) else { return Vec::new() };
    let is_it = |build: &&super::table::Build| build.product == product && build.number == number;
    let Some(build) = table.builds.iter().find(is_it) else { return Vec::new() };
    let name = &build.cycle;
    if is_server(release) {
        return vec![name.clone()];
    }
    let edition = EDITIONS.iter().find(|(begin, _)| release.edition.starts_with(begin));
    let own = edition.map_or("-w", |(_, suffix)| suffix);
    // One for things that has no line of its own is kept as long as its sister for desks.
    let sister = if own == "-iot-lts" { "-e-lts" } else { own };
    vec![format!("{name}{own}"), format!("{name}{sister}"), name.clone()]
}
