//! The parts of the hardware: the fleet's list, the page of one part and its JSON, and what cannot be seen.

use serde_json::{Value, json};

use super::*;
use crate::{
    domain::rules::hardware::{
        sheet::{LOG_MS, sheets},
        summary::Summary,
    },
    store::Fact,
};

const HOST: &str = "00000000-0000-0000-0000-000000000001";
const DAY_MS: i64 = 86_400_000;

async fn tell(stage: &Stage, sequence: u64, source: &str, part: &str, days_ago: i64, payload: &str) {
    let body = json!({ "source": source, "part": part, "outcome": "read", "reason": "", "format": 1,
                       "size": payload.len(), "payload": payload });
    let at = stage.now.plus_ms(-days_ago * DAY_MS);
    let fact = Fact { sequence, at, kind: "evidence", body: body.to_string() };
    stage.store.commit_facts(HostNo(1), [1; 16], vec![fact]).await.unwrap();
}

async fn get(stage: &Stage, path: &str) -> (StatusCode, String) {
    let answer = stage.ask(loopback(), request(&Method::GET, path, &[], "")).await;
    (answer.status(), text(answer).await)
}

fn drive(pending: u64) -> String {
    json!({
        "smartctl": { "version": [7, 4], "exit_status": 0 }, "device": { "name": "/dev/sda", "type": "sat", "protocol": "ATA" },
        "model_name": "MADE UP 4000", "serial_number": "MADE-UP-1", "firmware_version": "0001", "rotation_rate": 7200,
        "user_capacity": { "bytes": 4_000_787_030_016_u64 }, "form_factor": { "name": "3.5 inches" },
        "smart_status": { "passed": true },
        "ata_smart_attributes": { "table": [
            { "id": 197, "name": "Current_Pending_Sector", "value": 100, "worst": 100, "thresh": 0, "when_failed": "",
              "flags": {}, "raw": { "value": pending, "string": pending.to_string() } }] }
    })
    .to_string()
}

/// A failing drive in an array without redundancy, whose pending sectors grew within three days.
async fn failing(change: impl FnOnce(&mut HostView)) -> Stage {
    let now = Clock::start().now();
    let fleet = hostile_fleet(now);
    let mut host = HostView::clone(&fleet.hosts[&HostNo(1)]);
    host.findings = vec![FindingRow {
        host: HostNo(1),
        part: "drive MADE-UP-1".into(),
        rule: "drive-pending-sectors".into(),
        open: true,
        severity: Severity::Warning,
        since: now.plus_ms(-DAY_MS),
        evidence: "sectors cannot be read".into(),
        cause: None,
    }];
    change(&mut host);
    let stage = Stage::new(Snapshot { hosts: Arc::new([(HostNo(1), Arc::new(host))].into()), ..fleet }, |_| {});
    let layout = "/sys/block/sda:../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda\n\
                  /sys/block/sda/sda1/holders:md0\n/sys/class/enclosure/2:0:8:0/Slot 03/device/block:sda\n/dev/md0:/srv\n";
    let mdstat = "Personalities : [raid1]\nmd0 : active raid1 sdb1[1](F) sda1[0]\n      9 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";
    for (sequence, days_ago, pending) in [(1, 3, 0), (2, 2, 8), (3, 1, 24)] {
        tell(&stage, sequence, "smartctl-json", "sda", days_ago, &drive(pending)).await;
    }
    tell(&stage, 4, "mdstat", "", 1, mdstat).await;
    tell(&stage, 5, "block-sysfs", "", 1, layout).await;
    let told = stage.store.told(HostNo(1), stage.now.plus_ms(-LOG_MS)).await.unwrap();
    let asked = [("smartctl-json", "read", "", stage.now), ("edac", "not_present", "no_ecc_reporting", stage.now)];
    stage.board.put(HostNo(1), Summary::of(asked.into_iter(), sheets(&told)));
    stage
}

