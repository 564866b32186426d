//! The fleet: cuts, incidents, what the collector does to itself, and what people do.

use super::*;
use crate::domain::{
    proof::{Proof, acknowledged},
    record::Delivery,
};

#[test]
fn hosts_that_fall_silent_together_are_one_cut_and_one_page_and_one_recovery() {
    let mut fleet = Fleet::of(&[Watch::Normal; 6]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=6 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
        fleet.now += 100;
    }
    fleet.until(20_000);
    assert_eq!(fleet.state(6), State::Unreachable);
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "the collector's network: 6 hosts cut off from here")]);
    for no in 1..=6 {
        fleet.connect(no);
    }
    fleet.until(240_000);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
    assert!(fleet.pages[0].details.contains("h1, h2, h3, h4, h5, h6"), "{}", fleet.pages[0].details);
}

#[test]
fn a_storm_of_five_thousand_hosts_is_one_page_and_one_recovery() {
    let mut fleet = Fleet::of(&[Watch::Normal; 5_000]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=5_000 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "the collector's network: 5000 hosts cut off from here")]);
    assert!(fleet.pages[0].details.ends_with("and 4980 more"), "{}", fleet.pages[0].details);
    for no in 1..=5_000 {
        fleet.connect(no);
    }
    fleet.until(240_000);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn two_silent_hosts_are_no_cut() {
    let mut fleet = Fleet::of(&[Watch::Normal; 6]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=2 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }
    fleet.until(120_000);
    assert_eq!(fleet.told().len(), 2);
}

#[test]
fn the_hosts_own_alive_log_turns_down_into_unreachable_from_here() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(100_000);
    let (from, to) = (Timestamp::from_ms(START), Timestamp::from_ms(START + 60_000));
    fleet.connect_with(1, [1; 16], vec![AliveProof { boot_id: [1; 16], from, to, clean_end: false, resumed: true }]);
    fleet.until(200_000);
    let told: Vec<(Observed, i64)> =
        fleet.spans(1).iter().map(|span| (span.state, span.to.since_ms(span.from))).collect();
    assert_eq!(told, [(Observed::Unreachable, 60_000), (Observed::Down, 40_000)]);
}

#[test]
fn a_reboot_behind_a_cut_leaves_the_gap_between_the_two_boots_and_no_more() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(100_000);
    let lived = |boot: u8, from: i64, to: i64| {
        let (from, to) = (Timestamp::from_ms(START + from), Timestamp::from_ms(START + to));
        AliveProof { boot_id: [boot; 16], from, to, clean_end: false, resumed: true }
    };
    fleet.connect_with(1, [2; 16], vec![lived(1, -60_000, 20_000), lived(2, 55_000, 99_500)]);
    let told: Vec<(Observed, i64)> =
        fleet.spans(1).iter().map(|span| (span.state, span.to.since_ms(span.from))).collect();
    // From the Hello to the first readings the stream is proof.
    assert_eq!(told, [(Observed::Unreachable, 20_000), (Observed::Down, 35_000), (Observed::Unreachable, 45_000)]);
}

#[test]
fn a_suspended_collector_waits_for_its_hosts_and_blames_none() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Fast]);
    let from = Timestamp::from_ms(fleet.now);
    fleet.now += 3_600_000;
    fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
    assert_eq!(fleet.state(1), State::Unknown);
    fleet.ends(2, Ending::Reset);
    fleet.connect(2);
    fleet.host(1, HostEvent::Heard { session: SessionId(1) });
    fleet.until(3_700_000);
    assert_eq!((fleet.state(1), fleet.state(2)), (State::Up, State::Up));
    assert_eq!(fleet.told(), []);
    assert_eq!(fleet.spans(1).last().map(|span| span.state), Some(Observed::CollectorDown));
}

