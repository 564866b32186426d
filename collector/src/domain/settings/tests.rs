use super::{
    shelf::{Answer, Given, Shelf, Standing},
    *,
};
use crate::domain::{
    ids::{HostId, HostNo},
    labels::{Admission, Facts},
    time::Timestamp,
};

fn profile() -> Profile {
    Profile {
        no: HostNo(1),
        id: HostId(uuid::Uuid::nil()),
        name: "db-1".into(),
        class: Class::Server,
        site: Some("berlin".into()),
        watch: Watch::Normal,
        labels: [("environment".to_owned(), "dev".to_owned())].into(),
        layers: Default::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}

fn part(scope: &str, report_ms: Option<u32>, checks: &[(&str, Option<&str>)]) -> Part {
    let check = |(name, lines): &(&str, Option<&str>)| Check {
        name: (*name).to_owned(),
        lines: lines.map(|lines| format!("name = \"{name}\"\n{lines}\n")),
    };
    Part {
        scope: Scope::from_words(scope).unwrap(),
        origin: format!("settings of {scope}"),
        report_ms,
        checks: checks.iter().map(check).collect(),
    }
}

#[test]
fn the_narrower_scope_wins_whatever_the_order_and_within_one_the_later() {
    let parts = [
        part("host=db-*", None, &[("ssh", None), ("db", Some("from = \"host\""))]),
        part("all", Some(30_000), &[("ssh", Some("from = \"all\"")), ("db", Some("from = \"all\""))]),
        part("site=berlin", Some(10_000), &[("dns", Some("from = \"first\""))]),
        part("site=berlin", None, &[("dns", Some("from = \"second\""))]),
        part("label=environment=dev", Some(20_000), &[]),
        part("class=workstation", Some(1_000), &[("lid", Some("from = \"nowhere\""))]),
        part("site=paris", Some(1_000), &[]),
        part("host=web-*", Some(1_000), &[]),
    ];
    let merged = merge(parts.iter(), &profile());
    assert_eq!(
        merged.document(&profile()),
        "watch = \"normal\"\nreport_ms = 20000\nbeat_ms = 5000\n\
         \n[[check]]\nname = \"db\"\nfrom = \"host\"\n\n[[check]]\nname = \"dns\"\nfrom = \"second\"\n"
    );
    let of = |key: &str| merged.origins.get(key).map(String::as_str);
    assert_eq!(of("report"), Some("settings of label=environment=dev"));
    assert_eq!((of("check.db"), of("check.ssh")), (Some("settings of host=db-*"), None));
}

#[test]
fn agents_are_never_told_a_level_that_they_do_not_know() {
    let unwatched = Profile { watch: Watch::None, ..profile() };
    let document = merge([].iter(), &unwatched).document(&unwatched);
    assert_eq!(document, "watch = \"relaxed\"\nreport_ms = 60000\nbeat_ms = 30000\n");
}

#[test]
fn a_scope_is_read_as_it_is_written_and_nothing_else_is_one() {
    for words in ["all", "class=server", "site=Berlin, 2nd floor", "label=rack=a=b", "host=db-*"] {
        assert_eq!(Scope::from_words(words).map(|scope| scope.words()).as_deref(), Some(words));
    }
    for wrong in ["", "everybody", "class=router", "site=", "label=rack", "label==x", "host=", "os=linux", "site=a\nb"]
    {
        assert_eq!(Scope::from_words(wrong), None, "{wrong:?}");
    }
}

#[test]
fn settings_are_numbered_per_host_and_on_only_when_they_change_over_restarts_too() {
    let (one, two) = (HostNo(1), HostNo(2));
    let shelf = Shelf::default();
    let give = |shelf: &Shelf, host, document| {
        let (given, is_new) = shelf.number(host, document);
        shelf.gave(host, given);
        (given.version, is_new)
    };
    assert_eq!(give(&shelf, one, "a"), (1, true));
    assert_eq!(give(&shelf, one, "a"), (1, false));
    assert_eq!(give(&shelf, one, "b"), (2, true));
    assert_eq!(give(&shelf, two, "b"), (1, true));
    let kept = shelf.standing(one, false).0;
    let again = Shelf::new(Vec::new(), Vec::new(), [(one, kept)]);
    assert_eq!(give(&again, one, "b"), (2, false));
    assert_eq!(give(&again, one, "a"), (3, true));
}

#[test]
fn an_answer_counts_for_its_version_and_one_of_an_old_agent_for_what_it_knows() {
    let (host, shelf) = (HostNo(1), Shelf::default());
    let says = |version, error: &str, keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        shelf.answered(
            host,
            Answer { version, error: error.into(), keys, at: Timestamp::from_ms(5), ..Answer::default() },
        );
    };
    assert_eq!(shelf.standing(host, true).2, Standing::Unanswered);
    shelf.gave(host, Given { version: 4, digest: 9 });
    assert_eq!(shelf.standing(host, true).2, Standing::Unanswered);
    says(3, "", &["watch", "check"]);
    assert_eq!(shelf.standing(host, true).2, Standing::Sent);
    says(4, "", &["watch", "check"]);
    assert_eq!(shelf.standing(host, true).2, Standing::Applied);
    says(4, "check \"x\": no", &["watch", "check"]);
    assert_eq!(shelf.standing(host, true).2, Standing::Refused("check \"x\": no".into()));
    // It says that all is well, and has passed over what it does not know.
    says(4, "", &[]);
    assert_eq!(shelf.standing(host, true).2, Standing::TooOld);
    assert_eq!(shelf.standing(host, false).2, Standing::Applied);
}
