//! Who sees to whom reports are mailed.

use super::*;
use crate::domain::sla::delivery::{Delivery, Destination, Issue, Made, State as How, Way};

const SETTINGS: &str = "[[receiver]]\nname = \"post\"\nkind = \"email\"\nserver = \"mx\"\nfrom = \"m@example.org\"\n\
    to = [\"ops@example.org\"]\n\
    [[agreement]]\nname = \"web\"\ntarget = 99\nhosts = [\"*\"]\n\
    [[report]]\nname = \"monthly\"\ndirectory = \"/srv/reports\"\nto = [\"Finance <finance@example.org>\"]\n";

/// A report that the mail server did not take, saying for whom.
async fn refused() -> Stage {
    let stage = Stage::new(Snapshot::default(), |config| {
        *config = config::parse(SETTINGS, Path::new("collector.toml")).unwrap();
    });
    let text = |text: &str| text.to_owned();
    let delivery = Delivery {
        n: 1,
        destination: Destination { way: Way::Mail, to: text("Finance <finance@example.org>") },
        state: How::Failed,
        tries: 1,
        at: stage.now,
        next: None,
        said: text("550 <finance@example.org>: no such mailbox"),
    };
    let made = Made {
        version: 1,
        digest: text("d"),
        verdict: text("met"),
        title: text("t"),
        text: text("x"),
        stem: text("web-2026-10"),
    };
    let issue = Issue {
        no: 0,
        report: text("monthly"),
        agreement: text("web"),
        period: text("2026-10"),
        due: stage.now,
        asked_by: None,
        at: stage.now,
        made: Some(made),
        why: String::new(),
        deliveries: vec![delivery],
    };
    stage.store.put_issue(issue, Vec::new(), None).await.unwrap();
    stage
}

#[tokio::test]
async fn to_whom_a_report_is_mailed_is_seen_by_those_who_may_deliver_it() {
    let stage = refused().await;
    for (role, sees) in [(Role::Viewer, false), (Role::Operator, true), (Role::Admin, true)] {
        let token = format!("Bearer {}", stage.token(role).await);
        let (cookie, _) = stage.session(role, false).await;
        for path in ["/api/v1/reports", "/api/v1/report-deliveries", "/service-levels"] {
            let by = if path.starts_with("/api/") { ("authorization", &*token) } else { ("cookie", &*cookie) };
            let answer = stage.ask(loopback(), request(&Method::GET, path, &[by], "")).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let shown = text(answer).await;
            assert_eq!(shown.contains("finance@example.org"), sees, "{role:?} {path}: {shown}");
            assert!(sees || !shown.contains("Finance"), "{role:?} {path}: {shown}");
            assert!(path.ends_with("reports") == shown.contains("\"receiver\":\"post\""), "{path}: {shown}");
        }
    }
}
