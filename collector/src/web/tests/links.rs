//! The link in a page: what opens it changes nothing, only its button acts, for one person and for a time.

use super::*;
use crate::links::Links;

const NAME: &str = "Ann B.";

/// A stage with one open incident, and the path of Ann's link in a page that is so old.
fn stage(age_ms: i64) -> (Stage, String) {
    let now = Clock::start().now();
    let stage = Stage::new(hostile_fleet(now), |config| config.http.require_authentication = true);
    let view = hostile_incident(now);
    let page = Page { person: Some(NAME.into()), decided: now.plus_ms(-age_ms), ..view.pages[0].clone() };
    let path = Links::open(stage.directory.path()).unwrap().path(&page).unwrap();
    (stage, path)
}

/// How those ask who open links for people: scanners of mail, previews of chats, browsers that fetch ahead, and people.
const OPENERS: [(&Method, &[(&str, &str)]); 7] = [
    (&Method::GET, &[("user-agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)")]),
    (
        &Method::GET,
        &[("user-agent", "Mozilla/5.0 (Windows NT 10.0) SafeLinks"), ("referer", "https://outlook.office.com/")],
    ),
    (&Method::GET, &[("user-agent", "WhatsApp/2.23.20"), ("range", "bytes=0-1023")]),
    (&Method::GET, &[("purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("sec-fetch-site", "none")]),
    (&Method::GET, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-user", "?1")]),
    (&Method::HEAD, &[("user-agent", "Barracuda Sentinel (EE)")]),
    (&Method::OPTIONS, &[("origin", "https://mail.example.org"), ("access-control-request-method", "POST")]),
];

#[tokio::test]
async fn whoever_opens_it_sees_it_and_takes_nothing() {
    let (stage, path) = stage(0);
    for (method, headers) in OPENERS {
        let answer = stage.ask(elsewhere(), request(method, &path, headers, "")).await;
        let (status, cached) = (answer.status(), answer.headers().get(header::CACHE_CONTROL).cloned());
        let body = text(answer).await;
        if method == Method::GET {
            assert!(
                status == StatusCode::OK && body.contains("I have it") && body.contains(NAME),
                "{headers:?} {body}"
            );
            assert!(cached.is_some_and(|value| value.to_str().unwrap().contains("no-store")), "{headers:?}");
        } else if method == Method::HEAD {
            assert_eq!((status, body.as_str()), (StatusCode::OK, ""), "{headers:?}");
        } else {
            assert_ne!(status, StatusCode::OK, "nobody else's page may post it");
        }
        assert_eq!(stage.commands(), Vec::<String>::new(), "{method} {headers:?}");
    }
    // A scanner that presses buttons comes from no page of ours.
    for headers in [&[][..], &[("origin", "https://mail.example.org")], &[("sec-fetch-site", "cross-site")]] {
        let posted = stage.ask(elsewhere(), request(&Method::POST, &path, headers, "")).await;
        assert_eq!(posted.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(stage.commands(), Vec::<String>::new());
}

#[tokio::test]
async fn its_button_takes_it_for_its_person_and_for_nobody_else() {
    let (stage, path) = stage(0);
    let own = [("origin", "https://localhost:7461"), ("sec-fetch-site", "same-origin")];
    let taken = stage.ask(elsewhere(), request(&Method::POST, &path, &own, "who=eve&name=eve")).await;
    assert_eq!(taken.status(), StatusCode::OK);
    let expected = "Ann B. through link of page 1: Acknowledge { incident: IncidentNo(7), for_ms: None, note: \"\" }";
    assert_eq!(stage.commands(), [expected]);
}

#[tokio::test]
async fn it_works_for_a_day_and_says_so_afterwards() {
    const DAY_MS: i64 = 86_400_000;
    for (age_ms, works) in [(DAY_MS - 60_000, true), (DAY_MS, false)] {
        let (stage, path) = stage(age_ms);
        let own = [("origin", "https://localhost:7461"), ("sec-fetch-site", "same-origin")];
        let shown = stage.ask(elsewhere(), request(&Method::GET, &path, &[], "")).await;
        assert_eq!(shown.status(), if works { StatusCode::OK } else { StatusCode::GONE });
        if !works {
            let said = text(shown).await;
            assert!(said.contains("this link worked until") && said.contains("sign in"), "{said}");
        }
        let taken = stage.ask(elsewhere(), request(&Method::POST, &path, &own, "")).await;
        assert_eq!(
            (taken.status(), stage.commands().len()),
            if works { (StatusCode::OK, 1) } else { (StatusCode::GONE, 0) }
        );
    }
}
