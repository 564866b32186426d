//! What hosts' hardware said, as metrics: the names, labels and values of smartctl_exporter 0.14 by its own metrics.go, for
//! drives that are made up.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::*;

const ATA: &str = r#"{
  "json_format_version": [1, 0],
  "smartctl": {"version": [7, 4], "svn_revision": "5530", "build_info": "(local build)", "exit_status": 64},
  "device": {"name": "/dev/sda", "info_name": "/dev/sda [SAT]", "type": "sat", "protocol": "ATA"},
  "model_family": "Made Up Drives", "model_name": "MADE UP 4000", "serial_number": "MADE-UP-1",
  "firmware_version": "0001", "user_capacity": {"blocks": 7814037168, "bytes": 4000787030016},
  "logical_block_size": 512, "physical_block_size": 4096, "rotation_rate": 7200,
  "form_factor": {"ata_value": 2, "name": "3.5 inches"},
  "ata_version": {"string": "ACS-3 T13/2161-D revision 5"}, "sata_version": {"string": "SATA 3.1"},
  "interface_speed": {"max": {"units_per_second": 60, "bits_per_unit": 100000000},
                      "current": {"units_per_second": 30, "bits_per_unit": 100000000}},
  "smart_status": {"passed": true},
  "ata_smart_attributes": {"table": [
    {"id": 5, "name": "Reallocated_Sector_Ct", "value": 99, "worst": 98, "thresh": 10,
     "flags": {"value": 51, "string": "PO--CK ", "prefailure": true, "updated_online": true, "performance": false,
               "error_rate": false, "event_count": true, "auto_keep": true},
     "raw": {"value": 24, "string": "24"}},
    {"id": 5, "name": "Reallocated_Sector_Ct", "value": 99, "worst": 98, "thresh": 10,
     "flags": {"string": "PO--CK ", "prefailure": true, "updated_online": true, "event_count": true, "auto_keep": true},
     "raw": {"value": 7}}]},
  "power_on_time": {"hours": 100, "minutes": 30}, "power_cycle_count": 12,
  "temperature": {"current": 31, "lifetime_max": 52},
  "ata_smart_error_log": {"extended": {"count": 3}},
  "ata_smart_self_test_log": {"extended": {"count": 4, "error_count_total": 1}},
  "ata_sct_status": {"device_state": {"value": 1, "string": "Stand-by"}},
  "ata_sct_erc": {"read": {"enabled": true, "deciseconds": 70}, "write": {"enabled": false}},
  "ata_device_statistics": {"pages": [
    {"name": "General Statistics", "table": [
      {"name": "Lifetime Power-On Resets", "value": 12, "flags": {"string": "V---", "valid": true}},
      {"name": "Not Kept", "flags": {"string": "----", "valid": false}}]},
    {"name": "Vendor Specific Statistics", "table": [{"name": "Vendor Specific", "value": 1, "flags": {}}]}]},
  "sata_phy_event_counters": {"table": [{"name": "CRC errors", "value": 2}]}
}"#;

const NVME: &str = r#"{
  "smartctl": {"version": [7, 3], "exit_status": 0},
  "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
  "model_name": "MADE UP 980", "serial_number": "MADE-UP-2", "nvme_total_capacity": 1000204886016,
  "nvme_smart_health_information_log": {"critical_warning": 4, "temperature": 38, "available_spare": 90,
    "available_spare_threshold": 10, "percentage_used": 101, "data_units_read": 2, "data_units_written": 3,
    "media_errors": 5, "num_err_log_entries": 6},
  "temperature": {"current": 38}, "rotation_rate": 0
}"#;

