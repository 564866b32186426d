//! What is found becomes what is said: once, about the part, until its evidence says otherwise.

use super::super::standing::{Seen, component, differences, findings, understood};
use crate::domain::{
    finding::{FindingRow, Judgement, Verdict},
    ids::HostNo,
    severity::Severity,
    time::Timestamp,
};

fn drive(device: &str, serial: &str, passed: bool, pending: u64) -> Seen {
    let payload = format!(
        r#"{{"smartctl":{{"exit_status":0}},"device":{{"name":"/dev/{device}","protocol":"ATA"}},"model_name":"MADE UP 4000",
        "serial_number":"{serial}","rotation_rate":7200,"smart_status":{{"passed":{passed}}},"ata_smart_attributes":{{"table":[
        {{"id":197,"name":"Current_Pending_Sector","value":100,"worst":100,"thresh":0,"when_failed":"",
        "flags":{{"prefailure":false}},"raw":{{"value":{pending},"string":"{pending}"}}}}]}}}}"#
    );
    let facts = understood("smartctl-json", payload.as_bytes()).unwrap();
    Seen { device: device.into(), facts, before: None, used: Vec::new() }
}

/// What is open after this was said.
fn opened(judgements: &[Judgement]) -> Vec<FindingRow> {
    let row = |judgement: &Judgement| match &judgement.verdict {
        Verdict::Holds { severity, evidence } => Some(FindingRow {
            host: HostNo(1),
            part: judgement.part.clone(),
            rule: judgement.rule.to_owned(),
            open: true,
            severity: *severity,
            since: Timestamp::from_ms(0),
            evidence: evidence.clone(),
            cause: judgement.cause.clone(),
        }),
        _ => None,
    };
    judgements.iter().filter_map(row).collect()
}

fn said(judgements: &[Judgement]) -> Vec<(String, &'static str, Option<Severity>)> {
    let severity = |verdict: &Verdict| match verdict {
        Verdict::Holds { severity, .. } => Some(*severity),
        _ => None,
    };
    judgements.iter().map(|one| (one.part.clone(), one.rule, severity(&one.verdict))).collect()
}

#[test]
fn a_drive_that_declares_itself_failed_is_said_once_wherever_it_sits_and_ends_with_it() {
    let first = differences(&findings(&[drive("sda", "MADE-UP-1", false, 0)]), &[]);
    let rule = "drive-failed-self-verdict";
    assert_eq!(said(&first), [("drive MADE-UP-1".to_owned(), rule, Some(Severity::Critical))]);
    let open = opened(&first);
    assert!(open[0].evidence.contains("/dev/sda") && open[0].evidence.contains("MADE UP 4000"), "{}", open[0].evidence);
    assert_eq!(differences(&findings(&[drive("sda", "MADE-UP-1", false, 0)]), &open), []);
    // It moved to another bay: the same finding, told where it is now.
    let moved = differences(&findings(&[drive("sdc", "MADE-UP-1", false, 0)]), &open);
    assert_eq!(said(&moved), said(&first));
    assert!(opened(&moved)[0].evidence.contains("/dev/sdc"));
    // Another drive is in its place; what other rules of readings hold open is not theirs to end.
    let mut open = open;
    open.push(FindingRow { part: "/var".into(), rule: "filesystem_space".into(), ..open[0].clone() });
    let replaced = differences(&findings(&[drive("sda", "MADE-UP-2", true, 0)]), &open);
    assert_eq!(said(&replaced), [("drive MADE-UP-1".to_owned(), rule, None)]);
    assert!(matches!(&replaced[0].verdict, Verdict::Cleared { .. }));
}

#[test]
fn what_only_predicts_is_a_warning_at_most_and_grows_with_its_evidence() {
    let most = |pending| {
        let judgements = differences(&findings(&[drive("sda", "MADE-UP-1", true, pending)]), &[]);
        said(&judgements).into_iter().filter_map(|(_, _, severity)| severity).max()
    };
    assert_eq!(most(0), None);
    assert_eq!(most(400), Some(Severity::Warning));
}

#[test]
fn what_cannot_be_read_is_neither_good_nor_bad_and_names_of_parts_are_short() {
    assert_eq!(understood("smartctl-json", b"{\"smartctl\":"), None);
    assert_eq!(understood("what-is-this", &[0xff; 2_000]), None);
    let part = super::super::Part { kind: "drive", serial: "x".repeat(4_000), ..Default::default() };
    assert!(component(&part).chars().count() < 130);
}

