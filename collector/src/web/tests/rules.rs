//! Rules over the API: explained, overridden, audited.

use super::*;

const HOST: &str = "/api/v1/hosts/00000000-0000-0000-0000-000000000001/rules";

async fn answer(stage: &Stage, method: &Method, path: &str, body: &str) -> (StatusCode, serde_json::Value) {
    let trusted = Door::Unix { uid: 0, trusted: true };
    let response = stage.ask(trusted, request(method, path, &[("content-type", "application/json")], body)).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

/// Value and source of a limit of `filesystem_space`, of the host or a part.
fn explained(values: &serde_json::Value, part: &str, key: &str) -> Option<(String, String)> {
    let items = values["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["part"] == part && item["key"] == key)?;
    Some((found["value"].as_str()?.to_owned(), found["from"].as_str()?.to_owned()))
}

#[tokio::test]
async fn an_override_is_checked_explained_audited_changed_and_ended() {
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    let path = format!("{HOST}?rule=filesystem_space");
    let (_, before) = answer(&stage, &Method::GET, &path, "").await;
    assert_eq!(explained(&before, "", "warning"), Some(("10 %".into(), "built in".into())));
    assert_eq!(before["items"].as_array().unwrap().len(), 8, "enabled, severity and six limits");

    let add = |limits: &str| {
        format!(
            r#"{{"name":"small \"disks\"","rule":"filesystem_space","site":{site},"part":"/backup*","limits":{limits}}}"#,
            site = serde_json::to_string(HOSTILE).unwrap()
        )
    };
    let overrides = "/api/v1/rules/overrides";
    for (limits, expected) in [
        (r#"{"warning":"3 %"}"#, "no more than warning (3 %)"),
        (r#"{"warning":"3 GiB"}"#, "a percentage such as"),
        (r#"{"warnings":"3 %"}"#, "known are: rule, host"),
        (r#"{"for":"2 d"}"#, "from 0 s to 1 d"),
    ] {
        let (status, refused) = answer(&stage, &Method::POST, overrides, &add(limits)).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(status == StatusCode::BAD_REQUEST && detail.contains(expected), "{status} {detail}");
    }
    let unknown = r#"{"name":"x","rule":"filesystem","host":"*"}"#;
    assert_eq!(answer(&stage, &Method::POST, overrides, unknown).await.0, StatusCode::BAD_REQUEST);
    let nobody = r#"{"name":"x","rule":"oom_kill","part":"memory"}"#;
    assert_eq!(answer(&stage, &Method::POST, overrides, nobody).await.0, StatusCode::BAD_REQUEST);

    for warning in ["3 %", "4 %"] {
        let body = add(&format!(r#"{{"warning":"{warning}","critical":"1 %"}}"#));
        assert_eq!(answer(&stage, &Method::POST, overrides, &body).await.0, StatusCode::OK);
        let (value, from) = explained(&answer(&stage, &Method::GET, &path, "").await.1, "/backup*", "warning").unwrap();
        assert_eq!(value, warning);
        assert!(from.starts_with("override small \"disks\", made by "), "{from}");
    }
    let (_, listed) = answer(&stage, &Method::GET, overrides, "").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "the newest version alone");
    let audit = stage.store.audit(10).await.unwrap();
    assert!(
        audit
            .iter()
            .filter(|line| line.action == "rule.override" && line.detail.contains("critical = \"1 %\""))
            .count()
            == 2
    );

    let one = format!("{overrides}/small%20%22disks%22");
    assert_eq!(answer(&stage, &Method::DELETE, &one, "").await.0, StatusCode::OK);
    assert_eq!(answer(&stage, &Method::DELETE, &one, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(answer(&stage, &Method::GET, &path, "").await.1, before);
}

#[tokio::test]
async fn a_finding_shows_the_line_that_quietens_it_and_the_line_is_good() {
    let mut fleet = hostile_fleet(Clock::start().now());
    let mut host = (**fleet.hosts.values().next().unwrap()).clone();
    host.findings[0].rule = "filesystem_space".into();
    fleet.hosts = Arc::new([(HostNo(1), Arc::new(host))].into());
    let stage = Stage::new(fleet, |_| {});
    let page = text(stage.ask(loopback(), request(&Method::GET, &HOST[7..HOST.len() - 6], &[], "")).await).await;
    assert!(page.contains("muster-collector rules override add"), "{page}");
    assert!(page.contains("severity = &#34;info&#34;") || page.contains("severity = &quot;info&quot;"), "{page}");
    let (line, command) = crate::web::api::rules::quieten("web 1", "filesystem_space", "/srv/it's").unwrap();
    let config = config::parse(&format!("[overrides]\n{line}\n"), Path::new("collector.toml")).unwrap();
    assert_eq!(config.rules.lines()[0].change.severity, Some(Severity::Info));
    assert_eq!(config.rules.lines()[0].selector.part.as_deref(), Some("/srv/it's"));
    assert!(command.contains(r"--host 'web 1' --part '/srv/it'\''s' --severity info"), "{command}");
}