#[tokio::test]
async fn the_page_of_a_failing_drive_says_all_that_is_needed_to_order_and_swap_it() {
    let stage = failing(|_| {}).await;
    let (status, page) = get(&stage, &format!("/hardware/{HOST}/drive%20MADE-UP-1")).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    for wanted in [
        // To order it.
        "MADE UP 4000",
        "MADE-UP-1",
        "0001",
        "4.00 TB (4000787030016 bytes)",
        "3.5 inches",
        "SATA",
        // To find it.
        "Slot 03",
        "/dev/sda",
        "ata3",
        "0000:00:17.0",
        // What it carries, and what is left.
        "sda1 › md0",
        "/srv",
        "no redundancy is left",
        // What is wrong, since when, by which rule, how sure, what to do.
        "/hardware/rules#drive-pending-sectors",
        "for 1 d 0 h",
        "n = 194",
        "back up what is on it now and replace it",
        // How the counter went.
        "197 Current_Pending_Sector",
        "+24",
        "/incidents/7",
    ] {
        assert!(page.contains(wanted), "{wanted}:\n{page}");
    }
    assert!(!page.contains("<b onmouseover"), "{page}");
    // Also by its node, and under the name that the kernel has for it.
    for name in ["sda", "drive%20sda", "sda1"] {
        assert_eq!(get(&stage, &format!("/hardware/{HOST}/{name}")).await.0, StatusCode::OK, "{name}");
    }
    for name in ["sdz", "drive%20OTHER", "%3Cb%3E"] {
        let (status, page) = get(&stage, &format!("/hardware/{HOST}/{name}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}");
        assert!(!page.contains("<b>\""), "{page}");
    }
}

#[tokio::test]
async fn a_part_of_which_only_its_finding_is_left_has_a_page_too() {
    let stage = failing(|host| host.findings[0].part = format!("drive {HOSTILE}")).await;
    let part = crate::web::words::encode_part(&format!("drive {HOSTILE}"));
    let (status, page) = get(&stage, &format!("/hardware/{HOST}/{part}")).await;
    assert!(status == StatusCode::OK && page.contains("sectors cannot be read"), "{page}");
    assert!(page.contains("drive-pending-sectors") && !page.contains("<b onmouseover"), "{page}");
}

#[tokio::test]
async fn the_same_is_said_as_json_and_all_parts_are_listed() {
    let stage = failing(|_| {}).await;
    let json = async |path: &str| -> Value { serde_json::from_str(&get(&stage, path).await.1).unwrap() };
    let list = json(&format!("/api/v1/hosts/{HOST}/parts")).await;
    let rows: Vec<_> = list["items"].as_array().unwrap().iter().map(|row| (&row["part"], &row["verdict"])).collect();
    let expected = [("drive MADE-UP-1", "failing"), ("array md0", "failing"), ("drive sdb1", "failed")]
        .map(|(part, verdict)| (json!(part), json!(verdict)));
    assert_eq!(rows, expected.iter().map(|(part, verdict)| (part, verdict)).collect::<Vec<_>>());
    let part = json(&format!("/api/v1/hosts/{HOST}/parts/drive%20MADE-UP-1")).await;
    assert_eq!(
        (&part["serial"], &part["slot"], &part["severity"]),
        (&json!("MADE-UP-1"), &json!("Slot 03 of enclosure 2:0:8:0"), &json!("warning"))
    );
    assert_eq!(part["carries"], json!([{ "devices": ["sda1", "md0"], "mounts": ["/srv"] }]));
    assert_eq!((&part["groups"][0]["name"], &part["groups"][0]["can_still_lose"]), (&json!("md0"), &json!(0)));
    assert_eq!(part["open"][0]["documented"], "/hardware/rules#drive-pending-sectors");
    let values: Vec<_> =
        part["counters"][0]["points"].as_array().unwrap().iter().map(|point| &point["value"]).collect();
    assert_eq!(values, [0, 8, 24]);
    assert_eq!(get(&stage, &format!("/api/v1/hosts/{HOST}/parts/sdz")).await.0, StatusCode::NOT_FOUND);
    let unseen = json("/api/v1/hardware/coverage").await;
    let row = &unseen["items"][0];
    assert_eq!(
        (&row["reason"], &row["parts"], unseen["items"].as_array().unwrap().len()),
        (&json!("no_ecc_reporting"), &json!(1), 1)
    );
}

#[tokio::test]
async fn every_view_that_names_a_part_leads_to_its_page() {
    let stage = failing(|_| {}).await;
    let link = format!("/hardware/{HOST}/drive%20MADE-UP-1");
    for (path, wanted) in [
        ("/hardware".to_owned(), link.as_str()),
        (format!("/hosts/{HOST}"), &link),
        (format!("/hosts/{HOST}"), &format!("/hardware/{HOST}/sda\"")),
    ] {
        let page = get(&stage, &path).await.1;
        assert!(page.contains(wanted), "{path} without {wanted}:\n{page}");
    }
    let list = get(&stage, "/hardware").await.1;
    assert!(list.contains("MADE UP 4000, in Slot 03") && list.contains("/hardware/coverage"), "{list}");
}

#[tokio::test]
async fn the_coverage_view_says_what_cannot_be_seen_why_and_on_which_hosts() {
    let stage = failing(|_| {}).await;
    let page = get(&stage, "/hardware/coverage").await.1;
    for wanted in
        ["no ecc reporting", "1 of 2 parts of 1 host could be read", "nothing reports errors of the memory", HOST]
    {
        assert!(page.contains(wanted), "{wanted}:\n{page}");
    }
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    let page = get(&stage, "/hardware/coverage").await.1;
    assert!(page.contains("Hosts that say nothing of their hardware") && !page.contains("<b onmouseover"), "{page}");
}

#[tokio::test]
async fn every_rule_has_its_place_on_the_page_of_the_rules() {
    let page = get(&Stage::plain(), "/hardware/rules").await.1;
    for rule in crate::domain::rules::hardware::catalogue::all() {
        assert!(page.contains(&format!("<section id=\"{}\">", rule.name)), "{}", rule.name);
    }
}

/// An NVMe drive that has used so much of its rated life.
fn nvme(used: u64) -> String {
    json!({
        "smartctl": { "version": [7, 4], "exit_status": 0 },
        "device": { "name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe" }, "model_name": "MADE UP N1",
        "serial_number": "MADE-UP-N", "smart_status": { "passed": true },
        "nvme_smart_health_information_log": { "critical_warning": 0, "available_spare": 100,
            "available_spare_threshold": 10, "percentage_used": used, "media_errors": 0 },
    })
    .to_string()
}

#[tokio::test]
async fn a_drives_page_says_how_much_of_its_life_is_used_and_between_which_days_it_ends() {
    let stage = failing(|_| {}).await;
    // A percent a day, 75 to 95: five more days after the last.
    for day in 0..=20 {
        tell(&stage, 10 + day, "smartctl-json", "nvme0", 20 - i64::try_from(day).unwrap(), &nvme(75 + day)).await;
    }
    let path = format!("/hardware/{HOST}/drive%20MADE-UP-N");
    let page = get(&stage, &path).await.1;
    let end = stage.now.plus_ms(5 * DAY_MS).to_string()[..10].to_owned();
    let wanted = format!("Of its rated life <b>95 %</b> is used; used up: between {end} and {end}.");
    assert!(page.contains(&wanted), "{wanted}:\n{page}");
    let values = page.split("rated life used up").nth(1).unwrap_or_default();
    assert!(values.contains(&end), "its finding says so too:\n{page}");
    let json: Value =
        serde_json::from_str(&get(&stage, &format!("/api/v1/hosts/{HOST}/parts/drive%20MADE-UP-N")).await.1).unwrap();
    assert_eq!(json["wear"]["used_percent"], 95.0);
    assert!(json["wear"]["from"].as_str().is_some_and(|from| from.starts_with(&end)), "{}", json["wear"]);
    // A disk that turns does not wear.
    assert!(!get(&stage, &format!("/hardware/{HOST}/drive%20MADE-UP-1")).await.1.contains("Of its rated life"));
}
