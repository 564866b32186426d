//! The API's description (OpenAPI 3.1), drawn from the very table that builds the routes.

mod agreements;
mod alerts;
mod amendments;
mod evidence;
mod heartbeats;
mod holds;
mod inventory;
mod labels;
mod not_a_problem;
mod oncall;
mod parts;
mod proofs;
mod reports;
mod shares;

use axum::Json;
use serde_json::{Map, Value, json};

use crate::web::routes::{API_ROUTES, ApiRoute, full_path};

pub(in crate::web) async fn document() -> Json<Value> {
    Json(describe())
}

/// The whole description.
pub(crate) fn describe() -> Value {
    let mut paths = Map::new();
    for route in API_ROUTES {
        let path = paths.entry(full_path(route)).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the collector knows and what it can be told. Times are RFC 3339 in UTC. Lists answer \
                            `next`, the cursor to give as `after`. Errors are application/problem+json and name \
                            field, value and expectation.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "mua_<id>_<secret>" },
                "session": { "type": "apiKey", "in": "cookie", "name": "muster_session" },
            },
            "responses": {
                "Problem": {
                    "description": "Not done: says why and the remedy",
                    "content": { "application/problem+json": { "schema": reference("Problem") } },
                },
            },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &ApiRoute) -> Value {
    let mut parameters: Vec<Value> = path_parameters(route.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(route.query.iter().map(|name| {
        let schema =
            if *name == "limit" { json!({ "type": "integer", "minimum": 0 }) } else { json!({ "type": "string" }) };
        json!({ "name": name, "in": "query", "required": false, "schema": schema })
    }));
    let role = route.need.word();
    let kind = match route.answer {
        "Calendar" => "text/calendar",
        "Document" => "text/html",
        "Backup" => "application/octet-stream",
        _ => "application/json",
    };
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": format!("Needs the role {role}."),
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done",
                "content": { kind: { "schema": reference(route.answer) } },
            },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({ "content": { "application/json": { "schema": reference(body) } } });
    }
    operation
}

