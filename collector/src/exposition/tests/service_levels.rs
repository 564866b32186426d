//! Service levels on the page of metrics.

use super::*;
use crate::domain::sla::{
    agreement::Agreement,
    figures::Figures,
    lattice::{Bucket, Stretch},
    period::Length,
    reckon,
    standing::Side,
    target::Target,
};
use crate::domain::{
    calendar::Span,
    sla::{
        budget::Budget,
        burn::{Burn, BurnAlerts, Lately, Pace},
    },
};

/// Of a day of which 1 000 s are over: 10 s down, 90 s cut off.
fn standing(name: &str) -> Standing {
    let agreement = Agreement::new(name, Target::parse("99.9").unwrap());
    let stretch = |from, until, bucket| Stretch::new(at(from), at(until), bucket);
    let rows = [
        stretch(0, 900_000, Bucket::Up),
        stretch(500_000, 510_000, Bucket::Down),
        stretch(900_000, 990_000, Bucket::Unreachable),
        stretch(990_000, 1_000_000, Bucket::Up),
    ];
    let side = |rows: &[Stretch], left_ms| {
        let reckoned = reckon(&agreement, rows, Span { from: at(0), until: at(1_000_000) });
        Side {
            buckets: reckoned.buckets,
            figures: reckoned.figures,
            budget: Budget { whole_ms: 86_310, left_ms },
            worst: Some(Budget { whole_ms: 80_000, left_ms: left_ms - 96_310 }),
        }
    };
    Standing {
        name: name.into(),
        target: agreement.target,
        period: Length::Day,
        at: at(1_000_500),
        subjects: 1,
        outages: 1,
        measured: side(&rows, 76_310),
        // It was no outage, people say.
        agreed: side(&[rows[0], rows[2], rows[3]], 86_310),
    }
}

async fn page(standings: Vec<Standing>, accept: &str) -> String {
    let context = context(view("web1", State::Up), 0);
    let levels = Levels { standings: watch::channel(Arc::new(standings)).1, ..context.levels };
    get_as(ExpositionContext { levels, ..context }, "/metrics", accept).await.2
}

async fn page_of(burns: Vec<Burn>) -> String {
    let context = context(view("web1", State::Up), 0);
    let levels = Levels { burns: watch::channel(Arc::new(burns)).1, ..context.levels };
    get_as(ExpositionContext { levels, ..context }, "/metrics", "*/*").await.2
}

fn told(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("muster_sla_") || line.starts_with("muster_slo_")).collect()
}

