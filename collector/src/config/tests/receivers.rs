//! What receivers are refused for, and what is only warned of.

use std::path::PathBuf;

use super::{mistakes, read};
use crate::notify::receiver::ReceiverKind;

fn receiver(kind: &str, keys: &str) -> String {
    format!("[[receiver]]\nname = \"x\"\nkind = \"{kind}\"\n{keys}\n")
}

/// A file that holds this.
fn file(folder: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn ntfys_buttons_answer_to_a_topic_of_their_own() {
    let ntfy = |more: &str| {
        format!("[[receiver]]\nname = \"a\"\nkind = \"ntfy\"\nurl = \"https://ntfy.example.org/push/x\"\n{more}\n")
    };
    for (more, expected) in [
        ("reply_topic = \"x\"", "receiver[1].reply_topic: expected another topic than that of url"),
        ("reply_topic = \"a/b\"", ":5: receiver[1].reply_topic = \"a/b\": expected a topic on the same server"),
        ("reply_token = \"hunter2\"", "receiver[1].reply_topic: expected a topic on the same server"),
    ] {
        let said = mistakes(&ntfy(more));
        assert!(said.len() == 1 && said[0].contains(expected) && !said[0].contains("hunter2"), "{said:?}");
    }
    let config = read(&ntfy("reply_topic = \"y\"")).unwrap();
    let ReceiverKind::Ntfy(ntfy) = &config.receivers[0].kind else { panic!("not ntfy") };
    assert!(ntfy.replies.as_ref().is_some_and(|replies| replies.topic == "y" && replies.token.is_none()));
}

#[test]
fn a_secret_in_the_file_itself_works_with_a_warning_that_names_key_and_remedy() {
    let key = "abcdef0123456789abcdef0123456789";
    let twilio = "account = \"AC0123456789abcdef0123456789abcdef\"\ntoken = \"hunter2\"\nfrom = \"+4930123456\"\n\
                  to = [\"+4915112345678\"]";
    for (kind, keys, line, named, remedy) in [
        ("pagerduty", format!("routing_key = \"{key}\""), 4, "routing_key", "routing_key_file"),
        ("ntfy", "url = \"https://ntfy.sh/x\"\ntoken = \"hunter2\"".into(), 5, "token", "token_file"),
        ("slack", "url = \"https://hooks.slack.com/services/hunter2\"".into(), 4, "url", "url_file"),
        ("slack", "channel = \"C1\"\ntoken = \"hunter2\"".into(), 5, "token", "token_file"),
        ("teams", "url = \"https://x.logic.azure.com/?sig=hunter2\"".into(), 4, "url", "url_file"),
        ("twilio", twilio.into(), 5, "token", "token_file"),
    ] {
        let config = read(&receiver(kind, &keys)).unwrap_or_else(|errors| panic!("{kind}: {errors}"));
        let [warning] = &config.warnings[..] else { panic!("{kind}: {:?}", config.warnings) };
        let expected = format!(
            "collector.toml:{line}: receiver[1].{named}: a secret stands in this file, for all to see who may read it: \
             write it to a file of its own and set {remedy} to its path"
        );
        assert_eq!(*warning, expected);
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2") && !printed.contains(key), "{printed}");
    }
}

#[test]
fn a_secret_that_stands_in_two_places_or_nowhere_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let key = file(&folder, "key", "0123456789abcdef0123456789abcdef");
    let all = mistakes(&receiver("pagerduty", &format!("routing_key_file = {key:?}\nrouting_key = \"hunter2\"")));
    assert!(all.len() == 1 && all[0].starts_with("collector.toml:5: receiver[1].routing_key = (hidden):"), "{all:?}");
    assert!(all[0].contains("not both") && !all[0].contains("hunter2"), "{all:?}");
    let all = mistakes(&receiver("pagerduty", ""));
    assert!(all.len() == 1 && all[0].contains("routing_key_file") && all[0].contains("it is missing"), "{all:?}");
    let short = file(&folder, "short", "hunter2");
    let all = mistakes(&receiver("pagerduty", &format!("routing_key_file = {short:?}")));
    assert!(all.len() == 1 && all[0].contains("32 letters and digits") && !all[0].contains("hunter2"), "{all:?}");
}

