//! Hardware judged offline: what the program says of captured output of tools, file by file.

use std::path::{Path, PathBuf};

use muster_tests::process::{Said, program, root, run};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

const WELL: &str = r#"{"smartctl": {"exit_status": 0}, "device": {"name": "/dev/sda", "protocol": "ATA"}, "model_name": "ACME Disk 4000",
 "serial_number": "S1", "rotation_rate": 7200, "smart_status": {"passed": true}, "ata_smart_attributes": {"table": [
 {"id": 5, "name": "Reallocated_Sector_Ct", "value": 100, "worst": 100, "thresh": 10, "when_failed": "", "raw": {"value": 0, "string": "0"}}]}}"#;
const SICK: &str = "SMART overall-health self-assessment test result: FAILED!\nDevice Model:     ACME Disk 4000\nSerial Number:    S2\n\
  5 Reallocated_Sector_Ct   0x0033   001   001   005    Pre-fail  Always   FAILING_NOW 2005\n";
const DEGRADED: &str = "Personalities : [raid1]\nmd0 : active raid1 sdb1[1](F) sda1[0]\n      1953382400 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";

/// Files of a directory that is gone after the test.
struct Captured {
    home: TempDir,
}

impl Captured {
    fn new() -> Self {
        Self { home: TempDir::new().expect("a directory") }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

async fn judge(options: &[&str], files: &[&Path]) -> Said {
    let mut command = Command::new(program("muster-collector"));
    command.args(["hardware", "judge"]).args(options).args(files);
    run(&mut command).await
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).expect("a JSON object on each line")).collect()
}

#[tokio::test]
async fn each_file_has_a_line_in_the_order_of_the_arguments_whatever_it_is_called() {
    let captured = Captured::new();
    // The names say the contrary of what is in them.
    let files =
        [captured.file("failed.txt", WELL), captured.file("healthy.json", SICK), captured.file("zpool.out", DEGRADED)];
    let said = judge(&[], &[&files[0], &files[1], &files[2], &files[0]]).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let lines = lines(&said);
    let told: Vec<_> = lines.iter().map(|line| (line["file"].as_str(), line["verdict"].as_str())).collect();
    let name = |at: usize| files[at].to_str();
    let expected =
        [(name(0), Some("healthy")), (name(1), Some("failed")), (name(2), Some("failed")), (name(0), Some("healthy"))];
    assert_eq!(told, expected);
    assert_eq!(lines[0]["findings"], serde_json::json!([]));
    let finding = &lines[1]["findings"][0];
    assert_eq!((&finding["part"]["model"], &finding["part"]["serial"]), (&"ACME Disk 4000".into(), &"S2".into()));
    assert_eq!((&finding["rule"], &finding["severity"]), (&"drive-failed-self-verdict".into(), &"critical".into()));
    let evidence = finding["evidence"].as_array().expect("evidence");
    assert!(evidence.iter().any(|one| one["name"] == "5 Reallocated_Sector_Ct" && one["limit"] == "5"), "{finding:#}");
}

#[tokio::test]
async fn what_cannot_be_read_is_unknown_with_the_reason_and_the_rest_is_judged_all_the_same() {
    let captured = Captured::new();
    let cut = captured.file("cut.json", &WELL[..WELL.len() / 2]);
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let noise = captured.file("noise.bin", noise);
    let empty = captured.file("empty.txt", "");
    let large = captured.file("large.log", vec![b'a'; (10 << 20) + 1]);
    let missing = captured.home.path().join("missing.txt");
    let well = captured.file("well.json", WELL);
    let said = judge(&[], &[&cut, &noise, &empty, &large, &missing, &well]).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.all().contains("5 of 6 files could not be read"), "{}", said.all());
    let lines = lines(&said);
    let reasons = ["cut off", "of no kind that is known", "empty", "larger than 10 MiB", "cannot be read"];
    for (line, reason) in lines.iter().zip(reasons) {
        assert_eq!(line["verdict"], "unknown", "{line}");
        assert!(line["reason"].as_str().is_some_and(|told| told.contains(reason)), "{reason}: {line}");
    }
    assert_eq!(lines[5]["verdict"], "healthy");
}