#[tokio::test]
async fn each_agreement_has_the_same_few_series() {
    let body = page(vec![standing("web shop")], "*/*").await;
    strict::parse(&body).unwrap();
    let expected = r#"muster_sla_availability_ratio{agreement="web shop",period="day"} 0.989010989010989
muster_sla_target_ratio{agreement="web shop"} 0.999
muster_sla_coverage_ratio{agreement="web shop"} 0.91
muster_sla_verdict{agreement="web shop",verdict="met"} 0
muster_sla_verdict{agreement="web shop",verdict="missed"} 1
muster_sla_verdict{agreement="web shop",verdict="undetermined"} 0
muster_sla_seconds{agreement="web shop",bucket="outside_hours"} 0
muster_sla_seconds{agreement="web shop",bucket="maintenance"} 0
muster_sla_seconds{agreement="web shop",bucket="down"} 10
muster_sla_seconds{agreement="web shop",bucket="clean_stop"} 0
muster_sla_seconds{agreement="web shop",bucket="up"} 900
muster_sla_seconds{agreement="web shop",bucket="unreachable"} 90
muster_sla_seconds{agreement="web shop",bucket="collector_down"} 0
muster_sla_seconds{agreement="web shop",bucket="unknown"} 0
muster_sla_outages{agreement="web shop"} 1
muster_sla_subjects{agreement="web shop"} 1
muster_sla_error_budget_remaining_ratio{agreement="web shop"} 0.8841385702699571
muster_sla_error_budget_remaining_seconds{agreement="web shop"} 76.31
muster_sla_worst_error_budget_remaining_ratio{agreement="web shop"} -0.25
muster_sla_agreed_availability_ratio{agreement="web shop",period="day"} 1
muster_sla_agreed_verdict{agreement="web shop",verdict="met"} 0
muster_sla_agreed_verdict{agreement="web shop",verdict="missed"} 0
muster_sla_agreed_verdict{agreement="web shop",verdict="undetermined"} 1
muster_sla_agreed_error_budget_remaining_ratio{agreement="web shop"} 1
muster_sla_computed_timestamp_seconds{agreement="web shop"} 1790001000.5"#;
    assert_eq!(told(&body), expected.lines().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_be_said_is_left_out_and_nothing_is_not_a_number() {
    let agreement = Agreement::new("idle", Target::WHOLE);
    let nothing = reckon(&agreement, &[], Span { from: at(0), until: at(0) });
    let side = Side {
        figures: Figures::of(&nothing.buckets, &agreement),
        buckets: nothing.buckets,
        budget: Budget { whole_ms: 0, left_ms: 0 },
        worst: None,
    };
    let idle = Standing { measured: side.clone(), agreed: side, ..standing("idle") };
    let body = page(vec![idle], "*/*").await;
    strict::parse(&body).unwrap();
    let told = told(&body);
    for absent in ["availability_ratio{", "coverage_ratio{", "budget_remaining_ratio{", "NaN", "inf"] {
        assert!(!told.iter().any(|line| line.contains(absent)), "{absent} in {told:#?}");
    }
    assert!(told.contains(&r#"muster_sla_error_budget_remaining_seconds{agreement="idle"} 0"#), "{told:#?}");
    assert!(page(vec![], "*/*").await.lines().all(|line| !line.contains("muster_sla")));
}

#[tokio::test]
async fn a_hostile_name_stays_within_its_label() {
    let name = "a\" b\\ c\n# TYPE evil counter\u{202e}";
    for accept in ["*/*", OPEN] {
        let body = page(vec![standing(name), standing("b")], accept).await;
        let read =
            if accept == OPEN { strict::parse_openmetrics(&body).map(drop) } else { strict::parse(&body).map(drop) };
        read.unwrap_or_else(|why| panic!("{why}\n{body}"));
        assert!(!body.lines().any(|line| line.starts_with("# TYPE evil")), "{body}");
        assert_eq!(body.matches("muster_sla_target_ratio{agreement=").count(), 2, "{body}");
    }
}

#[tokio::test]
async fn burn_rates_are_of_the_worst_subject_and_limits_follow_the_period() {
    let agreement = Agreement::new("web shop", Target::parse("99.9").unwrap());
    let month = Span { from: at(0), until: at(30 * 86_400_000) };
    let lately = |host: i64, from: i64, until: i64| {
        let bad = vec![Span { from: at(from), until: at(until) }];
        Lately::of_host(HostNo(host), format!("web-{host}"), 41_000, bad)
    };
    // A minute ago one was down for a minute; an hour ago another was for two.
    let burn = Burn {
        agreement: "web shop".into(),
        alerts: BurnAlerts::Off,
        pace: Pace::of(&agreement, month),
        at: at(3_720_000),
        subjects: vec![lately(1, 3_600_000, 3_660_000), lately(2, 0, 120_000)],
        left: None,
    };
    let body = page_of(vec![burn]).await;
    strict::parse(&body).unwrap();
    let expected = r#"muster_slo_burn_rate{agreement="web shop",window="5m"} 200
muster_slo_burn_rate{agreement="web shop",window="30m"} 33.333333333333336
muster_slo_burn_rate{agreement="web shop",window="1h"} 16.666666666666668
muster_slo_burn_rate{agreement="web shop",window="2h"} 16.666666666666668
muster_slo_burn_rate{agreement="web shop",window="6h"} 5.555555555555555
muster_slo_burn_rate{agreement="web shop",window="1d"} 1.3888888888888888
muster_slo_burn_rate{agreement="web shop",window="3d"} 0.46296296296296297
muster_slo_burn_rate_limit{agreement="web shop",window="1h",severity="critical"} 14.4
muster_slo_burn_rate_limit{agreement="web shop",window="6h",severity="critical"} 6
muster_slo_burn_rate_limit{agreement="web shop",window="1d",severity="warning"} 3
muster_slo_burn_rate_limit{agreement="web shop",window="3d",severity="warning"} 1
muster_slo_burning{agreement="web shop",window="1h",severity="critical"} 1
muster_slo_burning{agreement="web shop",window="6h",severity="critical"} 0
muster_slo_burning{agreement="web shop",window="1d",severity="warning"} 0
muster_slo_burning{agreement="web shop",window="3d",severity="warning"} 0"#;
    assert_eq!(told(&body), expected.lines().collect::<Vec<_>>());
    let nothing = Burn {
        agreement: "all".into(),
        alerts: BurnAlerts::Off,
        pace: Pace::of(&Agreement::new("all", Target::WHOLE), month),
        at: at(0),
        subjects: vec![lately(1, -60_000, 0)],
        left: None,
    };
    assert_eq!(told(&page_of(vec![nothing]).await), Vec::<&str>::new(), "where nothing may be missing no rate is one");
}
