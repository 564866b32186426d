//! Drives: SATA, SAS and NVMe, by smartctl and nvme-cli.

use super::{
    Severity::{Critical, Info, Warning},
    Verdict::{Failed, Failing, Healthy, Unknown},
    WELL, check_cases, judged,
};
use crate::domain::rules::hardware::Finding;

/// An ATA drive in smartctl's old layout: its own verdict, rows of attributes (id, name, value, threshold, failed, raw).
fn ata(medium: &str, says: &str, rows: &[(u32, &str, u32, u32, &str, &str)], rest: &str) -> String {
    let mut text = format!(
        "=== START OF INFORMATION SECTION ===\nDevice Model:     ACME A1\nSerial Number:    S1\nRotation Rate:    {medium}\n\
         SMART overall-health self-assessment test result: {says}\n"
    );
    for (id, name, value, threshold, failed, raw) in rows {
        text += &format!("{id:>3} {name} 0x0033 {value:03} {value:03} {threshold:03} Pre-fail Always {failed} {raw}\n");
    }
    text + rest
}

fn disk(rows: &[(u32, &str, u32, u32, &str, &str)]) -> String {
    ata("7200 rpm", "PASSED", rows, "")
}

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule).collect()
}

const REALLOCATED: &str = "Reallocated_Sector_Ct";
const PENDING: &str = "Current_Pending_Sector";
const OFFLINE: &str = "Offline_Uncorrectable";
const REPORTED: &str = "Reported_Uncorrect";

#[test]
fn one_weak_sign_is_no_verdict_and_two_are() {
    let few = disk(&[(5, REALLOCATED, 100, 10, "-", "9")]);
    let many = disk(&[(5, REALLOCATED, 100, 10, "-", "300")]);
    let waiting = disk(&[(197, PENDING, 100, 0, "-", "9")]);
    let ten = disk(&[(197, PENDING, 100, 0, "-", "10")]);
    let both = disk(&[(5, REALLOCATED, 100, 10, "-", "10"), (197, PENDING, 100, 0, "-", "1")]);
    let found = disk(&[(197, PENDING, 100, 0, "-", "8"), (198, OFFLINE, 100, 0, "-", "8")]);
    check_cases(
        "smartctl-text",
        &[
            (&disk(&[(5, REALLOCATED, 100, 10, "-", "0")]), WELL.0, WELL.1),
            (&few, Unknown, &[("drive-few-reallocated-sectors", Info)]),
            (&many, Unknown, &[("drive-reallocated-sectors", Info)]),
            (&waiting, Unknown, &[("drive-pending-sectors", Info)]),
            (&ten, Failing, &[("drive-pending-sectors", Warning)]),
            (&both, Failing, &[("drive-pending-sectors", Warning), ("drive-reallocated-sectors", Warning)]),
            (&found, Failing, &[("drive-pending-sectors", Warning), ("drive-offline-uncorrectable", Warning)]),
        ],
    );
}

#[test]
fn flash_replaces_blocks_as_a_matter_of_course() {
    let flash = |count: &str, reported: &str| {
        let rows = [(5, REALLOCATED, 100, 10, "-", count), (187, REPORTED, 100, 0, "-", reported)];
        ata("Solid State Device", "PASSED", &rows, "")
    };
    assert_eq!(judged(&flash("99", "1")).1, Unknown);
    assert_eq!(judged(&flash("100", "1")).1, Failing);
}

#[test]
fn an_old_drive_that_does_not_say_what_it_is_is_known_by_its_wear() {
    let rows = [(5, REALLOCATED, 100, 10, "-", "50"), (187, REPORTED, 100, 0, "-", "1")];
    let silent = |rows: &[_]| ata("", "PASSED", rows, "").replace("Rotation Rate:    \n", "");
    assert_eq!(judged(&silent(&rows)).1, Failing);
    let worn = [rows[0], rows[1], (233, "Media_Wearout_Indicator", 97, 0, "-", "0")];
    assert_eq!(judged(&silent(&worn)).1, Unknown);
}