fn operation_id(route: &ApiRoute) -> String {
    let words = route.path.split(['/', '-', '.']).filter(|part| !part.is_empty());
    let words = words.map(|part| part.trim_matches(['{', '}']));
    std::iter::once(route.method.as_str().to_ascii_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// An object of the given properties, the listed ones required.
fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

/// The same, for what we take: nothing else may be in it.
fn closed(required: &[&str], properties: Value) -> Value {
    let mut schema = object(required, properties);
    schema["additionalProperties"] = Value::Bool(false);
    schema
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn list_of(item: Value) -> Value {
    object(
        &["items", "next"],
        json!({ "items": { "type": "array", "items": item }, "next": { "type": ["string", "null"] } }),
    )
}

fn stored() -> Value {
    let text = json!({ "type": "string" });
    let size = json!({ "kind": text, "file": text, "bytes": { "type": "integer" }, "kept": text });
    let mut page = list_of(object(&["kind", "file", "bytes", "kept"], size));
    page["properties"]["free_bytes"] = json!({ "type": "integer" });
    page["properties"]["total_bytes"] = json!({ "type": "integer" });
    page
}

fn schemas() -> Value {
    let mut all = answers();
    all.extend(questions());
    all.extend(into_map(labels::answers()));
    all.extend(into_map(evidence::answers()));
    all.extend(into_map(parts::answers()));
    all.extend(into_map(holds::answers()));
    all.extend(into_map(inventory::schemas()));
    all.extend(into_map(not_a_problem::answers()));
    all.extend(into_map(oncall::answers()));
    all.extend(into_map(agreements::answers()));
    all.extend(into_map(amendments::schemas()));
    all.extend(into_map(proofs::answers()));
    all.extend(into_map(heartbeats::answers()));
    all.extend(into_map(reports::schemas()));
    all.extend(into_map(shares::schemas()));
    Value::Object(all)
}

fn answers() -> Map<String, Value> {
    let (text, whole, flag) = (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "boolean" }));
    let time = json!({ "type": "string", "format": "date-time" });
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let maybe_text = json!({ "type": ["string", "null"] });
    let words = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let severity = json!({ "enum": ["info", "warning", "critical"] });
    let check = object(
        &["name", "status", "hard", "attempt", "attempts", "since", "output", "current"],
        json!({
        "name": text, "status": { "enum": ["ok", "warning", "critical", "unknown"] }, "hard": flag, "attempt": whole,
        "attempts": whole, "since": time, "output": text, "current": flag }),
    );
    let event = object(
        &["n", "at", "kind", "text"],
        json!({ "n": whole, "at": time, "kind": text, "text": text, "by": maybe_text }),
    );
    let chain = object(
        &["queued"],
        json!({ "queued": time, "not_before": maybe_time, "accepted": maybe_time, "provider_id": maybe_text,
        "awaited": flag, "delivered": maybe_time, "receipt": maybe_text, "missed": flag, "acknowledged": maybe_time,
        "acknowledged_by": maybe_text, "tells": maybe_text }),
    );
    let page = object(
        &["id", "receiver", "n", "type", "decided", "delivery", "chain"],
        json!({
        "id": whole, "receiver": text, "person": maybe_text, "n": whole, "type": text, "decided": time,
        "delivery": { "enum": ["queued", "accepted", "failed"] },
        "attempts": whole, "last_attempt": maybe_time, "last_answer": maybe_text, "chain": chain }),
    );
    let described = json!({
        "Object": { "type": "object" },
        "Done": object(&["done"], json!({ "done": flag })),
        "Problem": object(&["title", "status", "detail"], json!({
            "type": text, "title": text, "status": whole, "detail": text, "field": text, "value": text, "expected": text })),
        "Status": object(&["version", "ready", "started", "as_of", "hosts", "states", "incidents_open", "cuts"], json!({
            "version": text, "collector_id": text, "ready": flag, "started": time, "as_of": time,
            "settling_until": maybe_time, "hosts": whole, "incidents_open": whole,
            "states": { "type": "object", "additionalProperties": whole }, "cuts": words })),
        "Host": object(&["id", "name", "class", "watch", "state", "since", "why", "findings", "checks"], json!({
            "id": text, "name": text, "class": { "enum": ["server", "workstation", "device"] }, "site": maybe_text,
            "watch": { "enum": ["fast", "normal", "relaxed", "none"] }, "labels": words, "sources": labels::sources(),
            "layers": labels::layers(), "admission": { "enum": ["active", "waiting", "suspended", "revoked", "retired"] }, "facts": words,
            "state": { "enum": ["unknown", "up", "suspect", "down", "agent_lost", "unreachable", "shutdown", "rebooting", "asleep"] },
            "since": time, "why": text, "proof": time, "address": maybe_text,
            "parent": maybe_text, "findings": { "type": "array", "items": finding() }, "settings": host_settings(json!({})),
            "checks": { "type": "array", "items": check }, "incident": { "type": ["integer", "null"] } })),
        "HostList": list_of(reference("Host")),
        "Incident": object(&["number", "id", "key", "state", "severity", "title", "since", "opened"], json!({
            "number": whole, "id": text, "key": text, "state": { "enum": ["open", "acknowledged", "resolved"] },
            "severity": severity, "title": text, "host": text, "component": text, "since": time, "opened": time, "resolved": maybe_time, "acknowledged_by": maybe_text, "acknowledged_until": maybe_time,
            "held_by": { "type": ["integer", "null"] }, "held_until": maybe_time, "paged": flag, "flapping": flapping(), "priority": { "enum": ["P1", "P2", "P3", "P4", "P5"] }, "priority_said": maybe_text,
            "redundancy": { "type": "array", "items": text }, "part_of": { "type": ["integer", "null"] }, "links": alerts::links(), "hosts": { "type": "array", "items": text }, "changes": not_a_problem::changes(), "not_a_problem": not_a_problem::said(), "timeline": { "type": "array", "items": event }, "pages": { "type": "array", "items": page },
            "processes": processes() })),
        "IncidentList": list_of(reference("Incident")),
        "TrendList": list_of(trend(&json!({ "full": { "oneOf": [forecast(), { "type": "null" }] } }))), "Trends": trends(), "RollOut": roll_out(),
        "TokenList": list_of(object(&["id", "kind", "expires", "uses_left", "gives", "made_by"], json!({
            "id": text, "kind": text, "expires": time, "uses_left": whole, "host": maybe_text, "gives": text, "made_by": text }))),
        "TokenText": object(&["token"], json!({ "token": text, "addresses": { "type": "array", "items": text } })),
        "ApiTokenList": list_of(object(&["id", "role", "note", "expires"], json!({ "id": text, "role": text, "note": text, "expires": time }))),
        "PersonList": list_of(object(&["name", "role", "enabled"], json!({ "name": text, "role": text, "enabled": flag }))),
        "Link": object(&["url", "path", "expires"], json!({ "url": text, "path": text, "expires": time })),
        "ReceiverList": list_of(object(&["name"], json!({ "name": text }))),
        "AuditList": list_of(object(&["at", "who", "from", "action", "subject", "detail"], json!({
            "at": time, "who": text, "from": text, "action": text, "subject": text, "detail": text }))),
    });
    let mut all = into_map(described);
    all.extend(of_rules());
    all
}

/// How a roll-out goes.
fn roll_out() -> Value {
    let lists = ["tokens", "waiting", "unheard", "refused"];
    let list = || json!({ "type": "array", "items": { "type": "object" } });
    object(&lists, Value::Object(lists.into_iter().map(|name| (name.to_owned(), list())).collect()))
}

/// An incident that is told of once more and then not until it is stable.
fn flapping() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({ "type": ["object", "null"], "properties": {
        "since": time, "changes": { "type": "integer" }, "well_since": maybe_time, "quiet_until": time } })
}