const SAS: &str = r#"{
  "smartctl": {"version": [7, 4], "exit_status": 0},
  "device": {"name": "/dev/bus/0", "type": "megaraid,3", "protocol": "SCSI"},
  "scsi_vendor": "MADE", "scsi_product": "UP 15K", "scsi_model_name": "MADE UP 15K", "scsi_revision": "0002",
  "scsi_version": "SPC-4", "serial_number": "MADE-UP-3", "scsi_grown_defect_list": 8,
  "scsi_start_stop_cycle_counter": {"accumulated_start_stop_cycles": 33},
  "scsi_error_counter_log": {
    "read": {"errors_corrected_by_eccfast": 1, "errors_corrected_by_eccdelayed": 2,
             "errors_corrected_by_rereads_rewrites": 3, "gigabytes_processed": "1.5", "total_uncorrected_errors": 4},
    "write": {"errors_corrected_by_eccfast": 5, "errors_corrected_by_eccdelayed": 6,
              "errors_corrected_by_rereads_rewrites": 7, "gigabytes_processed": "0.5", "total_uncorrected_errors": 8}}
}"#;

fn said(source: &str, part: &str, outcome: &str, why: &str, last: Option<&str>) -> Said {
    let last = last.map(|last| (at(-60_000), last.as_bytes().to_vec()));
    Said { source: source.into(), part: part.into(), outcome: outcome.into(), why: why.into(), last }
}

/// The context of a host that is up, whose hardware said this.
fn with(all: Vec<Said>) -> ExpositionContext {
    let evidence = Evidence::new(
        |_| 0,
        move |_| {
            let all = all.clone();
            Box::pin(async move { Some(all) })
        },
    );
    ExpositionContext { evidence, ..context(view("web1", State::Up), 0) }
}

fn path() -> String {
    format!("/hosts/{ID}/metrics")
}

