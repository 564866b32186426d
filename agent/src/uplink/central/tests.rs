use super::*;
use crate::check::remote::RemoteChecks;
use crate::config::Config;

fn local(own: &str) -> Local {
    Config::parse(Path::new("agent.toml"), own).unwrap().local()
}

fn names(central: &Central) -> Vec<&str> {
    central.checks.iter().map(|check| check.name.as_str()).collect()
}

const SSH: &str = "[[check]]\nname = \"ssh\"\nkind = \"tcp\"\naddress = \"127.0.0.1:22\"\n";

#[test]
fn document_states_the_level_and_may_state_times_and_checks() {
    let local = Local::default();
    let empty = Central::read(b"", &local).unwrap();
    assert_eq!((empty.settings, names(&empty)), (Watch::Normal.settings(), vec![]));
    let document = format!("watch = \"fast\"\nreport_ms = 1000\nnewer = [1]\n{SSH}");
    let fast = Central::read(document.as_bytes(), &local).unwrap();
    let settings = fast.settings;
    assert_eq!((settings.watch, settings.report.as_millis(), settings.beat.as_millis()), (Watch::Fast, 1_000, 400));
    assert_eq!(names(&fast), ["ssh"]);
    assert_eq!(fast.local, [""; 0]);
}

#[test]
fn unfit_document_is_refused_whole_with_key_value_and_expectation() {
    let local = Local::default();
    let refused = Central::read(b"watch = \"fast\"\nbeat_ms = 99", &local).unwrap_err();
    assert_eq!((refused.why.as_str(), refused.settings), ("beat_ms = 99: expected 100 to 60000", None));
    for wrong in [&b"watch = \"lax\""[..], b"report_ms = 300001", b"\xff", &[b' '; DOCUMENT_BYTES_MAX + 1]] {
        assert!(Central::read(wrong, &local).is_err());
    }
}

#[test]
fn of_a_document_with_a_wrong_check_only_the_terms_of_the_stream_hold() {
    let document = format!("watch = \"fast\"\n{SSH}[[check]]\nname = \"b\"\nkind = \"tcp\"\naddress = \"b\"\n");
    let refused = Central::read(document.as_bytes(), &Local::default()).unwrap_err();
    assert_eq!(refused.settings, Some(Watch::Fast.settings()));
    assert!(refused.why.starts_with("check \"b\".address = \"b\": expected \"host:port\""), "{}", refused.why);
}

#[test]
fn what_this_machines_own_file_states_wins_and_is_told() {
    let own = local("interval = \"2s\"\n[[check]]\nname = \"ssh\"\nkind = \"tcp\"\naddress = \"127.0.0.1:2222\"\n");
    let central = Central::read(format!("{SSH}{}", SSH.replace("ssh", "web")).as_bytes(), &own).unwrap();
    assert_eq!(names(&central), ["web"]);
    assert_eq!(central.local, ["interval", "check.ssh"]);
}

#[test]
fn what_was_kept_and_is_no_longer_taken_is_not_run_again() {
    let none = Local { remote_checks: RemoteChecks::None, ..Local::default() };
    let document = format!("watch = \"fast\"\n{SSH}");
    assert_eq!(names(&Central::remembered(&document, &Local::default())), ["ssh"]);
    let central = Central::remembered(&document, &none);
    assert_eq!((central.settings.watch, names(&central)), (Watch::Fast, vec![]));
}