#[tokio::test]
async fn a_log_of_ten_mebibytes_is_judged() {
    let captured = Captured::new();
    let quiet = "[    1.000000] usb 1-1: new high-speed USB device number 2 using xhci_hcd\n";
    let loud = "[    2.000000] nvme nvme0: Removing after probe failure status: -19\n";
    let mut log = quiet.repeat(((10 << 20) - loud.len()) / quiet.len());
    log.push_str(loud);
    let said = judge(&["--kind", "kernel-log"], &[&captured.file("dmesg", log)]).await;
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(lines(&said)[0]["verdict"], "failed", "{}", said.out);
}

#[tokio::test]
async fn a_kind_can_be_given_and_wrong_ones_are_refused_with_those_that_there_are() {
    let captured = Captured::new();
    let well = captured.file("well.json", WELL);
    let said = judge(&["--kind", "smartctl-xml"], &[&well]).await;
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(said.all().contains("smartctl-json") && said.all().contains("kernel-log"), "{}", said.all());

    let said = judge(&["--kind", "smartctl-json"], &[&captured.file("text.txt", SICK)]).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.out.contains("expected a JSON document"), "{}", said.out);

    let said = judge(&["--help"], &[]).await;
    assert!(said.code == 0 && said.out.contains("mdstat") && said.out.contains("Examples:"), "{}", said.all());
}

#[tokio::test]
async fn drives_are_replayed_day_by_day_and_the_rules_summed_up() {
    let captured = Captured::new();
    let mut table = "date,serial,model,failure,smart_5_raw,smart_197_raw\n".to_owned();
    for day in 1..=9 {
        // One grows by 10 a day and fails on the ninth; the other has had its sectors since ever.
        table += &format!("2026-03-0{day},GROWS,ACME,{},{},0\n", u8::from(day == 9), 10 * day);
        table += &format!("2026-03-0{day},STANDS,ACME,0,90,0\n");
    }
    let file = captured.file("days.csv", table);
    let mut command = Command::new(program("muster-collector"));
    let said = run(command.args(["hardware", "replay"]).arg(&file)).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let told: Vec<(String, String)> = lines(&said)
        .iter()
        .filter(|line| line["verdict"] == "failing")
        .map(|line| (line["serial"].to_string(), line["date"].to_string()))
        .collect();
    // 10, 20, 30: twenty more than two days before.
    let expected: Vec<_> = (3..=9).map(|day| ("\"GROWS\"".to_owned(), format!("\"2026-03-0{day}\""))).collect();
    assert_eq!(told, expected);

    let mut command = Command::new(program("muster-collector"));
    let said = run(command.args(["hardware", "replay", "--summary"]).arg(&file)).await;
    assert!(said.out.contains("1 of 1") && said.out.contains("100.0 (20.7-100.0)"), "{}", said.all());
}

async fn rules(format: &str) -> Said {
    let mut command = Command::new(program("muster-collector"));
    run(command.args(["hardware", "rules", "--format", format])).await
}

#[tokio::test]
async fn the_reference_page_is_what_the_program_says_of_its_rules() {
    let page = std::fs::read_to_string(root().join("deploy/hardware-rules.md")).expect("the page");
    let said = rules("markdown").await;
    assert_eq!(said.code, 0, "{}", said.all());
    let at = said.out.lines().zip(page.lines()).find(|(now, then)| now != then);
    assert!(
        said.out == page,
        "deploy/hardware-rules.md is old; run `muster-collector hardware rules --format markdown > \
         deploy/hardware-rules.md`: {at:?}"
    );
}

#[tokio::test]
async fn rules_are_told_for_people_and_for_programs() {
    let said = rules("json").await;
    let told: Value = serde_json::from_str(&said.out).expect("JSON");
    let rules_told = told.as_array().expect("an array");
    let pending = rules_told.iter().find(|rule| rule["name"] == "drive-pending-sectors").expect("the rule");
    assert_eq!(pending["about"], "drive");
    assert!(pending["judged_by"].as_str().is_some_and(|text| text.contains("attribute 197")), "{pending:#}");
    assert!(pending["source"].as_str().is_some_and(|text| text.contains("Backblaze")), "{pending:#}");

    let mut command = Command::new(program("muster-collector"));
    let as_json = run(command.args(["hardware", "rules", "--json"])).await;
    assert_eq!(as_json.out, said.out, "--json is --format json");

    let said = rules("text").await;
    let heads = said.out.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).count();
    assert_eq!(heads, rules_told.len(), "a paragraph for each rule");
    assert!(said.out.contains("\nnvme-read-only\n  part       NVMe drive\n"), "{}", said.all());

    let said = rules("yaml").await;
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(said.all().contains("text, markdown, json"), "{}", said.all());
}