#[test]
fn findings_of_one_cause_are_one_incident_and_end_with_the_last_of_them() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    let cause = Some("drive MADE-UP-1".to_owned());
    let judged = |part: &str, rule, severity| Judgement {
        part: part.into(),
        rule,
        verdict: Verdict::Holds { severity, evidence: format!("{part}: not well") },
        cause: cause.clone(),
    };
    let over = |part: &str, rule| Judgement {
        verdict: Verdict::Cleared { evidence: "well".into() },
        ..judged(part, rule, Severity::Info)
    };
    let mut says = |no, judgements| fleet.host(no, HostEvent::Judged { through: None, judgements });
    let pending = judged("drive MADE-UP-1", "drive-pending-sectors", Severity::Warning);
    says(1, vec![pending.clone()]);
    // The drive has a worse trouble and the old one ends; its array is degraded by it.
    let failed = judged("drive MADE-UP-1", "drive-failed-self-verdict", Severity::Critical);
    says(1, vec![failed, over("drive MADE-UP-1", "drive-pending-sectors")]);
    says(1, vec![judged("array md0", "array-degraded", Severity::Critical)]);
    // Another host's drive is another's trouble, even by the same name.
    says(2, vec![pending]);
    let incidents = |fleet: &Fleet| fleet.pages.iter().filter(|page| page.kind == PageKind::Opened).count();
    fleet.until(120_000);
    assert_eq!(incidents(&fleet), 2, "{:?}", fleet.told());
    let resolved = |fleet: &Fleet| fleet.pages.iter().filter(|page| page.kind == PageKind::Resolved).count();
    fleet.host(
        1,
        HostEvent::Judged { through: None, judgements: vec![over("drive MADE-UP-1", "drive-failed-self-verdict")] },
    );
    assert_eq!(resolved(&fleet), 0, "the array is still degraded");
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![over("array md0", "array-degraded")] });
    assert_eq!(resolved(&fleet), 1);
}

#[test]
fn a_finding_on_a_host_that_is_down_joins_its_incident_and_alone_opens_its_own() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    let holds = |part: &str| Judgement {
        part: part.into(),
        rule: "filesystem_space",
        verdict: Verdict::Holds { severity: Severity::Warning, evidence: format!("{part}: 3 % free") },
        cause: None,
    };
    fleet.silent_from_now(1);
    fleet.until(20_000);
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![holds("/var")] });
    fleet.host(2, HostEvent::Judged { through: None, judgements: vec![holds("/")] });
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down"), (PageKind::Opened, "h2: /: 3 % free")]);
    let cleared = Judgement { verdict: Verdict::Cleared { evidence: "40 % free".into() }, ..holds("/") };
    fleet.host(2, HostEvent::Judged { through: None, judgements: vec![cleared] });
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
    assert_eq!(fleet.pages.last().map(|page| page.component.as_str()), Some("/"));
}

#[test]
fn whoever_acknowledges_stops_pages_that_have_not_gone_out() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(20_000);
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    fleet.until(120_000);
    assert_eq!(fleet.told(), []);
    fleet.connect(1);
    let incident = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert_eq!(incident.row.state, IncidentState::Resolved);
    assert_eq!(incident.row.acknowledged_by.as_deref(), Some("ana"));
}

#[test]
fn a_page_says_site_number_of_hosts_who_has_it_and_who_was_paged() {
    let messenger = |name: &str, least| Messenger { receiver: name.into(), least: Some(least) };
    let messengers = vec![
        messenger("ops", Severity::Warning),
        messenger("boss", Severity::Critical),
        messenger("post", Severity::Warning),
    ];
    let mut fleet = Fleet::with(&[Watch::Normal], Roster { messengers, ..Roster::default() }, START);
    let says = [("site".to_owned(), "berlin".to_owned())].into();
    fleet.operator(Command::Label { hosts: vec![profile(1, Watch::Normal).id], says });
    let holds = Judgement {
        part: "/".into(),
        rule: "filesystem_space",
        verdict: Verdict::Holds { severity: Severity::Warning, evidence: "3 % free".into() },
        cause: None,
    };
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![holds] });
    fleet.until(120_000);
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    let said = |page: &Page| {
        let facts = &page.facts;
        (page.receiver.clone(), facts.site.clone(), facts.hosts, facts.acknowledged_by.clone(), facts.paged.join(" "))
    };
    let of = |receiver: &str, who: Option<&str>, paged: &str| {
        (receiver.to_owned(), "berlin".to_owned(), 1, who.map(str::to_owned), paged.to_owned())
    };
    let all: Vec<_> = fleet.pages.iter().map(said).collect();
    let ana = Some("ana");
    let expected =
        [of("ops", None, "ops"), of("post", None, "ops post"), of("ops", ana, "ops post"), of("post", ana, "ops post")];
    assert_eq!(all, expected);
}

