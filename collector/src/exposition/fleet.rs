//! `/metrics`: our own figures and the fleet's. One pass over the hosts, one buffer per family.

use axum::{extract::State, response::Response};

use super::{ExpositionContext, family::Family, hardware, inventory, negotiation::Wanted, own, page, service_levels};
use crate::domain::{
    host::{State as Liveness, checks::Status, slots::Slots},
    labels::Admission,
    readings::dictionary::text::{self, Format},
    record::IncidentState,
    severity::Severity,
    snapshot::{HostView, Snapshot},
};

/// `GET /metrics`
pub(super) async fn metrics(State(context): State<ExpositionContext>, wanted: Wanted) -> Response {
    let mut body = Vec::new();
    own::append(&context.registry.gather(), wanted.format, &mut body);
    if let Some(snapshot) = context.taken_snapshot() {
        append_fleet(&snapshot, &context.slots, wanted.format, &mut body);
        let of_hardware = hardware::families(&context, &snapshot, wanted.format);
        of_hardware.iter().for_each(|family| family.append_if_any(&mut body));
        let of_inventory = inventory::families(&context, &snapshot, wanted.format);
        of_inventory.iter().for_each(|family| family.append_if_any(&mut body));
    }
    service_levels::families(&context.levels, wanted.format).iter().for_each(|family| family.append(&mut body));
    page::answer(&context, wanted, Ok(body)).await
}

/// Appends the fleet as of `snapshot`. Hosts that may not report are left out.
fn append_fleet(snapshot: &Snapshot, slots: &Slots, format: Format, body: &mut Vec<u8>) {
    let mut hosts = HostFamilies::new(format);
    for view in snapshot.hosts.values().filter(|view| view.profile.admission == Admission::Active) {
        hosts.push(view, slots);
    }
    let families = hosts.into_all().into_iter().chain([
        incidents(snapshot, format),
        cuts(snapshot, format),
        started(snapshot, format),
        checks(snapshot, format),
    ]);
    let families = families.chain(heartbeats(snapshot, format));
    families.for_each(|family| family.append(body));
}

/// The families that have series for each host.
struct HostFamilies {
    up: Family,
    liveness: Family,
    info: Family,
    agent: Family,
    last_report: Family,
    left_out: Family,
    clock: Family,
    finding: Family,
    full_in: Family,
}

impl HostFamilies {
    fn new(format: Format) -> Self {
        let family = |name, help| Family::new(format, name, help);
        Self {
            up: family("muster_host_up", "Whether the host is up or only suspect."),
            liveness: family("muster_host_liveness", "1 for the state that the host is in, 0 for all others."),
            info: family("muster_host_info", "What the host is; always 1."),
            agent: family("muster_agent_info", "The version of the host's agent; always 1."),
            last_report: family("muster_host_last_report_timestamp_seconds", "When the host's last readings arrived."),
            left_out: family(
                "muster_host_families_left_out",
                "Metric families left out because the host has more series than it may.",
            ),
            clock: family(
                "muster_host_clock_ahead_seconds",
                "How far the host's clock is ahead of the collector's; the way of the report is in it.",
            ),
            finding: family("muster_finding", "An open finding; always 1."),
            full_in: family(
                "muster_filesystem_full_in_seconds",
                "When the file system is full if it goes on filling as in the last two days; none where it does not fill.",
            ),
        }
    }

