//! What each command asks of the API, and how its answer is shown.

use std::{io::Read, path::Path};

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    CliError,
    arguments::{ApiTokenTask, HostTask, OverrideTask, PersonTask, Place, RouteTask, RulesTask, Task, TokenTask},
    client::{Client, read_line},
    print::{self, Column},
};

const TOKENS: [Column; 6] = [
    ("id", "id"),
    ("kind", "kind"),
    ("uses left", "uses_left"),
    ("gives", "gives"),
    ("made by", "made_by"),
    ("expires", "expires"),
];
const API_TOKENS: [Column; 4] = [("id", "id"), ("role", "role"), ("for", "note"), ("expires", "expires")];
const AUDIT: [Column; 6] =
    [("at", "at"), ("who", "who"), ("from", "from"), ("what", "action"), ("on", "subject"), ("detail", "detail")];
const PEOPLE: [Column; 3] = [("name", "name"), ("role", "role"), ("enabled", "enabled")];
const HOSTS: [Column; 7] = [
    ("name", "name"),
    ("state", "state"),
    ("since", "since"),
    ("why", "why"),
    ("site", "site"),
    ("found", "findings"),
    ("inc", "incident"),
];
pub(super) const INCIDENTS: [Column; 7] = [
    ("no", "number"),
    ("state", "state"),
    ("severity", "severity"),
    ("prio", "priority"),
    ("since", "since"),
    ("title", "title"),
    ("by", "acknowledged_by"),
];
const RULES: [Column; 3] = [("rule", "rule"), ("part", "part"), ("says", "says")];
const RULE_VALUES: [Column; 5] =
    [("rule", "rule"), ("part", "part"), ("key", "key"), ("value", "value"), ("from", "from")];
const OVERRIDES: [Column; 4] = [("name", "name"), ("by", "by"), ("at", "at"), ("line", "line")];
const STORE: [Column; 4] = [("kind", "kind"), ("file", "file"), ("bytes", "bytes"), ("kept", "kept")];
/// More than any password we take.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// Shows answers as asked for.
pub(super) struct Desk {
    pub(super) client: Client,
    pub(super) json: bool,
}

/// Does a task that needs the running collector.
pub(super) async fn ask(place: &Place, json: bool, task: Task) -> Result<(), CliError> {
    let desk = Desk { client: Client::new(place)?, json };
    match task {
        Task::Token(task) => desk.token(task).await,
        Task::ApiToken(task) => desk.api_token(task).await,
        Task::Person(task) => desk.person(task).await,
        Task::Host(task) => desk.host(task).await,
        Task::Asset(task) => desk.asset(task).await,
        Task::Device(task) => desk.device(task).await,
        Task::Incident(task) => desk.incident(task).await,
        Task::Maintenance(task) => desk.maintenance(task).await,
        Task::Silence(task) => desk.silence(task).await,
        Task::Rules(task) => desk.rules(task).await,
        Task::Settings(task) => desk.settings(task).await,
        Task::OnCall(task) => desk.on_call(task).await,
        Task::Heartbeat(task) => desk.heartbeat(task).await,
        Task::Inventory(task) => desk.inventory(task).await,
        Task::Route(RouteTask::Test(tried)) => desk.route_test(tried).await,
        Task::Status => desk.one("/status").await,
        Task::Store => desk.lines("/store", &STORE).await,
        Task::Audit { who, action, subject, last } => {
            let asked = query(&[("who", who), ("action", action), ("subject", subject)]);
            desk.lines(&format!("/audit?limit={}{asked}", last.unwrap_or(100)), &AUDIT).await
        }
        Task::Backup(asked) => desk.backup(asked, place).await,
        // Done without the collector, before this is reached.
        Task::Serve | Task::CheckConfig { .. } | Task::Openapi | Task::Hardware(_) | Task::Restore(_) => Ok(()),
        Task::Completions { .. } | Task::Man { .. } => Ok(()),
        Task::Sla(task) => desk.sla(task).await,
    }
}

impl Desk {
    pub(super) async fn list(&self, path: &str, query: &str, columns: &[Column]) -> Result<(), CliError> {
        let items = self.client.all(path, query).await?;
        if self.json { print::json(&items) } else { print::table(columns, &items) }
    }

    /// A list that is asked for once, as long as its path says.
    async fn lines(&self, path: &str, columns: &[Column]) -> Result<(), CliError> {
        let items = self.client.get(path).await?["items"].take();
        if self.json { print::json(&items) } else { print::table(columns, &items) }
    }

    pub(super) async fn one(&self, path: &str) -> Result<(), CliError> {
        let answer = self.client.get(path).await?;
        if self.json { print::json(&answer) } else { print::thing(&answer) }
    }

    pub(super) async fn done(&self, method: Method, path: &str, body: Option<Value>) -> Result<(), CliError> {
        let answer = self.client.ask(method, path, body).await?;
        if self.json { print::json(&answer) } else { print::line("done") }
    }

    /// A text that is shown once, alone on its line, so that it can go into a file.
    pub(super) async fn secret(&self, path: &str, body: Value, field: &str) -> Result<(), CliError> {
        let answer = self.client.post(path, body).await?;
        if self.json { print::json(&answer) } else { print::line(answer[field].as_str().unwrap_or_default()) }
    }