#[test]
fn a_page_is_followed_from_the_queue_over_the_receivers_word_to_the_person_who_took_it() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    let page = fleet.pages[0].id;
    let now = |fleet: &Fleet| Timestamp::from_ms(fleet.now);
    let asked = Some(now(&fleet).plus_ms(30_000));
    fleet.apply(Event::Delivered { page, outcome: Outcome::Retrying { error: "429".into(), not_before: asked } });
    let kept = |fleet: &Fleet| {
        let mut pages = fleet.rows.iter().filter_map(|row| if let Row::Page(page) = row { Some(page) } else { None });
        pages.rfind(|kept| kept.id == page).cloned().expect("the page was recorded")
    };
    assert_eq!((kept(&fleet).delivery, kept(&fleet).proof.not_before), (Delivery::Queued, asked));

    let taken = now(&fleet);
    fleet.apply(Event::Delivered { page, outcome: Outcome::Accepted { provider_id: Some("SM1".into()) } });
    fleet.now += 200;
    let reached = now(&fleet);
    for receipt in ["delivered", "read"] {
        fleet.apply(Event::Delivered { page, outcome: Outcome::Delivered { receipt: receipt.into() } });
        fleet.now += 200;
    }
    let proof = kept(&fleet).proof;
    let expected = Proof {
        not_before: None,
        accepted: Some(taken),
        provider_id: Some("SM1".into()),
        delivered: Some(reached),
        receipt: Some("read".into()),
        ..Proof::default()
    };
    assert_eq!((kept(&fleet).delivery, proof), (Delivery::Accepted, expected));
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert_eq!(acknowledged(&view.pages[0], &view.events), None);
    let (at, who) = (now(&fleet), "ana");
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert_eq!(acknowledged(&view.pages[0], &view.events), Some((at, who)));
    assert_eq!(acknowledged(view.pages.last().unwrap(), &view.events), Some((at, who)), "told in the same moment");
}

#[test]
fn each_try_of_a_page_is_recorded_and_its_end_is_noted() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    let page = fleet.pages[0].id;
    fleet.apply(Event::Delivered { page, outcome: Outcome::Retrying { error: "503".into(), not_before: None } });
    fleet.apply(Event::Delivered { page, outcome: Outcome::Accepted { provider_id: None } });
    let tries = fleet.rows.iter().filter(|row| matches!(row, Row::Attempt(_))).count();
    assert_eq!(tries, 2);
    let events = &fleet.engine.snapshot().incidents[&IncidentNo(1)].events;
    assert!(events.iter().any(|event| event.kind == "paged" && event.text == "accepted by ops"), "{events:?}");
}

#[test]
fn a_revoked_host_is_nobodys_outage() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    fleet.host(1, HostEvent::Admitted(Admission::Revoked));
    assert_eq!(fleet.state(1), State::Unknown);
    assert_eq!(fleet.engine.snapshot().hosts[&HostNo(1)].cause, Cause::NotAdmitted);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn a_restart_of_the_collector_is_no_news_about_a_host_but_its_own_reboot_is() {
    for (boot, since) in [(1, 0), (2, 60_000)] {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        let from = Timestamp::from_ms(fleet.now);
        fleet.now += 60_000;
        fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
        fleet.connect_with(1, [boot; 16], Vec::new());
        assert_eq!(fleet.state(1), State::Up);
        assert_eq!(fleet.liveness(1).since.ms() - START, since, "boot {boot}");
        assert_eq!(fleet.spans(1).last().map(|span| span.to.ms() - START), Some(60_000));
    }
}

