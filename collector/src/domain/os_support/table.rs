//! The table of cycles, and looking one up.

use std::cmp::Ordering;

use jiff::civil::Date;

use super::{Release, Support, Tier, day, windows};
use crate::domain::time::Timestamp;

const BUILT_IN: &str = include_str!("table.csv");
/// A table older than this warns, in days: half a year brings a release of every product.
const STALE_DAYS: i64 = 180;

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct TableError {
    /// Which line, from 1.
    pub line: usize,
    /// What is expected there.
    pub why: String,
}

/// One release of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Whose.
    pub product: String,
    /// Its name: `12`, `24.04`.
    pub name: String,
    /// The last day on which everything is mended; none: as long as holes are.
    pub active: Option<Date>,
    /// The last day on which holes are mended for all; none: none is announced.
    pub security: Option<Date>,
    /// The last day on which holes are mended for some, and what that is called.
    pub extended: Option<(Date, String)>,
}

/// A build that is known by its number, and the cycle that it is; of Windows without the edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Whose.
    pub product: String,
    /// Its number: 26100.
    pub number: u32,
    /// What cycles of it begin with: `11-24h2`.
    pub cycle: String,
}

/// All cycles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// When somebody looked last that all of it is so.
    pub dated: Date,
    /// The cycles, in their order.
    pub cycles: Vec<Cycle>,
    /// Builds, by the number that a machine tells.
    pub builds: Vec<Build>,
    /// Products of which the extended support was bought.
    pub contracts: Vec<String>,
}

impl Table {
    /// The table of the program.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("a test reads the table of the program")
    }

    /// Reads a table: `dated,DAY` and then `product,cycle,active until,security until,extended until,name` a line, and
    /// `build,product,number,cycle` for systems that tell a number.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let (mut dated, mut cycles, mut builds) = (None, Vec::new(), Vec::new());
        for (n, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| TableError { line: n, why: why.to_owned() };
            if let Some(day) = line.strip_prefix("dated,") {
                dated = Some(day.trim().parse().map_err(|_| wrong("dated is followed by a day such as 2026-11-20"))?);
                continue;
            }
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            if let ["build", product, number, cycle] = cells[..] {
                let number = number.parse().map_err(|_| wrong("build,product,number,cycle: a number such as 26100"))?;
                builds.push(Build { product: product.to_owned(), number, cycle: cycle.to_owned() });
                continue;
            }
            let [product, name, active, security, extended, called] = cells[..] else {
                return Err(wrong("six cells: product,cycle,active until,security until,extended until,name"));
            };
            if product.is_empty() || name.is_empty() || security.is_empty() {
                return Err(wrong("product, cycle and security until (a day, or - where none is announced)"));
            }
            let date = |text: &str| match text {
                "" | "-" => Ok(None),
                text => text.parse().map(Some).map_err(|_| wrong("days are such as 2026-11-20")),
            };
            let extended = date(extended)?.map(|until| (until, called.to_owned()));
            let (product, name) = (product.to_owned(), name.to_owned());
            cycles.push(Cycle { product, name, active: date(active)?, security: date(security)?, extended });
        }
        let dated = dated.ok_or(TableError { line: 1, why: "dated,DAY is missing".into() })?;
        Ok(Self { dated, cycles, builds, contracts: Vec::new() })
    }

    /// Whether nobody has looked for half a year that it is so.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.age_days(now).is_some_and(|days| days > STALE_DAYS)
    }

    /// How old it is, in days.
    #[must_use]
    pub fn age_days(&self, now: Timestamp) -> Option<i64> {
        Some(i64::from(day(now)?.since(self.dated).ok()?.get_days()))
    }

    /// What is known of a machine's operating system.
    #[must_use]
    pub fn support(&self, release: &Release, now: Timestamp) -> Support {
        if release.is_rolling() {
            return Support::without(release.id.clone(), Tier::Rolling);
        }
        let product = release.product();
        let of_build = windows::names(release, self);
        let exactly = |name: &String| self.cycles.iter().find(|one| one.product == product && one.name == *name);
        if let Some(cycle) = of_build.iter().find_map(exactly) {
            return self.standing(cycle, false, now);
        }
        // A build that is not in the table is a newer one: 10 and 11 are no cycles.
        if release.build.is_some() {
            let cycle = release.build.map(|build| format!("build {build}")).unwrap_or_default();
            return Support { cycle, ..Support::without(product.to_owned(), Tier::Unknown) };
        }
        if let Some(cycle) = self.find(product, &release.version) {
            return self.standing(cycle, false, now);
        }
        if self.is_older(product, &release.version) {
            let cycle = release.version.clone();
            return Support { cycle, ..Support::without(product.to_owned(), Tier::Ended) };
        }
        let base = release.base().and_then(|(product, cycle)| self.find(product, cycle));
        if let Some(cycle) = base {
            return self.standing(cycle, true, now);
        }
        let known = self.cycles.iter().any(|cycle| cycle.product == product);
        let cycle = if known { release.version.clone() } else { String::new() };
        let product = if known { product.to_owned() } else { String::new() };
        Support { cycle, ..Support::without(product, Tier::Unknown) }
    }

    /// The cycle of a version: of the whole of it, else of its first two parts, else of the first.
    fn find(&self, product: &str, version: &str) -> Option<&Cycle> {
        let parts: Vec<&str> = version.split('.').collect();
        let two = parts.iter().take(2).copied().collect::<Vec<_>>().join(".");
        let zero = format!("{version}.0");
        let wanted = [version, &two, parts[0], &zero];
        let of = |name: &&str| self.cycles.iter().find(|cycle| cycle.product == product && cycle.name == **name);
        wanted.iter().find_map(of)
    }

    /// Whether a version is older than all that are listed of its product.
    fn is_older(&self, product: &str, version: &str) -> bool {
        let listed = self.cycles.iter().filter(|cycle| cycle.product == product);
        let mut listed = listed.map(|cycle| numbers(&cycle.name)).peekable();
        let version = numbers(version);
        !version.is_empty() && listed.peek().is_some() && listed.all(|other| version.cmp(&other) == Ordering::Less)
    }

    /// How a cycle stands now.
    fn standing(&self, cycle: &Cycle, is_base: bool, now: Timestamp) -> Support {
        let today = day(now);
        let lasts = |until: Option<Date>| until.is_none_or(|until| today.is_none_or(|today| today <= until));
        let tier = if lasts(cycle.security) {
            if cycle.active.is_none() || lasts(cycle.active) { Tier::Active } else { Tier::SecurityOnly }
        } else if cycle.extended.as_ref().is_some_and(|(until, _)| lasts(Some(*until))) {
            Tier::Extended
        } else {
            Tier::Ended
        };
        Support {
            product: cycle.product.clone(),
            cycle: cycle.name.clone(),
            is_base,
            tier,
            ends: cycle.security,
            extended: cycle.extended.clone(),
            has_contract: self.contracts.contains(&cycle.product),
        }
    }
}

/// `15.5` as numbers; what follows a hyphen is an edition.
fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}