/// What is answered about rules and who overrode them.
fn of_rules() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "format": "date-time" });
    let maybe_text = json!({ "type": ["string", "null"] });
    into_map(json!({
        "RuleValueList": list_of(object(&["rule", "part", "key", "value", "from"], json!({
            "rule": text, "part": text, "key": text, "value": text, "from": text }))),
        "RuleList": list_of(object(&["rule", "says", "limits", "source", "remedy"], json!({
            "rule": text, "says": text, "part": maybe_text, "source": text, "remedy": text, "limits": { "type": "array",
            "items": object(&["key", "says", "unit", "default"], json!({
                "key": text, "says": text, "unit": { "enum": ["ratio", "bytes", "seconds", "number"] }, "default": text,
                "least": text, "most": text })) } }))),
        "Device": device(),
        "DeviceSet": object(&["done", "warnings"], json!({
            "done": { "type": "boolean" }, "warnings": { "type": "array", "items": text } })),
        "DeviceImported": object(&["rows", "done"], json!({ "done": { "type": "boolean" }, "rows": { "type": "array",
            "items": object(&["line", "name", "does"], json!({ "line": { "type": "integer" }, "name": text, "does": text })) } })),
        "DeviceList": list_of(reference("Device")),
        "SettingsList": list_of(object(&["scope", "document", "at", "by"], json!({
            "scope": text, "document": text, "at": time, "by": text }))),
        "HostSettings": host_settings(json!({ "document": text, "keys": { "type": "array",
            "items": object(&["key", "from"], json!({ "key": text, "from": text })) } })),
        "OverrideList": list_of(object(&["name", "line", "at", "by"], json!({
            "name": text, "line": text, "at": time, "by": text }))),
    }))
}