#[test]
fn a_template_that_does_not_render_is_refused_with_line_and_key() {
    let keys = "url = \"http://localhost/\"\ntitle = \"{{ severty }}\"\nbody = \"{% if site %}\"";
    let all = mistakes(&receiver("webhook", keys));
    let expected =
        ["5: receiver[1].title = \"{{ severty }}\": expected a template that renders:", "6: receiver[1].body = "];
    assert_eq!(all.len(), 2, "{all:?}");
    for (said, expected) in all.iter().zip(expected) {
        assert!(said.starts_with(&format!("collector.toml:{expected}")), "{said}");
    }
    let mirror = receiver("alertmanager", "urls = [\"http://localhost:9093\"]\ntitle = \"x\"");
    assert!(mistakes(&mirror)[0].contains("receiver[1].title"), "a mirror has no words of its own");
}

#[test]
fn line_breaks_reach_no_header() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(&folder, "token", "hunter2\r\nX-Evil: 1");
    let twilio = "account = \"AC0123456789abcdef0123456789abcdef\"\nfrom = \"+4930123456\"\nto = [\"+4915112345678\"]";
    for (kind, keys) in [
        ("ntfy", "url = \"https://ntfy.sh/x\""),
        ("slack", "channel = \"C1\""),
        ("twilio", twilio),
        ("alertmanager_webhook", "url = \"http://localhost/\""),
    ] {
        let all = mistakes(&receiver(kind, &format!("{keys}\ntoken_file = {token:?}")));
        assert!(
            all.len() == 1 && all[0].contains("token_file") && all[0].contains("no line breaks"),
            "{kind}: {all:?}"
        );
        assert!(!all[0].contains("hunter2"), "{all:?}");
    }
    let mail = "server = \"localhost\"\nfrom = \"a@example.org\\r\\nBcc: b@example.org\"\nto = [\"x\\ny@example.org\"]";
    let all = mistakes(&receiver("email", mail));
    assert!(all.len() == 2 && all[0].contains("from") && all[1].contains("to"), "{all:?}");
    let all = mistakes(&receiver("slack", "token = \"x\"\nchannel = \"C1\\r\\nX: 1\""));
    assert!(all.len() == 1 && all[0].contains("receiver[1].channel"), "{all:?}");
}

#[test]
fn no_kind_posts_to_a_metadata_service_unless_it_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let key = file(&folder, "key", "0123456789abcdef0123456789abcdef");
    let twilio = "account = \"AC0123456789abcdef0123456789abcdef\"\nfrom = \"+4930123456\"\nto = [\"+4915112345678\"]";
    for (kind, keys) in [
        ("webhook", String::new()),
        ("pagerduty", format!("routing_key_file = {key:?}")),
        ("ntfy", String::new()),
        ("slack", String::new()),
        ("slack", format!("token_file = {key:?}\nchannel = \"C1\"")),
        ("teams", String::new()),
        ("twilio", format!("token_file = {key:?}\n{twilio}")),
        ("alertmanager_webhook", String::new()),
    ] {
        let keys = format!("url = \"http://169.254.169.254/latest\"\n{keys}");
        let all = mistakes(&receiver(kind, &keys));
        assert!(all.len() == 1 && all[0].contains("link-local") | all[0].contains("metadata"), "{kind}: {all:?}");
        assert!(read(&receiver(kind, &format!("{keys}\nallow = [\"169.254.169.254\"]"))).is_ok(), "{kind}");
    }
}

