//! Redundancy groups: read whole, and refused by line and key.

use super::*;
use crate::domain::redundancy::Member;

#[test]
fn a_group_needs_all_any_or_so_many() {
    let groups =
        |needs: &str| read(&format!("[[redundancy]]\nname = \"web\"\nmembers = [\"a\", \"b/http\", \"c\"]\n{needs}"));
    let needs = |text: &str| groups(text).unwrap().roster.groups[0].needs;
    assert_eq!([needs(""), needs("needs = \"any\""), needs("needs = 2"), needs("needs = \"all\"")], [1, 1, 2, 3]);
    let group = groups("behind = [\"db-*\"]").unwrap().roster.groups.remove(0);
    assert_eq!(group.members[1], Member { host: "b".into(), check: Some("http".into()) });
    assert_eq!((group.severity, group.behind.as_slice()), (Severity::Critical, &["db-*".to_owned()][..]));
    for wrong in ["0", "4", "\"most\"", "1.5"] {
        let said =
            mistakes(&format!("[[redundancy]]\nname = \"web\"\nmembers = [\"a\", \"b\", \"c\"]\nneeds = {wrong}"));
        assert!(
            said.len() == 1 && said[0].contains(":4: redundancy[1].needs = ") && said[0].contains("1 to 3"),
            "{said:?}"
        );
    }
}

#[test]
fn what_cannot_be_a_group_is_refused_by_line_and_key() {
    let text = "[[redundancy]]\nname = \"r\"\nmembers = [\"r-1\", \"r-2\", \"r-1\"]\n\
                [[redundancy]]\nname = \"none\"\nmembers = []\n\
                [[redundancy]]\nname = \"a\"\nmembers = [\"a-1\"]\nbehind = [\"b-*\"]\n\
                [[redundancy]]\nname = \"b\"\nmembers = [\"b-1\"]\nbehind = [\"a-1\"]\n\
                [[redundancy]]\nname = \"a\"\nmembers = [\"a b\"]\nneed = 1\n";
    let said = mistakes(text);
    let expected = [
        "collector.toml:3: redundancy[1].members = \"r-1\": expected each member once",
        "collector.toml:4: redundancy[2].members: expected a list of at least one",
        "collector.toml:10: redundancy[3].behind = \"b-*\": expected no circle",
        "collector.toml:14: redundancy[4].behind = \"a-1\": expected no circle",
        "collector.toml:16: redundancy[5].name = \"a\": expected a name that no other has",
        "collector.toml:17: redundancy[5].members = \"a b\": expected the name of a host such as web-1, or HOST/CHECK",
        "collector.toml:18: redundancy[5].need = 1: expected no such key",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

#[test]
fn names_that_the_fleet_does_not_know_are_mistakes_where_it_is_known() {
    let text = "[[device]]\nname = \"r-1\"\naddress = \"192.0.2.1\"\n\
                [[redundancy]]\nname = \"r\"\nmembers = [\"r-1\", \"r-2\"]\nbehind = [\"x-*\", \"web-9\"]\n";
    assert_eq!(read(text).unwrap().roster.groups.len(), 1);
    let known = |_: &Path| Some(crate::domain::device::declared::Fleet::default());
    let said = super::super::read::document(text, Path::new("collector.toml"), known).expect_err("nobody is known");
    let said: Vec<String> = said.mistakes.iter().map(ToString::to_string).collect();
    let expected = "expected the name of a host or device that is known (muster-collector host list)";
    assert_eq!(
        said,
        [
            format!("collector.toml:6: redundancy[1].members = \"r-2\": {expected}"),
            format!("collector.toml:7: redundancy[1].behind = \"web-9\": {expected}"),
        ]
    );
}