    fn push(&mut self, view: &HostView, slots: &Slots) {
        let profile = &view.profile;
        let facts = &profile.facts;
        let host = text::clean(&profile.name);
        let host = ("host", host.as_str());
        let site = text::clean(profile.site.as_deref().unwrap_or_default());
        let (class, site) = (("class", profile.class.word()), ("site", site.as_str()));
        self.up.push(&[host, class, site], f64::from(u8::from(view.state.counts_as_up())));
        for state in Liveness::ALL {
            self.liveness.push(&[host, ("state", state.word())], f64::from(u8::from(state == view.state)));
        }
        let said =
            [&facts.os, &facts.os_release, &facts.kernel, &facts.architecture, &facts.chassis, &facts.agent_version]
                .map(|said| text::clean(said));
        let id = profile.id.to_string();
        let labels = [
            host,
            ("host_id", &id),
            class,
            site,
            ("watch", profile.watch.word()),
            ("os", &said[0]),
            ("os_release", &said[1]),
            ("kernel", &said[2]),
            ("architecture", &said[3]),
            ("chassis", &said[4]),
            ("agent_version", &said[5]),
        ];
        self.info.push(&labels, 1.0);
        if !said[5].is_empty() {
            self.agent.push(&[host, ("version", &said[5])], 1.0);
        }
        for finding in view.findings.iter().filter(|finding| finding.open) {
            let component = text::clean(&finding.part);
            let rule = text::clean(&finding.rule);
            let labels = [host, ("component", &component), ("rule", &rule), ("severity", finding.severity.word())];
            self.finding.push(&labels, 1.0);
        }
        if let Some(slot) = slots.find(profile.no) {
            let figures = slot.figures();
            if let Some(last) = figures.last_report {
                self.last_report.push(&[host], last.ms() as f64 / 1_000.0);
                self.clock.push(&[host], figures.agent_clock_ahead_ms as f64 / 1_000.0);
            }
            self.left_out.push(&[host], figures.families_left_out as f64);
            for filling in slot.forecasts() {
                let labels = [host, ("mountpoint", &text::clean(&filling.mount_point))];
                self.full_in.push(&labels, (filling.forecast.hours * 3_600.0).round());
            }
        }
    }

    fn into_all(self) -> [Family; 9] {
        [
            self.up,
            self.liveness,
            self.info,
            self.agent,
            self.last_report,
            self.left_out,
            self.clock,
            self.finding,
            self.full_in,
        ]
    }
}

/// Checks of all hosts by how they stand: those that count as that; the others are still tried.
fn checks(snapshot: &Snapshot, format: Format) -> Family {
    let mut family = Family::new(format, "muster_checks", "Service checks of all hosts that count as this status.");
    let mut counts = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown].map(|status| (status, 0_u32));
    for row in snapshot.hosts.values().flat_map(|host| &host.checks).filter(|row| row.hard) {
        counts.iter_mut().filter(|(status, _)| *status == row.status).for_each(|(_, count)| *count += 1);
    }
    for (status, count) in counts {
        family.push(&[("status", status.word())], f64::from(count));
    }
    family
}

/// Incidents that are not over, by severity and state; zeros too, so that a rate or an alert has something to stand on.
fn incidents(snapshot: &Snapshot, format: Format) -> Family {
    let mut family = Family::new(format, "muster_incidents", "Incidents that are not resolved.");
    for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
        for state in [IncidentState::Open, IncidentState::Acknowledged] {
            let rows = snapshot.incidents.values().map(|incident| &incident.row);
            let count = rows.filter(|row| row.severity == severity && row.state == state).count();
            family.push(&[("severity", severity.word()), ("state", state.word())], count as f64);
        }
    }
    family
}

/// Other people's jobs once they have said something.
fn heartbeats(snapshot: &Snapshot, format: Format) -> [Family; 2] {
    let mut up = Family::new(format, "muster_heartbeat_up", "Whether a job ran when it was expected to.");
    let mut success = Family::new(
        format,
        "muster_heartbeat_last_success_timestamp_seconds",
        "When a job said last that it had run well.",
    );
    for view in snapshot.heartbeats.iter() {
        let Some(row) = &view.row else { continue };
        let name = [("name", view.heartbeat.name.as_str())];
        up.push(&name, f64::from(u8::from(!view.state.is_trouble())));
        if let Some(at) = row.success {
            success.push(&name, at.ms() as f64 / 1_000.0);
        }
    }
    [up, success]
}

fn cuts(snapshot: &Snapshot, format: Format) -> Family {
    let mut family = Family::new(format, "muster_cut", "A scope that is cut off from the collector now; always 1.");
    for scope in snapshot.cuts.keys() {
        family.push(&[("scope", &text::clean(scope))], 1.0);
    }
    family
}

fn started(snapshot: &Snapshot, format: Format) -> Family {
    let mut family = Family::new(format, "muster_collector_started_timestamp_seconds", "When this collector started.");
    family.push(&[], snapshot.started.ms() as f64 / 1_000.0);
    family
}
