//! Labels of many hosts: the form shows what it hits, and does that and nothing else; lists of assets are checked whole.

use super::*;

/// Ten hosts without a site, of whom nobody but their token said anything.
fn fleet() -> Snapshot {
    let one = Arc::clone(hostile_fleet(Clock::start().now()).hosts.values().next().unwrap());
    let host = |no: i64| {
        let mut host = (*one).clone();
        host.profile.no = HostNo(no);
        host.profile.id = HostId(uuid::Uuid::from_u128(u128::from(no.unsigned_abs())));
        host.profile.name = format!("{HOSTILE}{no}");
        host.profile.relabel(Layers::default().with(Layer::Token, &[("owner".to_owned(), HOSTILE.to_owned())].into()));
        (HostNo(no), Arc::new(host))
    };
    Snapshot { hosts: Arc::new((1..=10).map(host).collect()), ..Snapshot::default() }
}

fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let found = page.split_once(&format!("name=\"{name}\" value=\"")).map_or("", |(_, rest)| rest);
    found.split_once('"').map_or("", |(value, _)| value)
}

#[tokio::test]
async fn the_form_shows_what_it_hits_and_does_only_that() {
    let stage = Stage::new(fleet(), |_| {});
    let (cookie, csrf) = stage.session(Role::Operator, false).await;
    let headers = [("cookie", cookie.as_str())];
    let status = text(stage.ask(loopback(), request(&Method::GET, "/?site=unsorted", &headers, "")).await).await;
    assert!(status.contains("Label these 10 hosts") && status.contains("action=\"/label\""), "{status}");

    let path = "/label?site=unsorted&to_site=berlin&to_label=owner&to_value=ann";
    let preview = text(stage.ask(loopback(), request(&Method::GET, path, &headers, "")).await).await;
    assert!(preview.contains("of 10 hosts that fit, 10 would change") && preview.contains("ann (person)"), "{preview}");
    assert!(!preview.contains("<b onmouseover"), "{preview}");
    let mark = field(&preview, "preview");
    assert_eq!((field(&preview, "csrf"), field(&preview, "site"), mark.len()), (csrf.as_str(), "unsorted", 24));

    let form = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "http://localhost:7461"),
    ];
    let query = path.split_once('?').unwrap().1;
    for (body, expected) in [
        (format!("csrf={csrf}&preview={mark}&{query}"), StatusCode::SEE_OTHER),
        (format!("preview={mark}&{query}"), StatusCode::FORBIDDEN),
        (format!("csrf={csrf}&{query}"), StatusCode::PRECONDITION_FAILED),
        (format!("csrf={csrf}&preview={mark}&{query}&search=%261"), StatusCode::PRECONDITION_FAILED),
    ] {
        let response = stage.ask(loopback(), request(&Method::POST, "/label", &form, &body)).await;
        assert_eq!(response.status(), expected, "{body}");
        if expected == StatusCode::SEE_OTHER {
            assert_eq!(response.headers()[header::LOCATION], "/?site=unsorted");
        }
    }
    let viewer = stage.session(Role::Viewer, false).await.0;
    let refused = stage.ask(loopback(), request(&Method::GET, path, &[("cookie", &viewer)], "")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

async fn post(stage: &Stage, path: &str, body: &serde_json::Value) -> (StatusCode, serde_json::Value) {
    let socket = Door::Unix { uid: 0, trusted: true };
    let response = stage.ask(socket, request(&Method::POST, path, &[], &body.to_string())).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

#[tokio::test]
async fn a_change_of_many_names_each_host_and_is_done_only_as_it_was_looked_at() {
    let stage = Stage::new(fleet(), |_| {});
    let ask = |dry: bool, preview: &str| {
        let set = serde_json::json!({ "watch": "fast" });
        serde_json::json!({ "where": { "search": "&1" }, "set": set, "dry_run": dry, "preview": preview })
    };
    let mut first = ask(true, "");
    first["preview"].take();
    let (status, looked) = post(&stage, "/api/v1/hosts/labels", &first).await;
    assert_eq!((status, &looked["hits"], &looked["done"]), (StatusCode::OK, &2.into(), &false.into()), "{looked}");
    let expected =
        serde_json::json!([{ "label": "watch", "before": null, "after": { "value": "fast", "from": "person" } }]);
    assert_eq!(looked["hosts"][0]["labels"], expected);
    let mark = looked["preview"].as_str().unwrap();
    assert_eq!(post(&stage, "/api/v1/hosts/labels", &ask(false, "another")).await.0, StatusCode::PRECONDITION_FAILED);
    let (status, done) = post(&stage, "/api/v1/hosts/labels", &ask(false, mark)).await;
    assert_eq!((status, &done["done"], &done["hosts"]), (StatusCode::OK, &true.into(), &looked["hosts"]));
    for (body, expected) in [
        (serde_json::json!({ "set": { "site": "x" } }), "\"all\": true"),
        (serde_json::json!({ "set": {}, "all": true }), "at least one label"),
        (serde_json::json!({ "set": { "watch": "often" }, "all": true }), "fast, normal, relaxed or none"),
        (serde_json::json!({ "set": { "host": "x" }, "all": true }), "reserved"),
        (serde_json::json!({ "where": { "state": "ill" }, "set": { "site": "x" } }), "a state such as"),
    ] {
        let (status, refused) = post(&stage, "/api/v1/hosts/labels", &body).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(status == StatusCode::BAD_REQUEST && detail.contains(expected), "{body}: {detail}");
    }
}

#[tokio::test]
async fn a_list_of_assets_is_looked_at_taken_or_refused_whole() {
    let stage = Stage::new(fleet(), |_| {});
    let name = |no: i64| format!("\"{}{no}\"", HOSTILE.replace('"', "\"\""));
    let csv = format!("name;site;owner\r\n{};berlin;\r\nnew-1;ulm;ann\r\n", name(3));
    let (_, looked) = post(&stage, "/api/v1/assets", &serde_json::json!({ "csv": csv, "dry_run": true })).await;
    let counted = [&looked["rows"], &looked["hits"], &looked["changed"]].map(serde_json::Value::as_i64);
    assert_eq!((counted, &looked["waiting"]), ([Some(2), Some(1), Some(1)], &serde_json::json!(["new-1"])), "{looked}");
    assert_eq!(looked["hosts"][0]["change"], "asset: site=berlin");

    // Far beyond what other requests may carry.
    let rows: String = (0..20_000).map(|no| format!("server-{no:06};berlin;ann\n")).collect();
    let large = serde_json::json!({ "csv": format!("name;site;owner\n{rows}") });
    assert_eq!(post(&stage, "/api/v1/assets", &large).await.0, StatusCode::OK);

    let id = HostId(uuid::Uuid::from_u128(3));
    for (csv, expected) in [
        ("name,colour\na,b\n".to_owned(), "line 1, column 2: there is no column \"colour\""),
        ("name,class\na,toaster\n".to_owned(), "line 2, column 2: there is no class \"toaster\""),
        ("name,site\na,b\nA,c\n".to_owned(), "line 3, column 1: host \"A\" has a row on line 2 already"),
        (format!("name,site\n{},b\n{id},c\n", name(3)), "line 3, column 1: host"),
    ] {
        let (status, refused) = post(&stage, "/api/v1/assets", &serde_json::json!({ "csv": csv })).await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(status == StatusCode::BAD_REQUEST && detail.contains(expected), "{csv:?}: {detail}");
    }
}