/// The samples that hardware adds.
async fn samples(context: ExpositionContext) -> Vec<String> {
    let page = get(context, &path()).await.2;
    strict::parse(&page).unwrap_or_else(|line| panic!("{line}\n{page}"));
    let samples = page.lines().filter(|line| !line.starts_with('#') && !line.starts_with("node_"));
    samples.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_sata_drive_says_what_smartctl_exporter_would() {
    let found = samples(with(vec![said("smartctl-json", "sda", "read", "", Some(ATA))])).await;
    let attribute = |kind: &str, value: &str| {
        format!(
            r#"smartctl_device_attribute{{device="sda",attribute_name="Reallocated_Sector_Ct",attribute_flags_short="PO--CK",attribute_flags_long="prefailure,updated_online,event_count,auto_keep",attribute_value_type="{kind}",attribute_id="5"}} {value}"#
        )
    };
    let mut expected: Vec<String> = r#"muster_hardware_part_info{source="smartctl-json",device="sda",outcome="read",reason=""} 1
muster_hardware_evidence_timestamp_seconds{source="smartctl-json",device="sda"} 1789999940
smartctl_version{json_format_version="1.0",smartctl_version="7.4",svn_revision="5530",build_info="(local build)"} 1
smartctl_devices 1
smartctl_device{device="sda",interface="sat",protocol="ATA",model_family="Made Up Drives",model_name="MADE UP 4000",serial_number="MADE-UP-1",ata_additional_product_id="unknown",firmware_version="0001",ata_version="ACS-3 T13/2161-D revision 5",sata_version="SATA 3.1",form_factor="3.5 inches",scsi_vendor="",scsi_product="",scsi_revision="",scsi_version=""} 1
smartctl_device_smartctl_exit_status{device="sda"} 64
smartctl_device_capacity_blocks{device="sda"} 7814037168
smartctl_device_capacity_bytes{device="sda"} 4000787030016
smartctl_device_power_cycle_count{device="sda"} 12
smartctl_device_state{device="sda"} 1
smartctl_device_smart_status{device="sda"} 1
smartctl_device_power_on_seconds{device="sda"} 361800
smartctl_device_rotation_rate{device="sda"} 7200
smartctl_device_block_size{device="sda",blocks_type="logical"} 512
smartctl_device_block_size{device="sda",blocks_type="physical"} 4096
smartctl_device_interface_speed{device="sda",speed_type="max"} 6000000000
smartctl_device_interface_speed{device="sda",speed_type="current"} 3000000000
smartctl_device_temperature{device="sda",temperature_type="current"} 31
smartctl_device_temperature{device="sda",temperature_type="lifetime_max"} 52
smartctl_device_statistics{device="sda",statistic_table="General Statistics",statistic_name="Lifetime Power-On Resets",statistic_flags_short="V---",statistic_flags_long="valid"} 12
smartctl_device_statistics{device="sda",statistic_table="SATA PHY Event Counters",statistic_name="CRC errors",statistic_flags_short="V---",statistic_flags_long="valid"} 2
smartctl_device_erc_seconds{device="sda",op_type="read"} 7
smartctl_device_error_log_count{device="sda",error_log_type="extended"} 3
smartctl_device_self_test_log_count{device="sda",self_test_log_type="extended"} 4
smartctl_device_self_test_log_error_count{device="sda",self_test_log_type="extended"} 1"#
        .lines()
        .map(str::to_owned)
        .collect();
    // The first of two rows that are called alike.
    let kinds = [("value", "99"), ("worst", "98"), ("thresh", "10"), ("raw", "24")];
    expected.splice(19..19, kinds.map(|(kind, value)| attribute(kind, value)));
    assert_eq!(found, expected, "{found:#?}");
}

#[tokio::test]
async fn nvme_and_sas_drives_say_theirs_and_what_a_drive_does_not_say_is_no_zero() {
    let all = vec![
        said("smartctl-json", "nvme0", "read", "", Some(NVME)),
        said("smartctl-json", "bus/0 megaraid,3", "read", "", Some(SAS)),
    ];
    let found = samples(with(all)).await;
    let of = |device: &str| -> Vec<String> {
        let label = format!("device=\"{device}\"");
        let all = found.iter().filter(|line| line.starts_with("smartctl_") && line.contains(&label));
        all.filter(|line| !line.starts_with("smartctl_device{")).map(|line| line.replace(&label, "")).collect()
    };
    let nvme = "smartctl_device_smartctl_exit_status{} 0
smartctl_device_nvme_capacity_bytes{} 1000204886016
smartctl_device_percentage_used{} 101
smartctl_device_available_spare{} 90
smartctl_device_available_spare_threshold{} 10
smartctl_device_critical_warning{} 4
smartctl_device_media_errors{} 5
smartctl_device_num_err_log_entries{} 6
smartctl_device_bytes_read{} 1024000
smartctl_device_bytes_written{} 1536000
smartctl_device_temperature{,temperature_type=\"current\"} 38";
    assert_eq!(of("nvme0"), nvme.lines().collect::<Vec<_>>());
    let sas = "smartctl_device_smartctl_exit_status{} 0
smartctl_device_power_cycle_count{} 33
smartctl_device_bytes_read{} 1500000000
smartctl_device_bytes_written{} 500000000
smartctl_scsi_grown_defect_list{} 8
smartctl_read_errors_corrected_by_rereads_rewrites{} 3
smartctl_read_errors_corrected_by_eccfast{} 1
smartctl_read_errors_corrected_by_eccdelayed{} 2
smartctl_read_total_uncorrected_errors{} 4
smartctl_write_errors_corrected_by_rereads_rewrites{} 7
smartctl_write_errors_corrected_by_eccfast{} 5
smartctl_write_errors_corrected_by_eccdelayed{} 6
smartctl_write_total_uncorrected_errors{} 8";
    assert_eq!(of("bus_0_megaraid_3"), sas.lines().collect::<Vec<_>>());
    let who = found.iter().find(|line| line.starts_with("smartctl_device{device=\"bus_0")).unwrap();
    assert!(who.contains(r#"interface="megaraid,3",protocol="SCSI",model_family="unknown",model_name="MADE UP 15K""#));
    assert!(who.contains(r#"scsi_vendor="MADE",scsi_product="UP 15K",scsi_revision="0002",scsi_version="SPC-4"} 1"#));
    assert!(found.contains(&"smartctl_devices 2".to_owned()));
}

#[tokio::test]
async fn of_a_drive_that_sleeps_the_last_is_told_with_its_age_and_of_one_that_is_gone_nothing() {
    let all = vec![
        said("smartctl-json", "sda", "asleep", "asleep", Some(ATA)),
        said("smartctl-json", "nvme0", "not_present", "gone", Some(NVME)),
        said("smartctl-json", "sdc", "unreadable", "usb_bridge", None),
        said("mdstat", "", "read", "", Some("md0 : active")),
        // Not all that a tool prints is JSON, and not all JSON is of a drive.
        said("smartctl-json", "sdd", "read", "", Some("{\"smartctl\":")),
        said("smartctl-json", "sde", "read", "", Some("{}")),
    ];
    let found = samples(with(all)).await;
    for line in [
        r#"muster_hardware_part_info{source="smartctl-json",device="sda",outcome="asleep",reason="asleep"} 1"#,
        r#"muster_hardware_part_info{source="smartctl-json",device="nvme0",outcome="not_present",reason="gone"} 1"#,
        r#"muster_hardware_part_info{source="smartctl-json",device="sdc",outcome="unreadable",reason="usb_bridge"} 1"#,
        r#"muster_hardware_part_info{source="mdstat",device="",outcome="read",reason=""} 1"#,
        r#"muster_hardware_evidence_timestamp_seconds{source="smartctl-json",device="sda"} 1789999940"#,
        r#"smartctl_device_temperature{device="sda",temperature_type="current"} 31"#,
        "smartctl_devices 1",
    ] {
        assert!(found.iter().any(|known| known == line), "{line}\n{found:#?}");
    }
    assert!(!found.iter().any(|line| line.contains("nvme0") && line.starts_with("smartctl_")), "{found:#?}");
}

#[tokio::test]
async fn both_formats_say_the_same_of_hardware_and_no_text_of_a_drive_breaks_a_page() {
    let evil =
        ATA.replace("MADE UP 4000", "\\\"} 1\\nevil{x=\\\"\\u202e").replace("Reallocated_Sector_Ct", "a\\\\\\\"b");
    for said_of_sda in [ATA, &evil] {
        let context = with(vec![said("smartctl-json", "sda\"\n", "read", "\n\"", Some(said_of_sda))]);
        let page = get_as(context.clone(), &path(), OPEN).await.2;
        strict::parse_openmetrics(&page).unwrap_or_else(|why| panic!("{why}\n{page}"));
        let lines = |page: &str| -> Vec<String> {
            page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        let plain = get(context, &path()).await.2;
        strict::parse(&plain).unwrap();
        assert_eq!(lines(&page), lines(&plain));
        assert!(page.contains("# TYPE smartctl_device_power_on_seconds unknown\n"), "a counter without _total");
        assert!(plain.contains("# TYPE smartctl_device_power_on_seconds counter\n"));
    }
}

#[tokio::test]
async fn evidence_is_read_again_only_when_there_is_news_and_stands_when_it_cannot_be_read() {
    let (news, read) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (told, asked) = (Arc::clone(&news), Arc::clone(&read));
    let evidence = Evidence::new(
        move |_| told.load(SeqCst),
        move |_| {
            let times = asked.fetch_add(1, SeqCst);
            // The third time it cannot be read.
            let drive = ATA.replace("\"current\": 31", &format!("\"current\": {}", 31 + times));
            let all = (times < 2).then(|| vec![said("smartctl-json", "sda", "read", "", Some(&drive))]);
            Box::pin(async move { all })
        },
    );
    let context = ExpositionContext { evidence, ..context(view("web1", State::Up), 0) };
    let degrees = async || {
        let found = samples(context.clone()).await;
        let line = found.into_iter().find(|line| line.contains("temperature_type=\"current\"")).unwrap();
        line.rsplit_once(' ').map(|(_, degrees)| degrees.to_owned()).unwrap()
    };
    assert_eq!((degrees().await.as_str(), degrees().await.as_str(), read.load(SeqCst)), ("31", "31", 1));
    news.store(1, SeqCst);
    assert_eq!((degrees().await.as_str(), read.load(SeqCst)), ("32", 2));
    news.store(2, SeqCst);
    assert_eq!((degrees().await.as_str(), read.load(SeqCst)), ("32", 3));
}

#[tokio::test]
async fn where_a_host_brings_an_exporter_of_its_own_its_page_says_no_name_twice() {
    let context = with(vec![said("smartctl-json", "sda", "read", "", Some(ATA))]);
    let slot = context.slots.find(HostNo(1)).unwrap();
    let entry = FamilyEntry {
        id: 7,
        name: "smartctl_device_temperature".into(),
        kind: FamilyType::Gauge,
        help: String::new(),
        unit: Unit::One,
    };
    let series = SeriesEntry { id: 7, family: 7, suffix: String::new(), labels: vec!["device".into(), "sda".into()] };
    let update = DictionaryUpdate { families: vec![entry], series: vec![series], ..DictionaryUpdate::default() };
    slot.grow(SESSION, update, at(0)).unwrap();
    let update = ReadingsUpdate { whole_gaps: vec![7], whole_diffs: vec![30], ..ReadingsUpdate::default() };
    slot.apply(SESSION, &update, at(0)).unwrap();
    assert_eq!(samples(context).await, [r#"smartctl_device_temperature{device="sda"} 30"#]);
}

#[tokio::test]
async fn the_fleets_page_says_what_could_be_asked_and_which_part_each_finding_is_about() {
    use crate::domain::rules::hardware::{
        sheet::{Told, sheets},
        summary::Summary,
    };
    let mut view = view("web1", State::Up);
    let finding = |part: &str, rule: &str, open| FindingRow {
        part: part.into(),
        rule: rule.into(),
        open,
        ..view.findings[0].clone()
    };
    let findings = [
        finding("drive MADE-UP-1", "drive-failed-self-verdict", true),
        // The kernel calls it by its node; and of one nothing is known any more.
        finding("drive sda", "kernel-medium-error", true),
        finding("drive GONE", "drive-pending-sectors", true),
        finding("drive MADE-UP-1", "drive-pending-sectors", false),
    ];
    view.findings.extend(findings);
    let context = context(view, 0);
    let payload = ATA.replace("\"passed\": true", "\"passed\": false").into_bytes();
    let sda = Told {
        source: "smartctl-json".into(),
        device: "sda".into(),
        outcome: "read".into(),
        at: at(0),
        payload,
        before: None,
    };
    let asked = [
        ("smartctl-json", "read", "", at(0)),
        ("smartctl-json", "asleep", "asleep", at(-9)),
        ("x\n", "y", "z", at(-5)),
    ];
    context.board.put(HostNo(1), Summary::of(asked.into_iter(), sheets(&[sda])));
    let page = get(context.clone(), "/metrics").await.2;
    strict::parse(&page).unwrap();
    let found: Vec<&str> = page.lines().filter(|line| line.starts_with("muster_hardware_")).collect();
    let expected = r#"muster_hardware_parts{host="web1",source="other",outcome="other",reason="other"} 1
muster_hardware_parts{host="web1",source="smartctl-json",outcome="asleep",reason="asleep"} 1
muster_hardware_parts{host="web1",source="smartctl-json",outcome="read",reason=""} 1
muster_hardware_parts_judged{host="web1",verdict="healthy"} 0
muster_hardware_parts_judged{host="web1",verdict="unknown"} 0
muster_hardware_parts_judged{host="web1",verdict="failing"} 0
muster_hardware_parts_judged{host="web1",verdict="failed"} 1
muster_hardware_last_evidence_timestamp_seconds{host="web1"} 1790000000
muster_hardware_finding_info{host="web1",component="drive MADE-UP-1",rule="drive-failed-self-verdict",kind="drive",device="sda",model="MADE UP 4000",serial="MADE-UP-1",firmware="0001",slot=""} 1
muster_hardware_finding_info{host="web1",component="drive sda",rule="kernel-medium-error",kind="drive",device="sda",model="MADE UP 4000",serial="MADE-UP-1",firmware="0001",slot=""} 1
muster_hardware_finding_info{host="web1",component="drive GONE",rule="drive-pending-sectors",kind="",device="",model="",serial="",firmware="",slot=""} 1"#;
    assert_eq!(found, expected.lines().collect::<Vec<_>>(), "{found:#?}");
    let open = get_as(context, "/metrics", OPEN).await.2;
    strict::parse_openmetrics(&open).unwrap();
}
