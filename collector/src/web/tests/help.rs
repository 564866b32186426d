//! Help is there for everybody, says what the program is, and leads nowhere that is not there.

use super::*;
use crate::{
    domain::{
        host::State,
        rules::{RULES, hardware::catalogue::all},
    },
    web::views::help::PAGES,
};

async fn page(stage: &Stage, path: &str) -> String {
    let answer = stage.ask(elsewhere(), request(&Method::GET, path, &[], "")).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    text(answer).await
}

fn path(name: &str) -> String {
    format!("/help/{name}").trim_end_matches('/').to_owned()
}

#[tokio::test]
async fn every_page_is_there_without_signing_in_and_the_others_are_linked_from_it() {
    let stage = Stage::new(Snapshot::default(), |config| config.http.require_authentication = true);
    for (name, _) in PAGES {
        let html = page(&stage, &path(name)).await;
        for (other, _) in PAGES {
            assert!(html.contains(&format!("href=\"{}\"", path(other))), "{other} from {name}");
        }
        assert!(!html.contains("<script"), "{name}");
    }
    let unknown = stage.ask(elsewhere(), request(&Method::GET, "/help/nothing", &[], "")).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_help_links_to_is_there() {
    let stage = Stage::plain();
    let mut seen = 0;
    for (name, _) in PAGES {
        let html = page(&stage, &path(name)).await;
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            if !target.starts_with('/') {
                assert!(target.starts_with("https://age-encryption.org/"), "{link} leads outside");
                continue;
            }
            let answer = stage.ask(loopback(), request(&Method::GET, target, &[], "")).await;
            assert_eq!(answer.status(), StatusCode::OK, "{link} from {name}");
            let there = text(answer).await;
            assert!(anchor.is_empty() || there.contains(&format!("id=\"{anchor}\"")), "{link} from {name}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} links");
}

#[tokio::test]
async fn every_view_and_every_error_leads_to_help() {
    let stage = Stage::plain();
    for view in ["/", "/incidents", "/service-levels", "/machines", "/hardware", "/on-call", "/settings", "/nowhere"] {
        let shown = text(stage.ask(loopback(), request(&Method::GET, view, &[], "")).await).await;
        assert!(shown.contains("href=\"/help"), "{view}");
    }
    let refused = stage.ask(loopback(), request(&Method::GET, "/api/v1/nowhere", &[], "")).await;
    assert_eq!(refused.headers()["link"], "</help>; rel=\"help\"");
}

#[tokio::test]
async fn each_state_and_each_rule_is_explained() {
    let stage = Stage::plain();
    let states = page(&stage, "/help/states").await;
    for state in State::ALL {
        assert!(states.contains(&format!("<td>{}</td>", state.word())), "{}", state.word());
    }
    let rules = page(&stage, "/help/rules").await;
    for rule in RULES {
        assert!(rules.contains(&format!("<section id=\"{}\">", rule.name)), "{}", rule.name);
    }
    let hardware = text(stage.ask(loopback(), request(&Method::GET, "/hardware/rules", &[], "")).await).await;
    for rule in all() {
        assert!(hardware.contains(&format!("<section id=\"{}\">", rule.name)), "{}", rule.name);
    }
}
