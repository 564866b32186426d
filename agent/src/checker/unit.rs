//! Is a systemd unit active?

use crate::check::{Outcome, Status};
use crate::host::{Call, Host, HostError};

/// Objects and interfaces of org.freedesktop.systemd1(5).
const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

pub(super) fn run(unit: &str, host: &Host, deadline_ms: u64) -> Outcome {
    match ask(unit, host, deadline_ms) {
        Ok([load, active, sub]) => judge(unit, &load, &active, &sub),
        Err(error) => Outcome::new(Status::Unknown, error.to_string()),
    }
}

fn judge(unit: &str, load: &str, active: &str, sub: &str) -> Outcome {
    if load != "loaded" {
        return Outcome::new(Status::Critical, format!("{unit} is {load}"));
    }
    let status = match active {
        "active" | "reloading" | "refreshing" => Status::Ok,
        "activating" | "deactivating" | "maintenance" => Status::Warning,
        _ => Status::Critical,
    };
    Outcome::new(status, format!("{unit} is {active} ({sub})"))
}

/// LoadState, ActiveState and SubState.
fn ask(unit: &str, host: &Host, deadline_ms: u64) -> Result<[String; 3], HostError> {
    let mut bus = host.systemd(deadline_ms)?;
    let load = Call { path: MANAGER, interface: MANAGER_INTERFACE, member: "LoadUnit", arguments: &[unit] };
    let unclear =
        || HostError::Failed { path: "systemd's bus".to_owned(), reason: format!("it does not tell of {unit}") };
    let replies = bus.ask(&[load])?;
    let object = replies.first().and_then(Option::as_ref).and_then(|reply| reply.values().text().map(str::to_owned));
    let object = object.ok_or_else(unclear)?;
    let wanted = ["LoadState", "ActiveState", "SubState"].map(|name| [UNIT, name]);
    let get = |arguments| Call { path: &object, interface: PROPERTIES, member: "Get", arguments };
    let calls: Vec<Call<'_>> = wanted.iter().map(|arguments| get(arguments)).collect();
    let replies = bus.ask(&calls)?;
    let texts: Vec<String> =
        replies.iter().flatten().filter_map(|reply| reply.values().variant_text().map(str::to_owned)).collect();
    texts.try_into().map_err(|_| unclear())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_unit_is_ok() {
        for (load, active, status) in [
            ("loaded", "active", Status::Ok),
            ("loaded", "reloading", Status::Ok),
            ("loaded", "activating", Status::Warning),
            ("loaded", "deactivating", Status::Warning),
            ("loaded", "inactive", Status::Critical),
            ("loaded", "failed", Status::Critical),
            ("not-found", "inactive", Status::Critical),
            ("masked", "inactive", Status::Critical),
        ] {
            assert_eq!(judge("a.service", load, active, "x").status, status, "{load} {active}");
        }
    }

    #[test]
    fn without_systemd_nothing_can_be_told() {
        let root = tempfile::tempdir().unwrap();
        let outcome = run("a.service", &Host::captured(root.path().into(), None), 1_000);
        assert_eq!(outcome.status, Status::Unknown);
    }
}
