//! The one table of paths: who may ask for what. It builds the router, the guard's roles and the API's description,
//! so that none can miss a route of the other. What is not in the table needs an admin.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Method,
    routing::{MethodRouter, delete, get, patch, post, put},
};

use super::{Shared, api, assets, ping, sign_in, views};
use crate::store::people::Role;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: liveness of the collector, assets, sign-in.
    Nothing,
    /// The secret in its path, which the route looks at itself.
    Secret,
    /// At least this role.
    Role(Role),
    /// A program that may post alerts, or an operator. Being on this machine is not enough.
    PostAlerts,
}

impl Need {
    /// Whether somebody with this role may.
    pub(super) fn allows(self, role: Role) -> bool {
        match self {
            Self::Nothing | Self::Secret => true,
            Self::Role(least) => role >= least,
            Self::PostAlerts => role == Role::Alert || role >= Role::Operator,
        }
    }

    /// The least role, as a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Nothing | Self::Secret => "nobody",
            Self::Role(least) => least.word(),
            Self::PostAlerts => Role::Alert.word(),
        }
    }
}

const SCRAPE: Need = Need::Role(Role::Scrape);
const VIEW: Need = Need::Role(Role::Viewer);
const OPERATE: Need = Need::Role(Role::Operator);
const ALERT: Need = Need::PostAlerts;
const ADMIN: Need = Need::Role(Role::Admin);

/// A route for people; not part of the API's description.
struct ViewRoute(Method, &'static str, Need, fn() -> MethodRouter<Shared>);

/// A route of the API, described.
pub(super) struct ApiRoute {
    pub(super) method: Method,
    /// Below `/api/v1`; one that others have fixed is whole.
    pub(super) path: &'static str,
    pub(super) need: Need,
    pub(super) summary: &'static str,
    /// Query parameters.
    pub(super) query: &'static [&'static str],
    /// Schema of the request body.
    pub(super) body: Option<&'static str>,
    /// Schema of the answer.
    pub(super) answer: &'static str,
    handler: fn() -> MethodRouter<Shared>,
}

/// The API's root.
pub const API: &str = "/api/v1";

/// What the exposition edge serves behind this guard.
const EXPOSITION: [&str; 3] = ["/metrics", "/prometheus/sd", "/hosts/{host_id}/metrics"];