#[test]
fn how_often_such_drives_failed_is_told_where_it_was_counted() {
    let counts = |reallocated: &str, pending: &str| {
        let rows = [(5, REALLOCATED, 100, 10, "-", reallocated), (197, PENDING, 100, 0, "-", pending)];
        judged(&disk(&rows)).2[0].confidence.map(|told| (told.failed_ratio, told.within_days))
    };
    // Backblaze, 22 892 drives of 2013: shares that failed within 40 days.
    assert_eq!(counts("0", "9"), Some((0.079, 40)));
    assert_eq!(counts("0", "10"), Some((0.144, 40)));
    assert_eq!(counts("100", "0"), Some((0.122, 40)));
    assert_eq!(counts("50", "0"), None);
    assert_eq!(counts("50", "1"), Some((0.184, 40)));
}

#[test]
fn wear_is_told_before_its_end_and_wakes_nobody() {
    let worn =
        |left: u32| ata("Solid State Device", "PASSED", &[(233, "Media_Wearout_Indicator", left, 0, "-", "0")], "");
    check_cases("smartctl-text", &[(&worn(11), WELL.0, WELL.1), (&worn(10), Unknown, &[("drive-wear", Info)])]);
    let used = "0x07  0x008  1  100  ---  Percentage Used Endurance Indicator\n";
    let rows = [(233, "Media_Wearout_Indicator", 97, 0, "-", "0")];
    assert_eq!(judged(&ata("Solid State Device", "PASSED", &rows, used)).1, Unknown);
}

#[test]
fn a_drive_that_loses_helium_is_doubtful() {
    check_cases(
        "smartctl-text",
        &[(&disk(&[(22, "Helium_Level", 99, 25, "-", "99")]), Unknown, &[("drive-helium", Info)])],
    );
    assert_eq!(judged(&disk(&[(22, "Helium_Level", 100, 25, "-", "100")])).1, Healthy);
}

#[test]
fn what_the_drive_says_of_itself_counts_unless_it_is_wear_or_heat() {
    let row = |id, name| [(id, name, 1, 5, "FAILING_NOW", "2005")];
    let failed = |id, name| ata("Solid State Device", "FAILED!", &row(id, name), "");
    let passed = |id, name| ata("7200 rpm", "PASSED", &row(id, name), "");
    let past = disk(&[(190, "Airflow_Temperature_Cel", 60, 45, "In_the_past", "40 (Min/Max 20/57)")]);
    check_cases(
        "smartctl-text",
        &[
            (&failed(170, "Available_Reservd_Space"), Failed, &[("drive-failed-self-verdict", Critical)]),
            (&failed(175, "Power_Loss_Cap_Test"), Failed, &[("drive-failed-self-verdict", Critical)]),
            (&failed(202, "Percent_Lifetime_Remain"), Failing, &[("drive-worn-out", Warning)]),
            (&failed(202, "Exception_Mode_Status"), Failed, &[("drive-failed-self-verdict", Critical)]),
            (
                &passed(184, "End-to-End_Error"),
                Failing,
                &[("drive-attribute-failing", Critical), ("drive-end-to-end-errors", Info)],
            ),
            (&passed(194, "Temperature_Celsius"), Failing, &[("drive-too-hot", Warning)]),
            (&past, Healthy, &[("drive-was-too-hot", Info)]),
        ],
    );
}

