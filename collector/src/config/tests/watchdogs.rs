//! Watchdogs: read whole, their URL a secret, and refused by line and key.

use std::time::Duration;

use super::*;
use crate::notify::watchdog::Unwell;

#[test]
fn the_example_is_read_as_it_says_and_its_url_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let config = read(&example_switched_on(folder.path())).unwrap();
    let [outside] = config.watchdogs.as_slice() else { panic!("{:?}", config.watchdogs) };
    assert_eq!(
        (outside.name.as_str(), outside.every, outside.unwell),
        ("outside", Duration::from_secs(60), Unwell::Says)
    );
    assert_eq!((outside.place().as_str(), outside.ca.is_some()), ("https://hc-ping.com", true));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_cannot_be_told_is_refused_by_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("metadata"), "http://169.254.169.254/hunter2").unwrap();
    let text = format!(
        "[[watchdog]]\nname = \"a\"\n\
         [[watchdog]]\nname = \"b\"\nurl_file = \"{0}/metadata\"\n\
         [[watchdog]]\nname = \"c\"\nurl_file = \"{0}/none\"\nevery = \"1 s\"\nunwell = \"quiet\"\n\
         [[watchdog]]\nname = \"c\"\nurl = \"http://10.0.0.7/hunter2\"\nurl_file = \"{0}/metadata\"\n\
         [[watchdog]]\nname = \"c\"\nurl = \"http://10.0.0.7/hunter2\"\nperiod = \"1 min\"\n",
        folder.path().display()
    );
    let said = mistakes(&text);
    let expected = [
        "collector.toml:1: watchdog[1].url_file: expected the path of a file that holds the URL to post to; it is missing",
        "collector.toml:3: watchdog[2].url_file: expected a file that holds a URL: another address: 169.254.169.254",
        "collector.toml:8: watchdog[3].url_file",
        "collector.toml:9: watchdog[3].every = \"1 s\": expected a time from \"5 s\" to \"1 h\"",
        "collector.toml:10: watchdog[3].unwell = \"quiet\": expected one of fail",
        "collector.toml:13: watchdog[4].url = (hidden): expected url_file or url, not both",
        "collector.toml:18: watchdog[5].period = \"1 min\": expected no such key here",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    assert!(!said.concat().contains("hunter2"));
    let warned = read("[[watchdog]]\nname = \"a\"\nurl = \"http://10.0.0.7/hunter2\"\n").unwrap().warnings;
    assert!(warned.len() == 1 && warned[0].contains("watchdog[1].url") && !warned[0].contains("hunter2"), "{warned:?}");
}