#[test]
fn what_was_closed_by_hand_and_gets_worse_is_told_anew() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Fin);
    fleet.until(50_000);
    fleet.operator(Command::Resolve { incident: IncidentNo(1), note: "known".into() });
    fleet.answer = Look::Silent;
    fleet.until(300_000);
    assert_eq!(fleet.state(1), State::Down);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved, PageKind::Opened]);
    assert_eq!(fleet.pages[2].severity, Severity::Critical);
}

#[test]
fn an_acknowledged_warning_that_becomes_critical_calls_somebody() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Fin);
    fleet.until(20_000);
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    fleet.answer = Look::Silent;
    fleet.until(300_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn the_hosts_behind_one_address_are_not_judged_by_what_answers_there() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    for no in 1..=2 {
        let session = SessionId(no + 10);
        let peer = IpAddr::from([192, 0, 2, 1]);
        fleet.host(
            no,
            HostEvent::Opened {
                session,
                boot_id: [1; 16],
                peer,
                heard_before: None,
                alive: Vec::new(),
                facts: Box::default(),
                labels: Vec::new(),
            },
        );
        fleet.host(no, HostEvent::Heard { session });
    }
    let sharing = |fleet: &Fleet| fleet.engine.at_address[&IpAddr::from([192, 0, 2, 1])];
    assert_eq!(sharing(&fleet), 2);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.host(1, HostEvent::Silent { session: SessionId(11), proof });
    fleet.until(60_000);
    assert_eq!(fleet.state(1), State::Down);
    assert_eq!(sharing(&fleet), 2, "a dead host still shares its address");
}

#[test]
fn laptops_that_close_together_are_no_cut() {
    let mut fleet = Fleet::of(&[Watch::Relaxed; 6]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 75_000;
    for no in 1..=6 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }
    fleet.until(3_600_000);
    assert_eq!(fleet.told(), []);
    assert_eq!(fleet.state(1), State::Unknown);
}

#[test]
fn a_host_that_stayed_dead_after_a_flapping_cut_is_down_in_the_end() {
    let mut fleet = Fleet::of(&[Watch::Normal; 6]);
    for round in 0..2 {
        let proof = Timestamp::from_ms(fleet.now);
        fleet.now += 7_000;
        for no in (1..=6).filter(|no| round == 0 || *no != 6) {
            fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
        }
        let at = fleet.now - START;
        fleet.until(at + 20_000);
        for no in 1..=5 {
            fleet.connect(no);
        }
    }
    let at = fleet.now - START;
    fleet.until(at + 200_000);
    assert_eq!(fleet.state(6), State::Down);
    assert_eq!(fleet.told().last(), Some(&(PageKind::Opened, "h6 is down")));
}

#[test]
fn an_hour_that_the_wall_clock_is_set_back_delays_no_page() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(20_000);
    fleet.now -= 3_600_000;
    fleet.apply(Event::Stepped { by_ms: -3_600_000 });
    fleet.until(20_000 - 3_600_000 + 21_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn a_host_revoked_while_its_session_opens_is_shown_the_door() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.host(1, HostEvent::Admitted(Admission::Revoked));
    fleet.connect(1);
    assert_eq!(fleet.state(1), State::Unknown);
    assert_eq!(fleet.engine.snapshot().hosts[&HostNo(1)].session, None);
}

#[test]
fn after_an_absence_hosts_are_waited_for_as_long_as_their_agents_may_wait_by_then() {
    // An agent waits at random up to twice as long each time: after 20 s it may have come to its longest wait, a minute.
    for (away_ms, back_ms) in [(1_000, 9_000), (5_000, 29_000), (20_000, 65_000), (3_600_000, 65_000)] {
        let mut fleet = Fleet::of(&[Watch::Normal, Watch::Fast]);
        let from = Timestamp::from_ms(fleet.now);
        fleet.now += away_ms;
        fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
        for host in [1, 2] {
            fleet.ends(host, Ending::Reset);
        }
        fleet.until(away_ms + back_ms);
        fleet.connect(1);
        fleet.connect(2);
        fleet.until(away_ms + 200_000);
        assert_eq!(fleet.told(), [], "away for {away_ms} ms");
    }
}