#[test]
fn packed_and_absurd_numbers_are_not_taken_for_counts() {
    let packed = disk(&[
        (1, "Raw_Read_Error_Rate", 80, 44, "-", "131425606"),
        (5, REALLOCATED, 100, 10, "-", "0"),
        (7, "Seek_Error_Rate", 80, 45, "-", "4295032833"),
        (188, "Command_Timeout", 100, 0, "-", "4295032832"),
        (195, "Hardware_ECC_Recovered", 20, 0, "-", "131425606"),
    ]);
    let timeouts = disk(&[(188, "Command_Timeout", 100, 0, "-", "17180131332")]);
    let link = disk(&[(5, REALLOCATED, 100, 10, "-", "0"), (199, "UDMA_CRC_Error_Count", 200, 0, "-", "3118119")]);
    let absurd = disk(&[(187, REPORTED, 100, 0, "-", "2250694328327"), (5, REALLOCATED, 100, 10, "-", "20")]);
    check_cases(
        "smartctl-text",
        &[
            (&packed, WELL.0, WELL.1),
            (&timeouts, Healthy, &[("drive-command-timeouts", Info)]),
            (&link, Healthy, &[("link-crc-errors", Info)]),
            (&absurd, Unknown, &[("drive-reallocated-sectors", Info), ("drive-implausible-value", Info)]),
        ],
    );
    // 17180131332 is 4, 4 and 4 in words of 16 bits.
    assert_eq!(judged(&timeouts).2[0].evidence[0].value, "4");
    assert_eq!(judged(&link).2[0].part.kind, "link", "the cable is to blame, not the drive");
}

#[test]
fn a_failed_test_counts_until_one_that_reads_everything_passes() {
    let log = |tests: &[(&str, &str)]| {
        let rows = tests.iter().enumerate().map(|(number, (kind, how))| {
            format!("#{:>2}  {kind}  {how}  00%  {}  -\n", number + 1, 9000 - 100 * number)
        });
        ata("7200 rpm", "PASSED", &[(5, REALLOCATED, 100, 10, "-", "0")], &rows.collect::<String>())
    };
    let (short, long, fine, bad) =
        ("Short offline", "Extended offline", "Completed without error", "Completed: read failure");
    check_cases(
        "smartctl-text",
        &[
            (&log(&[(short, bad), (long, fine)]), Failing, &[("drive-self-test-failed", Warning)]),
            (&log(&[(short, fine), (short, bad)]), Failing, &[("drive-self-test-failed", Warning)]),
            (&log(&[(long, fine), (short, bad)]), Healthy, &[("drive-self-test-failed-once", Info)]),
            (&log(&[(long, "Aborted by host"), (short, bad)]), Failing, &[("drive-self-test-failed", Warning)]),
            (&log(&[(long, "Interrupted (host reset)"), (short, fine)]), WELL.0, WELL.1),
        ],
    );
}

#[test]
fn refused_commands_in_the_error_log_are_nothing_and_others_a_weak_sign() {
    let log = |text: &str| ata("7200 rpm", "PASSED", &[(5, REALLOCATED, 100, 10, "-", "0")], text);
    let refused = log("ATA Error Count: 12\n  40 51 00 ff  Error: ABRT at LBA = 0x00000000 = 0\n");
    let unreadable = log("ATA Error Count: 12\n  40 51 00 ff  Error: UNC at LBA = 0x00000010 = 16\n");
    let mixed = log(
        "ATA Error Count: 2\n  40 51 00 ff  Error: ABRT at LBA = 0x00000000 = 0\n  40 51 00 ff  Error: UNC at LBA = 0x10\n",
    );
    check_cases(
        "smartctl-text",
        &[
            (&refused, Healthy, &[("drive-error-log", Info)]),
            (&unreadable, Unknown, &[("drive-error-log", Info)]),
            (&mixed, Unknown, &[("drive-error-log", Info)]),
        ],
    );
}

