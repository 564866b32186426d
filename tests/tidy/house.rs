//! Who may know whom.

use super::source::{Complaint, Source};

/// Rooms of the collector and what each may use besides itself. `app`, `cli`, `main` and `lib` wire, so they may use all.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    // Leaves: anyone above the domain may use them.
    ("clock", &["domain"]),
    ("mailbox", &["domain"]),
    ("telemetry", &["clock"]),
    ("workbook", &["domain"]),
    // Settings stand beside what they configure, so the configuration knows the receivers' settings.
    ("config", &["domain", "notify"]),
    ("store", &["domain", "clock", "config", "mailbox", "telemetry"]),
    ("identity", &["domain", "store", "clock", "config", "mailbox", "telemetry"]),
    ("ingest", &["domain", "store", "identity", "clock", "config", "mailbox", "telemetry"]),
    ("notify", &["domain", "store", "identity", "clock", "config", "mailbox", "telemetry"]),
    ("exposition", &["domain", "store", "identity", "clock", "config", "mailbox", "telemetry"]),
    ("web", &["domain", "store", "identity", "clock", "config", "mailbox", "telemetry", "workbook"]),
];
/// The libraries that the domain may use: values and arithmetic, nothing that reads.
const DOMAIN_CRATES: &[&str] = &["serde", "serde_json", "uuid", "jiff", "thiserror", "ring", "proptest"];
/// Words that would mean that the domain reads or waits.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "std::fs",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::net::TcpListener",
    "std::process",
    "std::thread",
    "std::env",
    "Instant",
    "SystemTime",
    "rusqlite",
    "axum",
    "tonic",
    "reqwest",
];
/// The files that may name what is generated from the wire contract.
const WIRE: &[&str] = &[
    "collector/src/ingest/decode",
    "collector/src/ingest/connection",
    "collector/src/ingest/session",
    "collector/src/ingest/stream",
    "collector/src/ingest/lane",
    "collector/src/ingest/enrolment",
    "collector/src/ingest/maintenance",
    "collector/src/ingest/tests",
    "agent/src/report",
    "agent/src/uplink",
    "agent/src/identity",
    "agent/src/maintenance",
    "proto/",
    "tests/",
];

/// Rooms use only what lies below them.
pub(crate) fn imports(source: &Source) -> Vec<Complaint> {
    let Some(inside) = source.path.strip_prefix("collector/src/") else { return Vec::new() };
    let room = inside.split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { return Vec::new() };
    used_rooms(source, inside)
        .into_iter()
        .filter(|(_, used)| used != room && !allowed.contains(&used.as_str()))
        .filter(|(_, used)| ROOMS.iter().any(|(name, _)| name == used) || ["app", "cli"].contains(&used.as_str()))
        .map(|(at, used)| {
            let advice = "pass what is needed as a value, or move it to a room that both may use";
            source.complain(source.line_of(at), format!("{room} uses {used}: {advice}"))
        })
        .collect()
}

/// The top modules that a file names, through `crate::` and through `super::` chains that reach the top.
fn used_rooms(source: &Source, inside: &str) -> Vec<(usize, String)> {
    let is_root = inside.ends_with("mod.rs");
    let depth = inside.matches('/').count() + usize::from(!is_root);
    let chain = "super::".repeat(depth);
    let mut used = Vec::new();
    for (at, _) in source.code.match_indices("crate::") {
        used.extend(names(&source.code[at + "crate::".len()..]).into_iter().map(|name| (at, name)));
    }
    if depth > 0 {
        for (at, _) in source.code.match_indices(&chain) {
            let longer =
                source.code[at + chain.len()..].starts_with("super::") || source.code[..at].ends_with("super::");
            if !longer {
                used.extend(names(&source.code[at + chain.len()..]).into_iter().map(|name| (at, name)));
            }
        }
    }
    used
}

/// The first names of a path: of `a::b` it is a, of `{a::b, c}` they are a and c.
fn names(rest: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut start, mut found) = (1_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            found.push(word(group[start..at].trim_start()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// What is inside the wire's messages is known at the doors only.
pub(crate) fn wire(source: &Source) -> Vec<Complaint> {
    if WIRE.iter().any(|place| source.path.starts_with(place)) {
        return Vec::new();
    }
    let advice = "only the doors know the wire; give them and take from them types of the house";
    source
        .words("muster_proto")
        .map(|at| source.complain(source.line_of(at), format!("names muster_proto: {advice}")))
        .collect()
}

/// The domain reads nothing and waits for nothing.
pub(crate) fn purity(source: &Source) -> Vec<Complaint> {
    if !source.path.starts_with("collector/src/domain/") {
        return Vec::new();
    }
    let advice = "the domain is given values and `now`, and returns values";
    let mut complaints: Vec<Complaint> = IMPURE
        .iter()
        .flat_map(|word| source.words(word).map(move |at| (at, word)))
        .map(|(at, word)| source.complain(source.line_of(at), format!("the domain names {word}: {advice}")))
        .collect();
    for (number, line) in source.code.lines().enumerate() {
        let Some(path) = line.trim_start().strip_prefix("use ").map(|path| path.trim_start_matches("::")) else {
            continue;
        };
        let first: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let own = ["std", "core", "crate", "super", "self"].contains(&first.as_str())
            || first.starts_with(char::is_uppercase);
        let module = source.code.contains(&format!("mod {first};")) || source.code.contains(&format!("mod {first} "));
        if !own
            && !module
            && !DOMAIN_CRATES.contains(&first.as_str())
            && !IMPURE.contains(&first.as_str())
            && !first.is_empty()
        {
            complaints.push(source.complain(number + 1, format!("the domain uses the crate {first}: {advice}")));
        }
    }
    complaints
}

/// Sources stand for themselves: no path of the machine they were written on, no registry but the public one.
pub(crate) fn places(source: &Source) -> Vec<Complaint> {
    // Spelled in parts, so that this file does not complain of itself.
    let places = [concat!("/wo", "rk/"), concat!(".lib", "rary/"), concat!("/tmp/", "wt")];
    let mut complaints = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        if let Some(place) = places.iter().find(|place| line.contains(**place)) {
            complaints
                .push(source.complain(number + 1, format!("names {place}: say it without a path of one machine")));
        }
        let registry = line.strip_prefix("source = \"").unwrap_or("registry+https://github.com/rust-lang/");
        if source.path == "Cargo.lock"
            && !registry.starts_with("registry+https://github.com/rust-lang/crates.io-index")
            && line.starts_with("source")
        {
            complaints
                .push(source.complain(number + 1, "a crate that is not from crates.io: nobody else could build it"));
        }
    }
    complaints
}