#[test]
fn bad_sectors_that_grow_within_a_week_say_more_than_as_many_that_do_not() {
    let rules = |now: &Seen, then: Option<&Seen>| {
        let seen = Seen { before: then.map(|then| then.facts.clone()), ..now.clone() };
        said(&differences(&findings(&[seen]), &[])).into_iter().map(|(part, rule, _)| (part, rule)).collect::<Vec<_>>()
    };
    let growing = ("drive MADE-UP-1".to_owned(), "drive-defects-growing");
    let (now, then) = (drive("sda", "MADE-UP-1", true, 25), drive("sda", "MADE-UP-1", true, 5));
    assert!(rules(&now, Some(&then)).contains(&growing), "{:?}", rules(&now, Some(&then)));
    for before in [
        None,
        // One less than a drive grows by that is going; not at all; fewer than before; another drive.
        Some(drive("sda", "MADE-UP-1", true, 6)),
        Some(now.clone()),
        Some(drive("sda", "MADE-UP-1", true, 900)),
        Some(drive("sda", "MADE-UP-7", true, 0)),
    ] {
        assert!(!rules(&now, before.as_ref()).contains(&growing), "{before:?}");
    }
}

#[test]
fn a_drive_whose_waiting_sectors_become_fewer_is_improving() {
    let told = |pending: u64, before: u64| {
        let before = Some(drive("sda", "MADE-UP-1", true, before).facts);
        let seen = Seen { before, ..drive("sda", "MADE-UP-1", true, pending) };
        opened(&differences(&findings(&[seen]), &[]))[0].evidence.clone()
    };
    assert!(told(12, 40).contains("improving, a week ago 40"), "{}", told(12, 40));
    assert!(!told(12, 12).contains("improving") && !told(12, 11).contains("improving"));
}

#[test]
fn a_drive_that_is_nearly_worn_out_says_between_which_days_it_will_be() {
    let text = r#"{"smartctl":{"exit_status":0},"device":{"name":"/dev/nvme0","protocol":"NVMe"},"serial_number":"MADE-UP-2",
        "smart_status":{"passed":true},"nvme_smart_health_information_log":{"critical_warning":0,"available_spare":100,
        "available_spare_threshold":10,"percentage_used":95,"media_errors":0}}"#;
    let told = |days: i64| {
        let used =
            (0..=days).map(|day| (Timestamp::from_ms(day * 86_400_000 + 43_200_000), 95.0 - 0.1 * (days - day) as f64));
        let facts = understood("smartctl-json", text.as_bytes()).unwrap();
        let seen = Seen { device: "nvme0".into(), facts, before: None, used: used.collect() };
        opened(&differences(&findings(&[seen]), &[]))[0].evidence.clone()
    };
    // The twentieth day is 1970-01-21; five percents at a tenth a day are fifty more.
    assert!(told(20).contains("rated life used up between 1970-03-12 and 1970-03-12"), "{}", told(20));
    assert!(told(3).contains("rated life used up nobody can say: fewer than 14 days are known"), "{}", told(3));
}

#[test]
fn a_cable_is_told_from_its_drive_and_media_errors_count_when_they_grow() {
    let link = |count: u64| {
        let payload = format!(
            r#"{{"smartctl":{{"exit_status":0}},"device":{{"name":"/dev/sda","protocol":"ATA"}},"serial_number":"MADE-UP-1",
            "smart_status":{{"passed":true}},"ata_smart_attributes":{{"table":[{{"id":199,"name":"UDMA_CRC_Error_Count",
            "value":200,"worst":200,"thresh":0,"raw":{{"value":{count},"string":"{count}"}}}}]}}}}"#
        );
        payload.into_bytes()
    };
    let nvme = |errors: u64| {
        let payload = format!(
            r#"{{"smartctl":{{"exit_status":0}},"device":{{"name":"/dev/nvme0","protocol":"NVMe"}},"serial_number":"MADE-UP-2",
            "smart_status":{{"passed":true}},"nvme_smart_health_information_log":{{"critical_warning":0,"available_spare":100,
            "available_spare_threshold":10,"percentage_used":1,"media_errors":{errors}}}}}"#
        );
        payload.into_bytes()
    };
    let told = |now: Vec<u8>, then: Vec<u8>| {
        let [facts, before] = [now, then].map(|said| understood("smartctl-json", &said).unwrap());
        let seen = Seen { device: "x".into(), facts, before: Some(before), used: Vec::new() };
        let all = said(&differences(&findings(&[seen]), &[]));
        all.into_iter().filter(|(_, rule, _)| rule.ends_with("-growing")).collect::<Vec<_>>()
    };
    let warning = Some(Severity::Warning);
    assert_eq!(told(link(410), link(400)), [("link MADE-UP-1".to_owned(), "link-crc-errors-growing", warning)]);
    assert_eq!(told(link(409), link(400)), []);
    assert_eq!(told(nvme(3), nvme(2)), [("drive MADE-UP-2".to_owned(), "nvme-media-errors-growing", warning)]);
    assert_eq!(told(nvme(3), nvme(3)), []);
}