#[test]
fn both_layouts_and_json_say_the_same() {
    let brief = "SMART Attributes Data Structure revision number: 16\nSMART overall-health self-assessment test result: PASSED\n\
         Device Model:     ACME A1\nID# ATTRIBUTE_NAME          FLAGS    VALUE WORST THRESH FAIL RAW_VALUE\n\
           5 Reallocated_Sector_Ct   PO--CK   100   100   010    -    20 (5 15)\n\
         187 Reported_Uncorrect      -O--CK   098   098   000    -    2\n";
    let json = r#"{"smartctl": {"exit_status": 0}, "device": {"protocol": "ATA"}, "model_name": "ACME A1", "smart_status": {"passed": true},
        "ata_smart_attributes": {"table": [
        {"id": 5, "name": "Reallocated_Sector_Ct", "value": 100, "worst": 100, "thresh": 10, "when_failed": "", "raw": {"value": 1310740, "string": "20 (5 15)"}},
        {"id": 187, "name": "Reported_Uncorrect", "value": 98, "worst": 98, "thresh": 0, "when_failed": "", "raw": {"value": 2, "string": "2"}}]}}"#;
    for (text, kind) in [(brief, "smartctl-text"), (json, "smartctl-json")] {
        let (told, verdict, findings) = judged(text);
        let expected = ["drive-reported-uncorrectable", "drive-reallocated-sectors"];
        assert_eq!((told, verdict, &rules(&findings)[..]), (kind, Failing, &expected[..]));
        assert_eq!(findings[1].evidence[0].value, "20");
        assert_eq!(findings[0].part.model, "ACME A1");
    }
}

#[test]
fn no_answer_is_no_failure() {
    let silent = r#"{"smartctl": {"exit_status": 2, "messages": [{"string": "Smartctl open device: /dev/sdz failed: No such device"}]}}"#;
    let bare = r#"{"smartctl": {"exit_status": 0}, "device": {"protocol": "ATA"}, "smart_status": {"passed": true}}"#;
    let list = r#"{"smartctl": {"exit_status": 0}, "devices": [{"name": "/dev/sda"}]}"#;
    check_cases("smartctl-json", &[(silent, Unknown, &[]), (bare, Unknown, &[])]);
    check_cases("device-list", &[(list, Unknown, &[])]);
    let volume = "=== START OF INFORMATION SECTION ===\nVendor:               ACME\nProduct:              Virtual disk\n\
         SMART support is:     Unavailable - device lacks SMART capability.\n";
    check_cases("smartctl-text", &[(volume, Unknown, &[])]);
}

#[test]
fn sas_drives_are_judged_by_what_they_could_not_correct() {
    let sas = |health: &str, defects: u32, uncorrected: u32| {
        format!(
            "=== START OF READ SMART DATA SECTION ===\nVendor: ACME\nProduct: SAS1\nSerial number: S9\nSMART Health Status: {health}\n\
             Elements in grown defect list: {defects}\nread:   1234  5  0  1239  1240  99,5  {uncorrected}\n"
        )
    };
    check_cases(
        "smartctl-text",
        &[
            (&sas("OK", 0, 0), WELL.0, WELL.1),
            (&sas("OK", 99, 0), Unknown, &[("scsi-grown-defects", Info)]),
            (&sas("OK", 100, 0), Failing, &[("scsi-grown-defects", Warning)]),
            (&sas("OK", 0, 1), Failing, &[("scsi-uncorrected-errors", Warning)]),
            (
                &sas("FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=10]", 0, 0),
                Failed,
                &[("drive-failed-self-verdict", Critical)],
            ),
        ],
    );
    assert_eq!(judged(&sas("OK", 0, 1)).2[0].part.model, "ACME SAS1");
}

/// `nvme smart-log` with these values.
fn nvme(warning: u32, spare: u32, threshold: u32, used: u32, media: u32) -> String {
    format!(
        "Smart Log for NVME device:nvme0 namespace-id:ffffffff\ncritical_warning : {warning:#x}\ntemperature : 40 C\n\
         available_spare : {spare}%\navailable_spare_threshold : {threshold}%\npercentage_used : {used}%\n\
         media_errors : {media}\nnum_err_log_entries : 8773\n"
    )
}