const VIEWS: &[ViewRoute] = &[
    ViewRoute(Method::GET, "/-/healthy", Need::Nothing, || get(api::status::healthy)),
    ViewRoute(Method::GET, "/-/ready", Need::Nothing, || get(api::status::ready)),
    ViewRoute(Method::GET, "/assets/muster.css", Need::Nothing, || get(assets::style)),
    ViewRoute(Method::GET, "/assets/muster.js", Need::Nothing, || get(assets::script)),
    ViewRoute(Method::GET, "/assets/icon.svg", Need::Nothing, || get(assets::icon)),
    ViewRoute(Method::GET, "/help", Need::Nothing, || get(views::help::index)),
    ViewRoute(Method::GET, "/help/{page}", Need::Nothing, || get(views::help::view)),
    ViewRoute(Method::GET, "/sign-in", Need::Nothing, || get(sign_in::form)),
    ViewRoute(Method::POST, "/sign-in", Need::Nothing, || post(sign_in::with_password)),
    ViewRoute(Method::GET, "/sign-in/{link}", Need::Nothing, || get(sign_in::link_form)),
    ViewRoute(Method::POST, "/sign-in/{link}", Need::Nothing, || post(sign_in::with_link)),
    ViewRoute(Method::GET, "/act/{link}", Need::Nothing, || get(views::act::view)),
    ViewRoute(Method::POST, "/act/{link}", Need::Nothing, || post(views::act::take)),
    ViewRoute(Method::GET, "/calendar/{link}", Need::Secret, || get(api::calendars::subscribed)),
    ViewRoute(Method::GET, "/shared/{link}", Need::Secret, || get(views::shared::view)),
    ViewRoute(Method::GET, "/shared/{link}/report", Need::Secret, || get(views::shared::report)),
    ViewRoute(Method::GET, "/confirm/{link}", Need::Nothing, || get(views::confirm::view)),
    ViewRoute(Method::POST, "/confirm/{link}", Need::Nothing, || post(views::confirm::take)),
    ViewRoute(Method::GET, "/ping/{secret}", Need::Secret, || get(ping::success)),
    ViewRoute(Method::POST, "/ping/{secret}", Need::Secret, || post(ping::success)),
    ViewRoute(Method::GET, "/ping/{secret}/{signal}", Need::Secret, || get(ping::signal)),
    ViewRoute(Method::POST, "/ping/{secret}/{signal}", Need::Secret, || post(ping::signal)),
    ViewRoute(Method::POST, "/sign-out", VIEW, || post(sign_in::sign_out)),
    ViewRoute(Method::GET, "/", VIEW, || get(views::status::view)),
    ViewRoute(Method::GET, "/hosts", VIEW, || get(views::status::moved)),
    ViewRoute(Method::GET, "/hosts/{host_id}", VIEW, || get(views::host::view)),
    ViewRoute(Method::POST, "/hosts/{host_id}", OPERATE, || post(views::host::label)),
    ViewRoute(Method::GET, "/hosts/{host_id}/trends", VIEW, || get(views::trends::view)),
    ViewRoute(Method::GET, "/hardware", VIEW, || get(views::hardware::view)),
    ViewRoute(Method::GET, "/hardware/models", VIEW, || get(views::drive_models::view)),
    ViewRoute(Method::GET, "/hardware/coverage", VIEW, || get(views::hardware::coverage::view)),
    ViewRoute(Method::GET, "/hardware/rules", VIEW, || get(views::hardware::rules::view)),
    ViewRoute(Method::GET, "/hardware/{host_id}/{part}", VIEW, || get(views::hardware::part::view)),
    ViewRoute(Method::GET, "/hosts/{host_id}/inventory", VIEW, || get(views::inventory::host::view)),
    ViewRoute(Method::GET, "/hosts/{host_id}/inventory/{section}", VIEW, || get(views::inventory::host::section)),
    ViewRoute(Method::GET, "/hosts/{host_id}/document", VIEW, || get(views::inventory::document::host::view)),
    ViewRoute(Method::GET, "/inventory/document", VIEW, || get(views::inventory::document::fleet::view)),
    ViewRoute(Method::GET, "/neighbours", VIEW, || get(views::inventory::neighbours::view)),
    ViewRoute(Method::POST, "/neighbours", OPERATE, || post(views::inventory::neighbours::act)),
    ViewRoute(Method::GET, "/machines", VIEW, || get(views::inventory::machines::view)),
    ViewRoute(Method::GET, "/inventory/changes", VIEW, || get(views::inventory::changes::view)),
    ViewRoute(Method::POST, "/inventory/changes", OPERATE, || post(views::inventory::changes::explain)),
    ViewRoute(Method::GET, "/label", OPERATE, || get(views::labelling::view)),
    ViewRoute(Method::POST, "/label", OPERATE, || post(views::labelling::act)),
    ViewRoute(Method::GET, "/incidents", VIEW, || get(views::incidents::list)),
    ViewRoute(Method::GET, "/incidents/{number}", VIEW, || get(views::incidents::view)),
    ViewRoute(Method::POST, "/incidents/{number}", OPERATE, || post(views::incidents::act)),
    ViewRoute(Method::GET, "/incidents/{number}/not-a-problem", VIEW, || get(views::not_a_problem::view)),
    ViewRoute(Method::POST, "/incidents/{number}/not-a-problem", OPERATE, || post(views::not_a_problem::act)),
    ViewRoute(Method::GET, "/maintenance", VIEW, || get(views::holds::view)),
    ViewRoute(Method::POST, "/maintenance", OPERATE, || post(views::holds::act)),
    ViewRoute(Method::GET, "/deliveries", VIEW, || get(views::deliveries::view)),
    ViewRoute(Method::GET, "/on-call", VIEW, || get(views::oncall::view)),
    ViewRoute(Method::POST, "/on-call", OPERATE, || post(views::oncall::act)),
    ViewRoute(Method::GET, "/heartbeats", VIEW, || get(views::heartbeats::view)),
    ViewRoute(Method::POST, "/heartbeats", OPERATE, || post(views::heartbeats::act)),
    ViewRoute(Method::GET, "/service-levels", VIEW, || get(views::service_levels::list)),
    ViewRoute(Method::GET, "/service-levels/{name}", VIEW, || get(views::service_levels::view)),
    ViewRoute(Method::GET, "/service-levels/{name}/outage", VIEW, || get(views::outage::view)),
    ViewRoute(Method::POST, "/service-levels/{name}/outage", OPERATE, || post(views::outage::act)),
    ViewRoute(Method::GET, "/service-levels/{name}/report", VIEW, || get(views::service_level_report::view)),
    ViewRoute(Method::GET, "/add", VIEW, || get(views::add::view)),
    ViewRoute(Method::POST, "/add", ADMIN, || post(views::add::create)),
    ViewRoute(Method::POST, "/add/decide", ADMIN, || post(views::add::decide)),
    ViewRoute(Method::GET, "/settings", VIEW, || get(views::settings::view)),
    ViewRoute(Method::POST, "/settings", ADMIN, || post(views::settings::act)),
];