    async fn token(&self, task: TokenTask) -> Result<(), CliError> {
        match task {
            TokenTask::Create { kind, ttl, from, uses, labels, host, class, site, watch } => {
                let body = json!({
                    "kind": kind, "ttl_seconds": ttl, "from": from, "uses": uses, "labels": object(labels), "host": host,
                    "class": class, "site": site, "watch": watch,
                });
                self.secret("/tokens", body, "token").await
            }
            TokenTask::List => self.list("/tokens", "", &TOKENS).await,
            TokenTask::Progress => self.roll_out().await,
            TokenTask::Revoke { id } => self.done(Method::DELETE, &format!("/tokens/{}", encode(&id)), None).await,
        }
    }

    async fn api_token(&self, task: ApiTokenTask) -> Result<(), CliError> {
        match task {
            ApiTokenTask::Create { role, ttl, note } => {
                self.secret("/api-tokens", json!({ "role": role, "ttl_seconds": ttl, "note": note }), "token").await
            }
            ApiTokenTask::List => self.list("/api-tokens", "", &API_TOKENS).await,
            ApiTokenTask::Revoke { id } => {
                self.done(Method::DELETE, &format!("/api-tokens/{}", encode(&id)), None).await
            }
        }
    }

    async fn person(&self, task: PersonTask) -> Result<(), CliError> {
        match task {
            PersonTask::Add { name, role, password_file } => {
                let password = password(password_file.as_deref())?;
                let body = json!({ "name": name, "role": role, "password": password });
                self.done(Method::POST, "/people", Some(body)).await
            }
            PersonTask::List => self.list("/people", "", &PEOPLE).await,
            PersonTask::Disable { name } => {
                self.done(Method::POST, &format!("/people/{}/disable", encode(&name)), None).await
            }
            PersonTask::Link { name } => self.secret("/sign-in-links", json!({ "person": name }), "url").await,
        }
    }

    async fn host(&self, task: HostTask) -> Result<(), CliError> {
        let admit = |host: &str, verb: &str| format!("/hosts/{}/{verb}", encode(host));
        match task {
            HostTask::List { only, site, search, unsorted, label, agent } => {
                let unsorted = unsorted.then(|| "true".to_owned());
                let asked = [
                    ("state", only),
                    ("site", site),
                    ("search", search),
                    ("unsorted", unsorted),
                    ("label", label),
                    ("agent", agent),
                ];
                let query = query(&asked);
                self.list("/hosts", &query, &HOSTS).await
            }
            HostTask::Show { host } => self.show_host(&host).await,
            HostTask::Label(asked) => self.label(asked).await,
            HostTask::Parent { host, device } => {
                self.done(Method::POST, &admit(&host, "parent"), Some(json!({ "parent": device }))).await
            }
            HostTask::Revoke { host } => self.done(Method::POST, &admit(&host, "revoke"), None).await,
            HostTask::Retire { host } => self.done(Method::POST, &admit(&host, "retire"), None).await,
            HostTask::Suspend { host } => self.done(Method::POST, &admit(&host, "suspend"), None).await,
            HostTask::Activate { host } => self.done(Method::POST, &admit(&host, "activate"), None).await,
        }
    }

    async fn rules(&self, task: RulesTask) -> Result<(), CliError> {
        match task {
            RulesTask::List => self.list("/rules", "", &RULES).await,
            RulesTask::Explain { host, rule } => {
                let path = format!("/hosts/{}/rules", encode(&host));
                self.list(&path, &query(&[("rule", rule)]), &RULE_VALUES).await
            }
            RulesTask::Override(OverrideTask::List) => self.list("/rules/overrides", "", &OVERRIDES).await,
            RulesTask::Override(OverrideTask::Remove { name }) => {
                self.done(Method::DELETE, &format!("/rules/overrides/{}", encode(&name)), None).await
            }
            RulesTask::Override(OverrideTask::Add(new)) => {
                let body = json!({
                    "name": new.name, "rule": new.rule, "host": new.host, "label": new.label, "site": new.site,
                    "class": new.class, "part": new.part, "severity": new.severity,
                    "enabled": new.off.then_some(false), "limits": object(new.limits),
                });
                self.done(Method::POST, "/rules/overrides", Some(body)).await
            }
        }
    }
}

pub(super) fn object(pairs: Vec<(String, String)>) -> Value {
    Value::Object(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>())
}

pub(super) fn query(fields: &[(&str, Option<String>)]) -> String {
    let set = fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    set.map(|(name, value)| format!("&{name}={}", encode(value))).collect()
}

/// The first line of the file or of standard input; never an argument, which everybody on the machine could read.
pub(super) fn password(file: Option<&Path>) -> Result<String, CliError> {
    if let Some(file) = file {
        return read_line(file);
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| CliError::Usage(format!("the password cannot be read from standard input: {error}")))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

pub(super) fn encode(text: &str) -> String {
    crate::web::encode(text).replace('/', "%2F")
}