#[test]
fn the_critical_warning_of_nvme_is_read_bit_by_bit() {
    check_cases(
        "nvme-text",
        &[
            (&nvme(0, 100, 10, 3, 0), WELL.0, WELL.1),
            (&nvme(0x01, 5, 10, 3, 0), Failed, &[("nvme-spare-exhausted", Critical)]),
            (&nvme(0x02, 100, 10, 3, 0), Unknown, &[("nvme-temperature", Info)]),
            (&nvme(0x04, 100, 10, 3, 0), Failed, &[("nvme-unreliable", Critical)]),
            (&nvme(0x04, 100, 10, 104, 0), Failing, &[("nvme-worn-out", Warning)]),
            (&nvme(0x04, 100, 10, 104, 1), Failed, &[("nvme-unreliable", Critical), ("nvme-few-media-errors", Info)]),
            (&nvme(0x08, 100, 10, 3, 0), Failed, &[("nvme-read-only", Critical)]),
            (&nvme(0x10, 100, 10, 3, 0), Failing, &[("nvme-power-loss-protection", Warning)]),
        ],
    );
}

#[test]
fn an_emulated_nvme_drive_is_believed_what_it_warns_of_and_nothing_that_it_counts() {
    // As qemu's NVMe controller answers: counters that nobody counts, spare and threshold of nothing.
    let emulated = |warning: u32, used: u32| {
        format!(
            r#"{{"smartctl":{{"exit_status":{}}},"device":{{"name":"/dev/nvme0","type":"nvme","protocol":"NVMe"}},
            "model_name":"QEMU NVMe Ctrl","serial_number":"S7","smart_status":{{"passed":{},"nvme":{{"value":{warning}}}}},
            "nvme_smart_health_information_log":{{"critical_warning":{warning},"temperature":50,"available_spare":0,
            "available_spare_threshold":0,"percentage_used":{used},"media_errors":11,"num_err_log_entries":0}}}}"#,
            if warning == 0 { 0 } else { 8 },
            warning == 0
        )
    };
    check_cases(
        "smartctl-json",
        &[
            (&emulated(0, 0), Unknown, &[]),
            (&emulated(0, 255), Unknown, &[]),
            (&emulated(4, 0), Failed, &[("nvme-unreliable", Critical)]),
            (&emulated(8, 0), Failed, &[("nvme-read-only", Critical)]),
        ],
    );
    assert_eq!(judged(&emulated(4, 0)).2[0].part.serial, "S7");
}

#[test]
fn spare_wear_and_media_errors_of_nvme_have_limits_and_constants_are_none() {
    check_cases(
        "nvme-text",
        &[
            (&nvme(0, 19, 10, 3, 0), Failing, &[("nvme-spare-low", Warning)]),
            (&nvme(0, 20, 10, 3, 0), WELL.0, WELL.1),
            (&nvme(0, 99, 99, 3, 0), WELL.0, WELL.1),
            (&nvme(0, 0, 10, 3, 0), WELL.0, WELL.1),
            (&nvme(0, 100, 10, 89, 0), WELL.0, WELL.1),
            (&nvme(0, 100, 10, 90, 0), Unknown, &[("nvme-wear", Info)]),
            (&nvme(0, 100, 10, 100, 0), Failing, &[("nvme-worn-out", Warning)]),
            (&nvme(0, 100, 10, 3, 9), Unknown, &[("nvme-few-media-errors", Info)]),
            (&nvme(0, 100, 10, 3, 10), Failing, &[("nvme-media-errors", Warning)]),
        ],
    );
    let apart = r#"{"critical_warning": {"value": 8, "ro": 1}, "avail_spare": 100.0, "spare_thresh": "10", "percent_used": 3, "media_errors": 0}"#;
    check_cases("nvme-json", &[(apart, Failed, &[("nvme-read-only", Critical)])]);
}