fn finding() -> Value {
    let text = json!({ "type": "string" });
    object(
        &["part", "rule", "severity", "since", "evidence"],
        json!({
        "part": text, "rule": text, "severity": { "enum": ["info", "warning", "critical"] },
        "since": { "type": "string", "format": "date-time" }, "evidence": text, "processes": processes() }),
    )
}

/// The processes that took a host when a finding began, and last; `problem` says why there are none.
fn processes() -> Value {
    let (text, whole, number) =
        (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "number" }));
    let item = object(
        &["pid", "command", "state", "user", "resident_bytes", "swap_bytes", "cpu_ratio"],
        json!({
        "pid": whole, "command": text, "state": text, "user": text, "resident_bytes": whole, "swap_bytes": whole,
        "cpu_ratio": number }),
    );
    let described = object(
        &["at", "seconds_after"],
        json!({
        "at": { "type": "string", "format": "date-time" }, "seconds_after": whole, "problem": text,
        "interval_seconds": number, "processors": whole, "memory_total_bytes": whole, "left_out": whole,
        "items": { "type": "array", "items": item } }),
    );
    json!({ "type": "array", "maxItems": 2, "items": described })
}

/// A host without an agent.
fn device() -> Value {
    let (text, maybe_text) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let watcher = object(
        &["name", "heard"],
        json!({
        "name": text, "heard": { "type": "boolean" }, "status": maybe_text, "since": maybe_text, "output": maybe_text,
        "cannot_watch": maybe_text }),
    );
    object(
        &["id", "name", "address", "check", "state", "since", "why", "behind", "watchers"],
        json!({
        "id": text, "name": text, "address": text, "check": text, "site": maybe_text, "watch": text,
        "labels": { "type": "object", "additionalProperties": text }, "state": text, "since": text, "why": text,
        "incident": { "type": ["integer", "null"] }, "parent": maybe_text, "behind": { "type": "array", "items": text },
        "chosen": { "type": "boolean" }, "watchers": { "type": "array", "items": watcher }, "file": maybe_text }),
    )
}

/// What a host is told and what it answered, with something more.
fn host_settings(more: Value) -> Value {
    let mut schema = object(
        &["version", "state", "says", "local"],
        json!({
        "version": { "type": "integer" }, "says": { "type": "string" },
        "state": { "enum": ["unanswered", "sent", "applied", "refused", "too_old"] },
        "local": { "type": "array", "items": { "type": "string" } } }),
    );
    for (name, property) in more.as_object().into_iter().flatten() {
        schema["properties"][name] = property.clone();
    }
    schema
}

/// A reading and the part of the host that it is about, with something more.
fn trend(more: &Value) -> Value {
    let text = json!({ "type": "string" });
    let mut described = object(
        &["reading", "part", "label", "unit"],
        json!({
        "reading": text, "part": text, "label": text,
        "unit": { "enum": ["ratio", "bytes", "bytes_per_second", "seconds", "celsius", "number"] } }),
    );
    for (name, schema) in more.as_object().into_iter().flatten() {
        described["properties"][name] = schema.clone();
    }
    described
}

/// When a file system will be full; null where the figures set no bound.
fn forecast() -> Value {
    let (number, maybe) = (json!({ "type": "number" }), json!({ "type": ["number", "null"] }));
    object(
        &["in_hours", "soonest_in_hours", "bytes_per_hour", "of_hours", "as_of"],
        json!({
        "in_hours": number, "soonest_in_hours": number, "latest_in_hours": maybe, "bytes_per_hour": number,
        "of_hours": { "type": "integer" }, "as_of": { "type": "string", "format": "date-time" } }),
    )
}

fn trends() -> Value {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "number" }));
    let time = json!({ "type": "string", "format": "date-time" });
    let hour = object(&["min", "mean", "max"], json!({ "min": number, "mean": number, "max": number }));
    let value = json!({ "oneOf": [number, hour, { "type": "null" }] });
    object(
        &["host", "grain", "from", "to", "step_seconds", "items"],
        json!({
        "host": text, "grain": { "enum": ["minute", "hour"] }, "from": time, "to": time,
        "step_seconds": { "type": "integer" },
        "items": { "type": "array", "items": trend(&json!({ "values": { "type": "array", "items": value } })) } }),
    )
}

