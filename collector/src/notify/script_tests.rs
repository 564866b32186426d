//! Real programs, that is shell scripts, started with a page.

use std::{io::Read as _, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::Value;

use super::*;
use crate::notify::{
    outbox::tests::words,
    sink::{life, word},
};

/// A script with this body and a time limit that no healthy one needs.
fn script(folder: &Path, body: &str) -> Script {
    let program = folder.join("page");
    std::fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let arguments = vec![folder.display().to_string(), "$(touch evil); a b".into()];
    Script::new(ScriptConfig { program, arguments, timeout: Duration::from_secs(60) }, words())
}

#[tokio::test]
async fn the_page_comes_as_json_with_fixed_arguments_and_a_bare_environment() {
    let folder = tempfile::tempdir().unwrap();
    let body =
        "cat > \"$1/in\"; printf '%s' \"$2\" > \"$1/second\"; env | sort > \"$1/env\"; echo ticket-17; echo more";
    let script = script(folder.path(), body);
    let [page, ..] = life();
    let hostile = Page { title: "`touch evil` $(touch evil); \"web\"\n".into(), ..page.clone() };
    assert_eq!(script.send(&hostile).await, Sent::Accepted { provider_id: Some("ticket-17".into()) });
    assert_eq!(word(&script.send(&page).await), "accepted");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("second"), "$(touch evil); a b");
    let names: Vec<String> = read("env").lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
    // The shell itself adds some.
    let given: Vec<&String> =
        names.iter().filter(|name| !["_", "OLDPWD", "PWD", "SHLVL"].contains(&name.as_str())).collect();
    assert_eq!(given, ["LANG", "PATH"]);
    let input: Value = serde_json::from_str(&read("in")).unwrap();
    let expected = serde_json::json!({
        "id": "page_1",
        "receiver": "hook",
        "subject": "[warning] web-1 is down",
        "text": "web-1 is down\n\nSeverity   warning\nState      open\nHost       web-1\nSince      2026-11-21 09:14:00 UTC\n\
                 Site       berlin\nPaged      hook, mail\nIncident   #1042\n\nno message since 09:14:00\n\n\
                 https://muster.example.org/incidents/1042",
        "short": "WARNING web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
        "type": "incident.opened",
        "timestamp": "2026-11-21T09:20:00.000Z",
        "data": {
            "key": "liveness/web-1/down", "state": "open", "severity": "warning", "title": "web-1 is down",
            "host": "web-1", "component": "", "since": "2026-11-21T09:14:00.000Z",
            "url": "https://muster.example.org/incidents/1042", "number": 1042, "details": "no message since 09:14:00",
            "page": 1, "site": "berlin", "hosts": 1, "acknowledged_by": null, "paged": ["hook", "mail"],
        },
    });
    assert_eq!(input, expected);
}

#[tokio::test]
async fn any_other_end_is_tried_again_and_says_what_the_program_said() {
    let folder = tempfile::tempdir().unwrap();
    let [page, ..] = life();
    for (body, expected) in [
        ("echo no modem >&2; exit 3", "it ended with code 3: no modem"),
        ("exit 1", "it ended with code 1"),
        ("kill -9 $$", "a signal ended it"),
    ] {
        let sent = script(folder.path(), body).send(&page).await;
        assert_eq!(sent, Sent::Retry { error: expected.into(), after: None });
    }
    let mut absent = script(folder.path(), "");
    absent.config.program = folder.path().join("absent");
    assert!(matches!(absent.send(&page).await, Sent::Refused { error } if error.contains("absent cannot be started")));
}

#[tokio::test]
async fn a_program_that_talks_without_end_or_reads_nothing_is_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let [page, ..] = life();
    let long = Page { details: "x".repeat(1 << 20), ..page };
    let talks = script(folder.path(), "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; exit 0");
    let sent = talks.send(&long).await;
    assert!(matches!(&sent, Sent::Accepted { provider_id: Some(id) } if id.len() == LINE_CHARS), "{sent:?}");
}

#[tokio::test]
async fn at_the_deadline_it_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("held");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    // Whoever has the pipe open for writing lives.
    let mut script = script(folder.path(), "exec 9> \"$1/held\"; sleep 1000 & echo begun >&9; sleep 1000");
    script.config.timeout = Duration::from_millis(1_500);
    let held = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        std::fs::File::open(fifo).unwrap().read_to_string(&mut said).unwrap();
        said
    });
    let [page, ..] = life();
    let error = "it was killed after 1.5 s without an end".to_owned();
    assert_eq!(script.send(&page).await, Sent::Retry { error, after: None });
    // The end of the file comes when the last of them is gone.
    assert_eq!(held.await.unwrap(), "begun\n");
}

#[tokio::test]
async fn a_child_that_goes_on_does_not_hold_up_the_page() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than the time limit, and gone soon after the tests.
    let script = script(folder.path(), "sleep 90 & echo done");
    let [page, ..] = life();
    assert_eq!(script.send(&page).await, Sent::Accepted { provider_id: Some("done".into()) });
}