macro_rules! api {
    ($method:ident $path:literal, $need:ident, $summary:literal, query $query:expr, body $body:expr, $answer:literal, $handler:expr) => {
        ApiRoute {
            method: Method::$method,
            path: $path,
            need: $need,
            summary: $summary,
            query: &$query,
            body: $body,
            answer: $answer,
            handler: || $handler,
        }
    };
}

/// Every route of the API.
#[rustfmt::skip]
pub(super) const API_ROUTES: &[ApiRoute] = &[
    api!(GET "/openapi.json", VIEW, "This description", query [], body None, "Object", get(api::openapi::document)),
    api!(GET "/status", VIEW, "How the collector and the fleet do", query [], body None, "Status", get(api::status::status)),
    api!(GET "/hosts", VIEW, "List hosts", query ["state", "site", "unsorted", "class", "label", "name", "search", "agent", "after", "limit"], body None, "HostList", get(api::hosts::list)),
    api!(GET "/hosts/{host}", VIEW, "One host, by id or name", query [], body None, "Host", get(api::hosts::show)),
    api!(PATCH "/hosts/{host}", OPERATE, "Say class, site, watch level or labels; an empty one is withdrawn", query [], body Some("HostChange"), "Done", patch(api::hosts::label)),
    api!(POST "/hosts/labels", OPERATE, "Set class, site, watch level or labels of the hosts that fit, or (dry_run) see what would change", query [], body Some("ManyLabels"), "Relabelled", post(api::labels::many)),
    api!(GET "/assets", VIEW, "The rows of the list of assets imported last, and which hosts each is about", query ["after", "limit"], body None, "AssetRows", get(api::labels::listed)),
    api!(POST "/assets", OPERATE, "Import a list of assets in the place of the one before, or (dry_run) see what would change", query [], body Some("AssetList"), "Relabelled", post(api::labels::assets).layer(DefaultBodyLimit::max(api::labels::ASSET_BYTES))),
    api!(GET "/hosts/{host}/trends", VIEW, "Readings of a host whose past is kept, and which file systems will be full", query [], body None, "TrendList", get(api::trends::of_host)),
    api!(GET "/trends", VIEW, "The past of a reading of a host, by the minute (48 h) or the hour (13 months)", query ["host", "reading", "part", "from", "to", "grain"], body None, "Trends", get(api::trends::values)),
    api!(GET "/hardware/drives", VIEW, "Every drive that was ever watched: where it is, since when, what became of it", query [], body None, "DriveList", get(api::drives::list)),
    api!(GET "/hardware/models", VIEW, "How drives do by model and firmware: failures a year, share that is bad, survival, each with its interval; of fewer than ten nothing is said", query [], body None, "DriveModelList", get(api::drives::models)),
    api!(GET "/hosts/{host}/evidence", VIEW, "What was found of the hardware: the latest of each part, or (source, part) all that is kept of one; payload=true says what was read", query ["source", "part", "payload"], body None, "EvidenceList", get(api::evidence::of_host)),
    api!(GET "/hosts/{host}/parts", VIEW, "The parts of its hardware that its evidence names, and what they come to", query [], body None, "PartList", get(api::parts::list)),
    api!(GET "/hosts/{host}/parts/{part}", VIEW, "One part, by its name in findings or its device: what is needed to order and to swap it, what lies on it, what is found, and how its counters went", query [], body None, "Part", get(api::parts::show)),
    api!(GET "/hardware/coverage", VIEW, "What of the hardware of which hosts could not be read, and why", query [], body None, "HardwareCoverage", get(api::parts::coverage)),
    api!(GET "/hosts/{host}/inventory", VIEW, "What a host has, section by section, now or (at: a day or an instant) as it was then", query ["at"], body None, "Inventory", get(api::inventory::of_host)),
    api!(GET "/hosts/{host}/inventory/{section}", VIEW, "One section with the keys of its rows, or (key) all that one of them ever was", query ["at", "key"], body None, "InventorySection", get(api::inventory::section)),
    api!(GET "/hosts/{host}/document", VIEW, "A document of a host (HTML) for reading and printing, which needs nothing else: what it is, who may do what on it, what changed in 30 days, and what could not be read; at: a day or an instant", query ["at"], body None, "Document", get(views::inventory::document::host::file)),
    api!(GET "/inventory/document", VIEW, "The same of all machines, or of a site: each in a line, until when they are supported, unplanned changes, and who is not seen", query ["site"], body None, "Document", get(views::inventory::document::fleet::file)),
    api!(GET "/inventory/neighbours", VIEW, "What agents have met on their networks that is neither a host nor a device; foreign=yes: what somebody said to be somebody else's", query ["foreign", "after", "limit"], body None, "NeighbourList", get(api::neighbours::list)),
    api!(POST "/inventory/neighbours/{mac}/mark", OPERATE, "Say whose it is, and why; the audit log has who said so", query [], body Some("NewMark"), "Done", post(api::neighbours::mark)),
    api!(GET "/inventory/search", VIEW, "Which hosts have something, or had it between from and to: by name, version and one more field (NAME=VALUE); * stands for anything", query ["section", "name", "version", "field", "from", "to", "after", "limit"], body None, "InventoryHitList", get(api::inventory::search)),
    api!(GET "/inventory/changes", VIEW, "What changed, newest first: of a host or site, a class, a section, a time; kind=expected or unplanned, explained=yes or no", query ["host", "site", "class", "section", "from", "to", "kind", "explained", "after", "limit"], body None, "InventoryChangeList", get(api::inventory::changes)),
    api!(POST "/inventory/changes/{id}/reason", OPERATE, "Say why something was changed; what was said before is replaced, the audit log has both", query [], body Some("NewReason"), "Done", post(api::inventory::explain)),
    api!(POST "/hosts/{host}/revoke", ADMIN, "Void its certificates; closes its stream", query [], body None, "Done", post(api::hosts::revoke)),
    api!(POST "/hosts/{host}/retire", ADMIN, "It is gone for good; its records stay", query [], body None, "Done", post(api::hosts::retire)),
    api!(POST "/hosts/{host}/suspend", ADMIN, "Do not hear it for now", query [], body None, "Done", post(api::hosts::suspend)),
    api!(POST "/hosts/{host}/activate", ADMIN, "Hear it again", query [], body None, "Done", post(api::hosts::activate)),
    api!(GET "/hosts/{host}/rules", VIEW, "By which limits it is judged, and where each comes from", query ["rule"], body None, "RuleValueList", get(api::rules::of_host)),
    api!(POST "/hosts/{host}/parent", OPERATE, "Say which device it is behind", query [], body Some("NewParent"), "Done", post(api::devices::set_parent)),
    api!(GET "/devices", VIEW, "Hosts without an agent, and who watches them", query [], body None, "DeviceList", get(api::devices::list)),
    api!(POST "/devices", OPERATE, "Add a device, or make the one with this name as asked", query [], body Some("NewDevice"), "DeviceSet", post(api::devices::add)),
    api!(POST "/devices/import", OPERATE, "Add or change all devices of a table (CSV), or say what that would do", query [], body Some("DeviceImport"), "DeviceImported", post(api::devices::import::import)),
    api!(GET "/devices/{device}", VIEW, "One device, by id or name", query [], body None, "Device", get(api::devices::show)),
    api!(DELETE "/devices/{device}", ADMIN, "It is gone for good; its records stay", query [], body None, "Done", delete(api::devices::remove)),
    api!(GET "/rules", VIEW, "What is judged, with limits and defaults", query [], body None, "RuleList", get(api::rules::list)),
    api!(GET "/rules/overrides", VIEW, "Overrides made through the API", query [], body None, "OverrideList", get(api::rules::overrides)),
    api!(POST "/rules/overrides", OPERATE, "Other limits for some hosts", query [], body Some("NewOverride"), "Done", post(api::rules::add)),
    api!(DELETE "/rules/overrides/{name}", OPERATE, "End an override", query [], body None, "Done", delete(api::rules::remove)),
    api!(GET "/hosts/{host}/settings", VIEW, "What it is told, where each comes from, and what it answered", query [], body None, "HostSettings", get(api::settings::of_host)),
    api!(GET "/settings", VIEW, "Settings of agents made through the API, by scope", query [], body None, "SettingsList", get(api::settings::list)),
    api!(POST "/settings", ADMIN, "Set what the agents of a scope are told", query [], body Some("NewSettings"), "Done", post(api::settings::set)),
    api!(DELETE "/settings/{scope}", ADMIN, "End what was set for a scope", query [], body None, "Done", delete(api::settings::remove)),
    api!(GET "/incidents", VIEW, "List incidents, newest first", query ["state", "after", "limit"], body None, "IncidentList", get(api::incidents::list)),
    api!(GET "/incidents/{number}", VIEW, "One incident with timeline and pages", query [], body None, "Incident", get(api::incidents::show)),
    api!(POST "/incidents/{number}/acknowledge", OPERATE, "Somebody has it", query [], body Some("Note"), "Done", post(api::incidents::acknowledge)),
    api!(POST "/incidents/{number}/priority", OPERATE, "Say when somebody must act", query [], body Some("NewPriority"), "Done", post(api::incidents::prioritise)),
    api!(POST "/incidents/{number}/resolve", OPERATE, "Close it by hand", query [], body Some("Note"), "Done", post(api::incidents::resolve)),
    api!(GET "/incidents/{number}/not-a-problem", VIEW, "What can be chosen where it was no problem, and what was said so far", query [], body None, "DismissalOffer", get(api::not_a_problem::show)),
    api!(POST "/incidents/{number}/not-a-problem", OPERATE, "Say that it was no problem, or (dry_run) see what that would have spared and missed", query [], body Some("NewDismissal"), "DismissalMade", post(api::not_a_problem::add)),
    api!(DELETE "/incidents/{number}/not-a-problem/{said}", OPERATE, "Take back what was said; what was made with it ends", query [], body None, "Done", delete(api::not_a_problem::take_back)),
    api!(GET "/maintenance", VIEW, "Maintenance windows that are to come, last, or ended within 40 days", query [], body None, "HoldList", get(api::holds::windows)),
    api!(POST "/maintenance", OPERATE, "Make a maintenance window, or (dry_run) see what it covers, when, and who is on call then", query [], body Some("NewHold"), "HoldMade", post(api::holds::add_window)),
    api!(DELETE "/maintenance/{number}", OPERATE, "End a maintenance window now, or call it off", query [], body None, "Done", delete(api::holds::end)),
    api!(GET "/silences", VIEW, "Silences that last or ended within 40 days", query [], body None, "HoldList", get(api::holds::silences)),
    api!(POST "/silences", OPERATE, "Page nobody for some incidents for a time, or (dry_run) see which hosts that covers", query [], body Some("NewHold"), "HoldMade", post(api::holds::add_silence)),
    api!(DELETE "/silences/{number}", OPERATE, "End a silence now", query [], body None, "Done", delete(api::holds::end)),
    api!(POST "/alerts/webhook", ALERT, "Alerts that an Alertmanager (webhook v4) or Grafana forwards", query [], body Some("AlertWebhook"), "AlertsTaken", post(api::alerts::webhook).layer(DefaultBodyLimit::max(api::alerts::BODY_BYTES))),
    api!(POST "/api/v2/alerts", ALERT, "Alerts as an Alertmanager takes them: Prometheus may name us as one", query [], body Some("PostedAlerts"), "AlertsTaken", post(api::alerts::posted).layer(DefaultBodyLimit::max(api::alerts::BODY_BYTES))),
    api!(GET "/on-call", VIEW, "Who is on call now and in the next four weeks", query [], body None, "OnCallList", get(api::oncall::list)),
    api!(GET "/on-call/figures", VIEW, "Pages by person, day and night, and how long until somebody had it; four weeks unless said", query ["from", "until", "per"], body None, "OnCallFigures", get(api::figures::show)),
    api!(GET "/on-call/overrides", VIEW, "Who stands in for whom, now or to come", query [], body None, "StandInList", get(api::oncall::overrides)),
    api!(GET "/on-call/tests", VIEW, "Test pages to people: when they were sent and confirmed", query [], body None, "TestPageList", get(api::oncall::tests)),
    api!(POST "/on-call/tests", OPERATE, "Send a person a test page by all of their ways", query [], body Some("NewTestPage"), "Done", post(api::oncall::test_person)),
    api!(POST "/on-call/overrides", OPERATE, "Somebody else is on call for a time", query [], body Some("NewStandIn"), "StandInMade", post(api::oncall::add)),
    api!(DELETE "/on-call/overrides/{number}", OPERATE, "Whoever has it by the rotation has it again", query [], body None, "Done", delete(api::oncall::withdraw)),
    api!(POST "/on-call/swaps", OPERATE, "Two people exchange turns", query [], body Some("NewSwap"), "StandInMade", post(api::oncall::swap)),
    api!(GET "/on-call/absences", VIEW, "Who is away, now or to come", query [], body None, "AbsenceList", get(api::absences::list)),
    api!(POST "/on-call/absences", OPERATE, "Somebody is away for a time, or as their calendar (iCalendar) says", query [], body Some("NewAbsence"), "AbsencesMade", post(api::absences::add).layer(DefaultBodyLimit::max(api::absences::BODY_BYTES))),
    api!(DELETE "/on-call/absences/{number}", OPERATE, "They are there after all", query [], body None, "Done", delete(api::absences::end)),
    api!(GET "/on-call/calendar", VIEW, "The signed address under which a calendar subscribes to the turns of a rotation or a person", query ["rotation", "person"], body None, "CalendarAddress", get(api::calendars::address)),
    api!(GET "/on-call/{file}", VIEW, "ROTATION.ics: its turns as a calendar, all of them or one person's", query ["person"], body None, "Calendar", get(api::calendars::rotation)),
    api!(GET "/routes/test", VIEW, "Who would be told of an incident, when, and why", query ["host", "incident", "what", "severity", "at"], body None, "RouteTest", get(api::oncall::test)),
    api!(GET "/tokens", ADMIN, "Join tokens that still work", query [], body None, "TokenList", get(api::tokens::list)),
    api!(POST "/tokens", ADMIN, "Make a join token; its text is shown once", query [], body Some("NewToken"), "TokenText", post(api::tokens::create)),
    api!(GET "/roll-out", ADMIN, "How the roll-out goes: tokens that still work, machines that wait or were never heard, who was refused and why", query [], body None, "RollOut", get(api::roll_out::list)),
    api!(DELETE "/tokens/{id}", ADMIN, "Revoke a join token", query [], body None, "Done", delete(api::tokens::revoke)),
    api!(GET "/api-tokens", ADMIN, "API tokens that still work", query [], body None, "ApiTokenList", get(api::api_tokens::list)),
    api!(POST "/api-tokens", ADMIN, "Make an API token; its text is shown once", query [], body Some("NewApiToken"), "TokenText", post(api::api_tokens::create)),
    api!(DELETE "/api-tokens/{id}", ADMIN, "End an API token", query [], body None, "Done", delete(api::api_tokens::revoke)),
    api!(GET "/people", ADMIN, "People with local accounts", query [], body None, "PersonList", get(api::people::list)),
    api!(POST "/people", ADMIN, "Add a person, or replace role and password", query [], body Some("NewPerson"), "Done", post(api::people::add)),
    api!(POST "/people/{name}/disable", ADMIN, "Disable a person and end their sessions", query [], body None, "Done", post(api::people::disable)),
    api!(POST "/sign-in-links", ADMIN, "Make a sign-in link that works once within 15 minutes", query [], body Some("NewLink"), "Link", post(api::people::link)),
    api!(GET "/heartbeats", VIEW, "Other people's jobs and how they stand; their URLs for operators only", query [], body None, "HeartbeatList", get(api::heartbeats::list)),
    api!(GET "/heartbeats/{name}", VIEW, "One of them", query [], body None, "Heartbeat", get(api::heartbeats::show)),
    api!(POST "/heartbeats/{name}/renew", OPERATE, "Give it another URL; the old one leads nowhere from now on", query [], body None, "Heartbeat", post(api::heartbeats::renew)),
    api!(GET "/agreements", VIEW, "What is promised of uptime, and what came of it in the present period", query [], body None, "AgreementList", get(api::agreements::list)),
    api!(GET "/agreements/{name}", VIEW, "One of them over a period, each host, check or service with its buckets, bounds, verdict and outages", query ["period", "on"], body None, "AgreementReport", get(api::agreements::report)),
    api!(PUT "/agreements/{name}", ADMIN, "Declare an agreement or change it, or (dry_run) see to whom it would apply; one in collector.toml is changed there", query [], body Some("NewAgreement"), "AgreementDeclared", put(api::agreements::declare)),
    api!(DELETE "/agreements/{name}", ADMIN, "End an agreement that was declared by the API; its versions are kept", query ["reason"], body None, "Done", delete(api::agreements::end)),
    api!(GET "/agreements/{name}/versions", VIEW, "What was declared under a name, and since when", query [], body None, "AgreementVersions", get(api::proofs::versions)),
    api!(POST "/agreements/verify", VIEW, "Whether a report (JSON, as GET /agreements/{name} answers it) is what the records say, reckoned again from exactly its inputs", query [], body Some("AgreementReport"), "Verification", post(api::proofs::verify).layer(DefaultBodyLimit::max(api::proofs::REPORT_BYTES))),
    api!(POST "/agreements/compare", VIEW, "A report (JSON, as GET /agreements/{name} answers it) beside what would be issued now, and what has changed since", query [], body Some("AgreementReport"), "Comparison", post(api::proofs::compare).layer(DefaultBodyLimit::max(api::proofs::REPORT_BYTES))),
    api!(POST "/agreements/{name}/what-if", VIEW, "What came of an agreement in a period, and what would have come of another target, definition or other windows; changes nothing", query [], body Some("WhatIf"), "WhatIfAnswer", post(api::proofs::what_if)),
    api!(GET "/amendments", VIEW, "What people said of service levels afterwards: corrections, windows that do not count, notes", query [], body None, "AmendmentList", get(api::amendments::list)),
    api!(POST "/amendments/corrections", ADMIN, "Hosts, checks as HOST/CHECK, or services as service/NAME, were up or down after all: laid over what was measured, for the agreed figure", query [], body Some("NewCorrection"), "Amendment", post(api::amendments::correct)),
    api!(POST "/amendments/disregards", ADMIN, "A maintenance window counts for nothing in the agreed figure", query [], body Some("NewDisregard"), "Amendment", post(api::amendments::disregard)),
    api!(POST "/amendments/notes", OPERATE, "A word about an outage: comment, cause, whether it is disputed", query [], body Some("NewNote"), "Amendment", post(api::amendments::note)),
    api!(DELETE "/amendments/{number}", ADMIN, "Withdraw an amendment; both versions are kept", query ["reason"], body None, "Done", delete(api::amendments::withdraw)),
    api!(GET "/agreements/{name}/report", VIEW, "The same as a document (HTML) for reading and printing, which needs nothing else", query ["period", "on"], body None, "Document", get(views::service_level_report::file)),
    api!(GET "/reports", VIEW, "Reports that are delivered on a schedule, and when the next of each is due; to whom they are mailed is told to operators", query [], body None, "ReportPlanList", get(api::reports::list)),
    api!(GET "/report-deliveries", VIEW, "Reports that were issued or left out, newest first, and what became of each delivery; to whom they are mailed is told to operators", query ["after", "limit"], body None, "ReportIssueList", get(api::reports::deliveries)),
    api!(POST "/reports/{name}/deliver", OPERATE, "Deliver a report now, or (dry_run) see what would go where; answers when each place was tried once", query [], body Some("DeliverReport"), "ReportsIssued", post(api::reports::deliver)),
    api!(GET "/agreement-links", ADMIN, "Links that show some agreements without signing in, newest first; their addresses are not told again", query [], body None, "AgreementLinkList", get(api::shares::list)),
    api!(POST "/agreement-links", ADMIN, "Make a link that shows these agreements, their outages, reports and planned maintenance, and nothing else, to whoever has it; its address is shown once", query [], body Some("NewAgreementLink"), "AgreementLink", post(api::shares::create)),
    api!(DELETE "/agreement-links/{number}", ADMIN, "Revoke a link at once", query [], body None, "Done", delete(api::shares::revoke)),
    api!(GET "/receivers", VIEW, "Configured receivers", query [], body None, "ReceiverList", get(api::receivers::list)),
    api!(POST "/receivers/{name}/test", OPERATE, "Send a test page", query [], body None, "Done", post(api::receivers::test)),
    api!(POST "/backup", ADMIN, "Everything in one file, an age file of a gzip of a tar, sealed with this passphrase or that of [backup]; over the unix socket only", query [], body Some("NewBackup"), "Backup", post(api::backup::create)),
    api!(GET "/store", ADMIN, "What each kind of record takes on disk and how long it is kept, largest first; reads both files whole", query [], body None, "StoreSizes", get(api::sizes::sizes)),
    api!(GET "/audit", ADMIN, "Last lines of the audit log, newest first, or those of somebody, of an action or about a subject", query ["who", "action", "subject", "limit"], body None, "AuditList", get(api::status::audit)),
];