#[test]
fn a_script_is_an_absolute_path_that_can_be_executed() {
    let folder = tempfile::tempdir().unwrap();
    let plain = file(&folder, "plain", "#!/bin/sh");
    for (command, expected) in [
        ("[\"page\"]".to_owned(), "an absolute path first"),
        ("[]".into(), "a list of at least one"),
        ("\"/bin/true\"".into(), "a list of"),
        ("[\"/nonexistent/page\"]".into(), "/nonexistent/page: No such file"),
        (format!("[{plain:?}]"), "chmod +x"),
        ("[\"/bin\"]".into(), "cannot be executed"),
    ] {
        let all = mistakes(&receiver("script", &format!("command = {command}")));
        assert!(!all.is_empty() && all.iter().any(|said| said.contains(expected)), "{command}: {all:?}");
    }
    let all = mistakes(&receiver("script", "command = [\"/bin/true\"]\ntimeout = \"1h\""));
    assert!(all.len() == 1 && all[0].contains("from 1s to 5m"), "{all:?}");
    let config = read(&receiver("script", "command = [\"/bin/true\", \"a b\"]\ntimeout = \"5s\"")).unwrap();
    let ReceiverKind::Script(script) = &config.receivers[0].kind else { panic!("not a script") };
    assert_eq!((script.arguments.as_slice(), script.timeout.as_secs()), (&["a b".to_owned()][..], 5));
}

#[test]
fn wrong_ids_numbers_and_mixed_ways_are_refused() {
    let twilio = "account = \"AC1\"\ntoken = \"x\"\nfrom = \"MG0123456789abcdef0123456789abcdef\"\nto = [\"0151 123\"]\n\
                  way = \"call\"";
    let all = mistakes(&receiver("twilio", twilio));
    let keys: Vec<_> = all.iter().map(|said| said.split(" = ").next().unwrap().to_owned()).collect();
    assert_eq!(
        keys,
        [
            "collector.toml:4: receiver[1].account",
            "collector.toml:6: receiver[1].from",
            "collector.toml:7: receiver[1].to"
        ]
    );
    let all = mistakes(&receiver("slack", "token = \"x\"\nchannel = \"C1\"\nurl_file = \"/x\""));
    assert!(all.len() == 1 && all[0].contains("not both"), "{all:?}");
    let all = mistakes(&receiver("ntfy", "url = \"https://ntfy.sh/\""));
    assert!(all.len() == 1 && all[0].contains("the URL of a topic"), "{all:?}");
    let all = mistakes(&receiver("teams", "url = \"https://x.webhook.office.com/hunter2\""));
    assert!(all.len() == 1 && all[0].contains("Workflows") && !all[0].contains("hunter2"), "{all:?}");
}

#[test]
fn a_persons_own_address_is_one_that_the_receiver_serves() {
    let twilio = "account = \"AC0123456789abcdef0123456789abcdef\"\ntoken = \"x\"\nfrom = \"+4930123456\"\n\
                  to = [\"+4915112345678\"]";
    for (kind, keys, good, wrong) in [
        ("twilio", twilio, Some("+4915112345678"), "ana@example.org"),
        ("ntfy", "url = \"https://ntfy.sh/x\"", Some("ana"), "a/b"),
        ("slack", "token = \"x\"\nchannel = \"C1\"", Some("U012AB3CD"), "U1\r\nX: 1"),
        ("slack", "url = \"https://hooks.slack.com/x\"", None, "U012AB3CD"),
        ("pagerduty", "routing_key = \"0123456789abcdef0123456789abcdef\"", None, "ana"),
        ("script", "command = [\"/bin/true\"]", Some("+4915112345678"), "+49\n1"),
    ] {
        let config = read(&receiver(kind, keys)).unwrap();
        let trouble = |to: &str| config.receivers[0].kind.address_trouble(to);
        assert_eq!(good.and_then(trouble), None, "{kind}");
        assert!(trouble(wrong).is_some(), "{kind}: {wrong:?}");
    }
}
