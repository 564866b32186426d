//! Lists: by cursor, by filter.

use super::*;

#[tokio::test]
async fn lists_of_hosts_page_by_cursor() {
    let now = Clock::start().now();
    let one = Arc::clone(hostile_fleet(now).hosts.values().next().unwrap());
    let fleet = (1..=5).map(|no| (HostNo(no), Arc::clone(&one))).collect();
    let stage = Stage::new(Snapshot { hosts: Arc::new(fleet), ..Snapshot::default() }, |_| {});
    let mut seen = 0;
    let mut path = "/api/v1/hosts?limit=2".to_owned();
    for expected in [2, 2, 1] {
        let answer = text(stage.ask(loopback(), request(&Method::GET, &path, &[], "")).await).await;
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["items"].as_array().unwrap().len(), expected);
        seen += expected;
        path = format!("/api/v1/hosts?limit=2&after={}", answer["next"].as_str().unwrap_or("end"));
    }
    assert_eq!((seen, path.ends_with("end")), (5, true));
}

#[tokio::test]
async fn a_filter_of_the_url_lists_the_hosts_that_fit_and_nonsense_is_named() {
    let now = Clock::start().now();
    let one = Arc::clone(hostile_fleet(now).hosts.values().next().unwrap());
    let host = |no: i64, site: Option<&str>, owner: &str| {
        let mut host = (*one).clone();
        host.profile.name = format!("host-{no}");
        host.profile.site = site.map(str::to_owned);
        host.profile.labels = [("owner".to_owned(), owner.to_owned())].into();
        (HostNo(no), Arc::new(host))
    };
    let fleet = [host(1, Some("ulm"), "ann"), host(2, None, "ann"), host(3, None, "bob")].into();
    let stage = Stage::new(Snapshot { hosts: Arc::new(fleet), ..Snapshot::default() }, |_| {});
    let shown = async |path: &str| {
        let response = stage.ask(loopback(), request(&Method::GET, path, &[], "")).await;
        (response.status(), text(response).await)
    };
    for (query, expected) in [
        ("site=unsorted", [false, true, true]),
        ("site=ulm", [true, false, false]),
        ("label=owner%3Dann&site=unsorted", [false, true, false]),
        ("search=HOST-3", [false, false, true]),
        ("class=workstation", [false; 3]),
    ] {
        let (_, page) = shown(&format!("/?{query}")).await;
        let listed = [1, 2, 3].map(|no| page.contains(&format!(">host-{no}</a>")));
        assert_eq!(listed, expected, "{query}");
    }
    let (_, api) = shown("/api/v1/hosts?unsorted=true&name=host-*&label=owner%3Db*").await;
    assert!(api.contains("\"host-3\"") && !api.contains("\"host-2\""), "{api}");
    for (path, expected) in
        [("/?class=toaster", "server, workstation or device"), ("/api/v1/hosts?state=ill", "a state such as")]
    {
        let (status, said) = shown(path).await;
        assert!(status == StatusCode::BAD_REQUEST && said.contains(expected), "{path}: {said}");
    }
}

#[tokio::test]
async fn hosts_are_found_by_the_version_of_their_agent() {
    let mut fleet = hostile_fleet(Clock::start().now());
    for view in Arc::make_mut(&mut fleet.hosts).values_mut() {
        let mut host = (**view).clone();
        host.profile.facts.agent_version = "0.9.2".into();
        *view = Arc::new(host);
    }
    let stage = Stage::new(fleet, |_| {});
    for (asked, count) in [("0.9.2", 1), ("0.9.*", 1), ("1.*", 0), ("", 1)] {
        let path = format!("/api/v1/hosts?agent={asked}");
        let listed = text(stage.ask(loopback(), request(&Method::GET, &path, &[], "")).await).await;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{asked}");
        let view = text(stage.ask(loopback(), request(&Method::GET, &format!("/?agent={asked}"), &[], "")).await).await;
        assert_eq!(view.contains("No host fits"), count == 0, "{asked}: {view}");
        assert!(view.contains(&format!("name=\"agent\" value=\"{asked}\"")), "it stays in the form: {view}");
    }
}

#[tokio::test]
async fn a_list_that_has_not_all_that_was_resolved_says_how_many_and_where_the_others_are() {
    let now = Clock::start().now();
    let one = Arc::clone(hostile_fleet(now).incidents.values().next().unwrap());
    for (resolved, is_said) in [(999, false), (1_000, true)] {
        let over = |no: i64| {
            let mut view = (*one).clone();
            (view.row.no, view.row.state, view.row.resolved) = (IncidentNo(no), IncidentState::Resolved, Some(now));
            (IncidentNo(no), Arc::new(view))
        };
        let incidents = Arc::new((1..=resolved).map(over).collect());
        let stage = Stage::new(Snapshot { incidents, ..Snapshot::default() }, |_| {});
        let page = text(stage.ask(loopback(), request(&Method::GET, "/incidents", &[], "")).await).await;
        assert_eq!(page.contains("The latest 1000; an older one"), is_said, "{resolved}");
    }
}