/// All our routes, without state and guard.
pub(super) fn build() -> Router<Shared> {
    let views =
        VIEWS.iter().fold(Router::new(), |router, ViewRoute(_, path, _, handler)| router.route(path, handler()));
    API_ROUTES.iter().fold(views, |router, route| router.route(&full_path(route), (route.handler)()))
}

pub(super) fn full_path(route: &ApiRoute) -> String {
    if route.path.starts_with("/api/") { route.path.to_owned() } else { format!("{API}{}", route.path) }
}

/// What `method` on the matched `path` asks. Paths that match nothing may be asked by viewers (who learn that there
/// is nothing); matched paths that this table does not know, by admins only.
pub(super) fn need(method: &Method, path: Option<&str>) -> Need {
    let Some(path) = path else { return VIEW };
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let known = || {
        let views = VIEWS.iter().map(|ViewRoute(method, path, need, _)| (method, *path, *need));
        let views = views.filter(|(_, known, _)| *known == path).map(|(method, _, need)| (method, need));
        let below = path.strip_prefix(API);
        let is_it = move |route: &&ApiRoute| match below {
            Some(below) => below == route.path,
            None => route.path.starts_with("/api/") && route.path == path,
        };
        let api = API_ROUTES.iter().filter(is_it).map(|route| (&route.method, route.need));
        views.chain(api)
    };
    if let Some((_, need)) = known().find(|(known, _)| *known == method) {
        return need;
    }
    if EXPOSITION.contains(&path) {
        return SCRAPE;
    }
    // A known path asked with another method: a viewer learns which methods there are.
    if known().next().is_some() { VIEW } else { ADMIN }
}