fn questions() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let words = json!({ "type": "object", "maxProperties": 64, "additionalProperties": { "type": "string", "maxLength": 256 } });
    let class = json!({ "enum": ["server", "workstation", "device"] });
    let watch = json!({ "enum": ["fast", "normal", "relaxed", "none"] });
    let ttl = json!({ "type": "integer", "minimum": 1 });
    let role = json!({ "enum": ["scrape", "viewer", "operator", "admin"] });
    let token_role = json!({ "enum": ["alert", "scrape", "viewer", "operator", "admin"] });
    let mut asked = into_map(json!({
        "NewOverride": closed(&["name", "rule"], json!({
            "name": text, "rule": { "enum": rule_names() }, "host": text, "label": text, "site": text, "class": class,
            "part": text, "enabled": { "type": "boolean" }, "severity": { "enum": ["info", "warning", "critical"] },
            "limits": words })),
        "DeviceImport": closed(&["csv"], json!({ "csv": text, "dry_run": { "type": "boolean" } })),
        "NewParent": closed(&[], json!({ "parent": { "type": ["string", "null"] } })),
        "NewDevice": closed(&["name", "address"], json!({
            "name": text, "address": text, "check": text, "site": text, "watch": watch, "parent": text,
            "watchers": { "type": "array", "items": text }, "labels": words })),
        "NewPriority": closed(&["priority"], json!({
            "priority": { "enum": ["P1", "P2", "P3", "P4", "P5", "derived"] }, "note": { "type": "string", "maxLength": 2000 } })),
        "NewSettings": closed(&["scope", "document"], json!({ "scope": text, "document": { "type": "string", "maxLength": 32_768 } })),
        "Note": closed(&[], json!({
            "note": { "type": "string", "maxLength": 2000 }, "for_seconds": { "type": "integer", "minimum": 1, "maximum": 604_800 } })),
        "NewToken": closed(&["kind"], json!({
            "kind": { "enum": ["single", "batch", "image", "replace"] }, "ttl_seconds": ttl,
            "from": { "type": "array", "maxItems": 16, "items": { "type": "string" } },
            "uses": { "type": "integer", "minimum": 1, "maximum": 500 }, "host": text, "class": class, "site": text,
            "watch": watch, "labels": words })),
        "NewApiToken": closed(&["role"], json!({ "role": token_role, "ttl_seconds": ttl, "note": { "type": "string", "maxLength": 200 } })),
        "NewPerson": closed(&["name", "role", "password"], json!({
            "name": text, "role": role, "password": { "type": "string", "minLength": 12, "maxLength": 1024 } })),
        "StoreSizes": stored(),
        "Backup": json!({ "type": "string", "format": "binary" }),
        "NewBackup": closed(&[], json!({ "passphrase": { "type": "string", "minLength": 12 } })),
        "NewLink": closed(&[], json!({ "person": { "type": ["string", "null"] } })),
    }));
    asked.extend(into_map(alerts::questions()));
    asked.extend(into_map(labels::questions()));
    asked.extend(into_map(holds::questions()));
    asked.extend(into_map(not_a_problem::questions()));
    asked.extend(into_map(oncall::questions()));
    asked
}

fn rule_names() -> Vec<&'static str> {
    crate::domain::rules::RULES.iter().map(|rule| rule.name).collect()
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_schema_it_names_exists() {
        let document = describe();
        for route in API_ROUTES {
            let operation = &document["paths"][full_path(route)][route.method.as_str().to_ascii_lowercase()];
            assert_eq!(operation["summary"], route.summary);
            for schema in route.body.into_iter().chain([route.answer]) {
                assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
            }
        }
        let described: usize =
            document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(described, API_ROUTES.len());
    }
}
