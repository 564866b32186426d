//! The table of support beside what others have collected, and os-release files of real systems held against it: where both
//! are at hand.

use muster_collector::domain::os_support::{Release, Table, Tier};
use muster_collector::domain::time::Timestamp;

/// The list of endoflife.date.
const OTHERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/os-eol.csv");
/// os-release files of some hundred releases.
const RELEASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/inventory/os-release");
const DAY_MS: i64 = 86_400_000;

#[test]
fn the_table_says_what_others_say_within_a_month() {
    // Makers often name a month; whoever writes it down chooses a day of it.
    let Ok(others) = std::fs::read_to_string(OTHERS) else {
        eprintln!("LEFT OUT: {OTHERS} is not there, the table is compared with nothing");
        return;
    };
    let rows: Vec<Vec<&str>> = others.lines().map(|line| line.split(',').collect()).collect();
    let mut compared = 0;
    for cycle in Table::built_in().cycles {
        let row = rows.iter().find(|row| row[0] == cycle.product && row[1] == cycle.name);
        let row = row.unwrap_or_else(|| panic!("{} {} is not known to others", cycle.product, cycle.name));
        let ours = [cycle.security, cycle.extended.map(|(until, _)| until)];
        for (ours, theirs) in ours.into_iter().zip([row[7], row[8]]) {
            let Some(theirs) = days(theirs) else { continue };
            let ours = ours.and_then(|day| days(&day.to_string()));
            let ours = ours.unwrap_or_else(|| panic!("{} {}: others name a day", cycle.product, cycle.name));
            assert!((ours - theirs).abs() <= 31, "{} {}: {row:?}", cycle.product, cycle.name);
            compared += 1;
        }
    }
    assert!(compared > 120, "only {compared} days were compared");
}

#[test]
fn builds_of_windows_are_the_releases_that_others_know_them_as() {
    let Ok(others) = std::fs::read_to_string(OTHERS) else {
        eprintln!("LEFT OUT: {OTHERS} is not there, the builds are compared with nothing");
        return;
    };
    let rows: Vec<Vec<&str>> = others.lines().map(|line| line.split(',').collect()).collect();
    let builds = Table::built_in().builds;
    for build in &builds {
        let of_it = |row: &&Vec<&str>| row[0] == build.product && row[9].ends_with(&format!(".{}", build.number));
        let mut theirs = rows.iter().filter(of_it).peekable();
        // Vista and its server have two numbers each, of which others write one down.
        let is_known = theirs.peek().is_some() || build.number < 7_000;
        assert!(is_known, "others have no {build:?}");
        let fits = |row: &Vec<&str>| row[1].starts_with(&build.cycle) || row[1].ends_with("-sac");
        assert!(theirs.clone().all(fits), "{build:?}: {:?}", theirs.collect::<Vec<_>>());
    }
    assert!(builds.len() > 35, "only {} builds", builds.len());
}

/// Days since 0000-03-01 of a date as 2026-11-30.
fn days(text: &str) -> Option<i64> {
    let parts: Vec<i64> = text.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [year, month, day] = parts[..] else { return None };
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1)
}

#[test]
fn releases_of_known_systems_have_a_cycle() {
    let Ok(files) = std::fs::read_dir(RELEASES) else {
        eprintln!("LEFT OUT: {RELEASES} is not there, no real release was held against the table");
        return;
    };
    let products: Vec<String> = Table::built_in().cycles.into_iter().map(|cycle| cycle.product).collect();
    let now = Timestamp::from_ms(20_787 * DAY_MS);
    let (mut known, mut without) = (0, Vec::new());
    for file in files.flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        let fields = [("id", "ID"), ("id_like", "ID_LIKE"), ("name", "NAME"), ("version_id", "VERSION_ID")];
        let fields = fields.map(|(field, key)| (field.to_owned(), value(key)));
        let Some(release) = Release::of_fields(&fields) else { continue };
        let support = Table::built_in().support(&release, now);
        if !products.contains(&support.product) {
            continue;
        }
        known += 1;
        if support.tier == Tier::Unknown {
            without.push(file.file_name());
        }
    }
    assert!(known >= 40 && without.len() * 33 <= known, "of {known} these have no cycle: {without:?}");
}
