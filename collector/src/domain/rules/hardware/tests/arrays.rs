//! Arrays, pools and the controllers that have them.

use super::{
    Severity::{Critical, Info, Warning},
    Verdict::{Failed, Failing, Healthy, Unknown},
    WELL, check_cases, judged,
};

#[test]
fn arrays_of_md_are_judged_by_the_redundancy_that_is_left() {
    let md = |level: &str, members: &str, below: &str| {
        format!(
            "Personalities : [raid1] [raid6]\nmd0 : active {level} {members}\n      976631488 blocks super 1.2 {below}\n\nunused devices: <none>\n"
        )
    };
    let rebuilding =
        "[2/1] [U_]\n      [=>...]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec";
    let syncing = "[2/2] [UU]\n      [=>...]  resync =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec";
    let checking = "[2/2] [UU]\n      [=>...]  check =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec";
    let container = "Personalities : [raid1]\nmd127 : inactive sdb[1](S) sda[0](S)\n      6306 blocks super external:imsm\n\nunused devices: <none>\n";
    check_cases(
        "mdstat",
        &[
            (&md("raid1", "sda1[0] sdb1[1]", "[2/2] [UU]"), WELL.0, WELL.1),
            (&md("raid1", "sda1[0]", "[2/1] [U_]"), Failing, &[("array-degraded", Critical)]),
            (&md("raid6", "sda1[0] sdb1[1] sdc1[2]", "[4/3] [UUU_]"), Failing, &[("array-degraded", Warning)]),
            (
                &md("raid1", "sda1[0] sdb1[1](F)", "[2/1] [U_]"),
                Failed,
                &[("member-failed", Warning), ("array-degraded", Critical)],
            ),
            (&md("raid1", "sda1[0] sdb1[2]", rebuilding), Failing, &[("array-rebuilding", Warning)]),
            (&md("raid1", "sda1[0] sdb1[1]", syncing), Healthy, &[("array-syncing", Info)]),
            (&md("raid1", "sda1[0] sdb1[1] sdc1[2](S)", checking), WELL.0, WELL.1),
            (container, WELL.0, WELL.1),
            ("Personalities : \nunused devices: <none>\n", Unknown, &[]),
        ],
    );
    let unstarted = "Personalities : [raid1]\nmd0 : inactive sdb1[1](S) sda1[0](S)\n      1234 blocks super 1.2\n\nunused devices: <none>\n";
    check_cases("mdstat", &[(unstarted, Failed, &[("array-failed", Critical)])]);
    let dead = "Personalities : [raid5]\nmd0 : inactive raid5 sda1[0] sdb1[1](F)\n      1234 blocks\n\nunused devices: <none>\n";
    assert_eq!(judged(dead).2[0].rule, "array-failed");
}

#[test]
fn a_superblock_is_a_memory_and_an_array_is_not() {
    let detail = |state: &str, active: u32, row: &str| {
        format!(
            "/dev/md0:\n        Raid Level : raid1\n      Raid Devices : 2\n             State : {state}\n    Active Devices : {active}\n\
             \n    Number   Major   Minor   RaidDevice State\n       0     8     1     0      active sync   /dev/sda1\n{row}"
        )
    };
    let removed = "       -       0        0        1      removed\n";
    let faulty = "       1     8     17     -      faulty   /dev/sdb1\n";
    let examined = "/dev/sda1:\n          Magic : a92b4efc\n     Raid Level : raid1\n   Raid Devices : 2\n          State : clean\n   Array State : A. ('A' == active, '.' == missing, 'R' == replacing)\n";
    check_cases(
        "mdadm",
        &[
            (&detail("clean", 2, ""), WELL.0, WELL.1),
            (
                &detail("clean, degraded", 1, removed),
                Failed,
                &[("member-missing", Warning), ("array-degraded", Critical)],
            ),
            (
                &detail("clean, degraded", 1, faulty),
                Failed,
                &[("member-failed", Warning), ("array-degraded", Critical)],
            ),
            (&detail("clean, resyncing", 2, ""), Healthy, &[("array-syncing", Info)]),
            (examined, Unknown, &[("array-state-unclear", Info)]),
        ],
    );
}

#[test]
fn pools_are_judged_by_their_members_whatever_the_pool_says() {
    let pool = |state: &str, member: &str, errors: &str| {
        format!(
            "  pool: tank\n state: {state}\n  scan: none requested\nconfig:\n\n\tNAME        STATE     READ WRITE CKSUM\n\
             \ttank        {state}     0     0     0\n\t  mirror-0  ONLINE     0     0     0\n\t    sda     ONLINE     0     0     0\n\t    {member}\n\nerrors: {errors}\n"
        )
    };
    let none = "No known data errors";
    check_cases(
        "zpool",
        &[
            (&pool("ONLINE", "sdb  ONLINE  0  0  0", none), WELL.0, WELL.1),
            (
                &pool("ONLINE", "sdb  FAULTED  12  753  83  too many errors", none),
                Failed,
                &[
                    ("member-failed", Warning),
                    ("member-errors", Info),
                    ("member-errors", Info),
                    ("member-errors", Info),
                ],
            ),
            (
                &pool("DEGRADED", "sdb  UNAVAIL  0  0  0  cannot open", none),
                Failed,
                &[("member-missing", Warning), ("array-degraded", Warning)],
            ),
            (&pool("ONLINE", "sdb  ONLINE  0  0  4", none), Unknown, &[("member-errors", Info)]),
            (
                &pool("ONLINE", "sdb  ONLINE  0  0  0", "Permanent errors have been detected"),
                Failed,
                &[("array-data-lost", Critical)],
            ),
            ("SUSPENDED\n", Failed, &[("array-failed", Critical)]),
            ("ONLINE\n", WELL.0, WELL.1),
            ("all pools are healthy\n", WELL.0, WELL.1),
        ],
    );
    let json = r#"{"pools": {"tank": {"state": "DEGRADED", "error_count": "0", "vdevs": {"tank": {"state": "DEGRADED", "vdevs": {
        "mirror-0": {"state": "DEGRADED", "vdevs": {"sda": {"state": "ONLINE", "read_errors": "0"}, "sdb": {"state": "REMOVED"}}}}}}}}}"#;
    let (kind, verdict, findings) = judged(json);
    assert_eq!(
        (kind, verdict, findings[0].rule, &*findings[0].part.name),
        ("zpool-json", Failed, "member-missing", "sdb")
    );
}

#[test]
fn megacli_names_the_bay_and_other_errors_are_nothing() {
    let drive = |state: &str, media: u32, other: u32, predicted: u32| {
        format!(
            "Adapter #0\n\nEnclosure Device ID: 32\nSlot Number: 4\nMedia Error Count: {media}\nOther Error Count: {other}\n\
             Predictive Failure Count: {predicted}\nFirmware state: {state}\nInquiry Data: ACME    A1  0001S1\n"
        )
    };
    check_cases(
        "megacli",
        &[
            (&drive("Online, Spun Up", 0, 0, 0), WELL.0, WELL.1),
            (&drive("Online, Spun Up", 0, 16548, 0), Healthy, &[("member-other-errors", Info)]),
            (&drive("Online, Spun Up", 3, 0, 0), Failing, &[("member-media-errors", Warning)]),
            (&drive("Online, Spun Up", 0, 0, 1), Failing, &[("member-predicts-failure", Warning)]),
            (&drive("Failed", 0, 0, 0), Failed, &[("member-failed", Warning)]),
            (&drive("Rebuild", 0, 0, 0), Failing, &[("member-rebuilding", Warning)]),
            (&drive("Unconfigured(good), Spun down", 0, 0, 0), WELL.0, WELL.1),
        ],
    );
    assert_eq!(judged(&drive("Failed", 0, 0, 0)).2[0].part.slot, "32:4");
    let battery = |state: &str, replace: &str, charge: u32| {
        format!(
            "BBU status for Adapter: 0\n\nBatteryType: iBBU\nBattery State     : {state}\n  Learn Cycle Status : OK\n\
             \x20 Battery Replacement required : {replace}\nAbsolute state of charge: {charge} %\n"
        )
    };
    check_cases(
        "megacli",
        &[
            (&battery("Optimal", "No", 98), WELL.0, WELL.1),
            (&battery("Failed", "Yes", 30), Failing, &[("cache-battery-weak", Warning)]),
            (&battery("Operational", "Yes", 30), Unknown, &[("cache-battery-unclear", Info)]),
            (&battery("Optimal", "No", 5158), Unknown, &[("cache-battery-unclear", Info)]),
        ],
    );
}

#[test]
fn controllers_of_other_makers_say_the_same_in_their_words() {
    let storcli = r#"{"Controllers": [{"Command Status": {"Controller": 0}, "Response Data": {"Basics": {"Model": "ACME 9"},
        "Status": {"Controller Status": "Optimal"},
        "VD LIST": [{"DG/VD": "0/0", "TYPE": "RAID1", "State": "Dgrd"}],
        "PD LIST": [{"EID:Slt": "252:1", "State": "UBad", "Model": "ACME A1"}],
        "BBU_Info": [{"Model": "BBU", "State": "Optimal"}]}}]}"#;
    let table = "CLI Version = 007.1\nController = 0\nStatus = Success\nController Status = Optimal\nDG/VD TYPE  State Access Consist Cache Cac sCC Size Name\n\
         0/0   RAID1 Pdgd  RW     Yes     RWTD  -   ON  1 TB\nEID:Slt DID State DG Size Intf Med SED PI SeSz Model Sp Type\n\
         252:1   9   Onln  0  1 TB SATA HDD N   N  512B ACME-A1  U  -\n";
    let ssacli = "Smart Array P1 in Slot 0 (Embedded)\n   Controller Status: OK\n   Cache Status: OK\n   Battery/Capacitor Status: Failed (Replace Batteries)\n\
         \x20     logicaldrive 1 (136.7 GB, RAID 1, Interim Recovery Mode)\n      physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SATA HDD, 250 GB, Predictive Failure)\n";
    let arcconf = "Controllers found: 1\nLogical device number 0\n   RAID level : 1\n   Status of logical device : Degraded\n\
         \x20  Group 0, Segment 1 : Missing\n      Device #0\n         Device is a Hard drive\n         State : Online\n         S.M.A.R.T. warnings : 2\n";
    let ircu = "LSI Corporation SAS2 IR Configuration Utility.\nIR volume 1\n  Status of volume : Degraded (DGD)\n  RAID level : RAID1\n---\n\
         Device is a Hard disk\n  Enclosure # : 1\n  Slot # : 3\n  State : Failed (FLD)\n  Serial No : S1\n";
    let tw_cli = "Unit  UnitType  Status         %RCmpl  %V/I/M  Stripe  Size(GB)  Cache  AVrfy\n---\nu0    RAID-5    DEGRADED       -       -       64K     1862.6    ON     OFF\n\n\
         VPort Status         Unit Size      Type  Phy Encl-Slot    Model\n---\np0    OK             u0   1.82 TB   SATA  0   -   ACME-A1\np1    SMART-FAILURE  u0   1.82 TB   SATA  1   -   ACME-A1\n";
    let areca = "  # Name             Raid Name       Level   Capacity Ch/Id/Lun  State\n===\n  1 vol0             Raid Set # 000  Raid5   2000.0GB 00/00/00   Degraded\nGuiErrMsg<0x00>: Success.\n";
    let mpt = "ioc0 vol_id 0 type IM, 2 phy, 135 GB, state OPTIMAL, flags ENABLED\nioc0 phy 1 scsi_id 8 ACME A1 0001, 136 GB, state MISSING, flags OUT_OF_SYNC\n";
    for (kind, text, verdict, rules) in [
        ("storcli-json", storcli, Failed, &["member-failed", "array-degraded"][..]),
        ("storcli", table, Failing, &["array-degraded"]),
        ("ssacli", ssacli, Failed, &["cache-battery-failed", "array-rebuilding", "member-predicts-failure"]),
        ("arcconf", arcconf, Failed, &["member-missing", "array-degraded", "member-predicts-failure"]),
        ("sas2ircu", ircu, Failed, &["member-failed", "array-degraded"]),
        ("tw-cli", tw_cli, Failing, &["array-degraded", "member-predicts-failure"]),
        ("areca", areca, Failing, &["array-degraded"]),
        ("raid-plain", mpt, Failed, &["member-missing"]),
    ] {
        let (told, found, findings) = judged(text);
        let said: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        assert_eq!((told, found, &said[..]), (kind, verdict, rules));
    }
}

#[test]
fn a_drive_behind_a_controller_is_named_with_its_serial_number() {
    let storcli = r#"{"Controllers": [{"Command Status": {"Controller": 0}, "Response Data": {
        "Drive /c0/e252/s1": [{"EID:Slt": "252:1", "State": "Failed", "Model": "ACME A1"}],
        "Drive /c0/e252/s1 - Detailed Information": {"Drive /c0/e252/s1 State": {"Media Error Count": 7},
        "Drive /c0/e252/s1 Device attributes": {"SN": "  S7  ", "Model Number": "ACME A1", "Firmware Revision": "F2"}}}}]}"#;
    let findings = judged(storcli).2;
    assert_eq!(findings.len(), 2);
    for finding in &findings {
        let part = &finding.part;
        assert_eq!([&*part.slot, &*part.serial, &*part.firmware], ["252:1", "S7", "F2"], "{}", finding.rule);
    }
    let ssacli = "Smart Array P1 in Slot 0\n      physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SATA HDD, 250 GB, Failed)\n\n\
                  \x20     physicaldrive 1I:1:2\n         Bay: 2\n         Status: Failed\n         Serial Number: S8\n         Model: ATA     ACME A1\n";
    let findings = judged(ssacli).2;
    let told: Vec<_> = findings.iter().map(|one| (&*one.part.model, &*one.part.serial)).collect();
    assert_eq!(told, [("ATA ACME A1", "S8")], "once, with all that is known");
}

#[test]
fn volumes_of_linux_show_their_health() {
    let lvs = |letters: &str| {
        format!(r#"{{"report": [{{"lv": [{{"vg_name": "v", "lv_name": "r", "lv_attr": "{letters}"}}]}}]}}"#)
    };
    check_cases(
        "lvs-json",
        &[(&lvs("rwi-aor---"), WELL.0, WELL.1), (&lvs("rwi-aor-p-"), Failing, &[("array-degraded", Warning)])],
    );
    let multipath = |first: &str, second: &str| {
        format!("mpatha: 0 9 multipath 2 0 0 0 2 1 A 0 1 2 8:16 {first} 0 0 1 E 0 1 2 8:32 {second} 3 0 1\n")
    };
    let thin = |metadata: &str, mode: &str| {
        format!("vg-p-tpool: 0 9 thin-pool 1 {metadata} 33/800 - {mode} no_discard_passdown queue_if_no_space - 1024\n")
    };
    check_cases(
        "dmsetup",
        &[
            ("vg-r: 0 2097152 raid raid1 2 AA 2097152/2097152 idle 0\n", WELL.0, WELL.1),
            ("vg-r: 0 2097152 raid raid1 2 AD 2097152/2097152 idle 0\n", Failing, &[("array-degraded", Critical)]),
            ("vg-r: 0 2097152 raid raid6_zr 4 AAAD 9/9 idle 0\n", Failing, &[("array-degraded", Warning)]),
            ("vg-r: 0 2097152 raid raid5_ls 3 AAA 9/9 idle 8 0 -\n", Failing, &[("array-mismatches", Warning)]),
            (&multipath("A", "A"), WELL.0, WELL.1),
            (&multipath("F", "A"), Failed, &[("path-failed", Warning), ("array-degraded", Critical)]),
            (
                &multipath("F", "F"),
                Failed,
                &[("array-failed", Critical), ("path-failed", Warning), ("path-failed", Warning)],
            ),
            (&thin("800/1000", "rw"), WELL.0, WELL.1),
            (&thin("810/1000", "rw"), Failing, &[("array-metadata-full", Warning)]),
            (&thin("960/1000", "rw"), Failing, &[("array-metadata-full", Critical)]),
            (&thin("1/1000", "out_of_data_space"), Failed, &[("array-failed", Critical)]),
            ("vg-p-tpool: 0 9 thin-pool Fail\n", Failed, &[("array-failed", Critical)]),
            (
                "vg-c: 0 9 cache 8 970/1000 128 9/9 1 2 3 4 5 6 7 0 2 mq 0 rw - \n",
                Failing,
                &[("array-metadata-full", Critical)],
            ),
        ],
    );
    let filling = r#"{"report": [{"lv": [{"vg_name": "v", "lv_name": "p", "lv_attr": "twi-aotz--", "metadata_percent": "81.20"}]}]}"#;
    check_cases("lvs-json", &[(filling, Failing, &[("array-metadata-full", Warning)])]);
}

#[test]
fn what_replicates_and_what_stands_in_a_rack_shows_its_health() {
    let drbd = |disks: &str| {
        format!(
            "version: 8.4.3 (api:1/proto:86-101)\n\n 0: cs:Connected ro:Primary/Secondary ds:{disks} C r-----\n    ns:1 oos:0\n"
        )
    };
    check_cases(
        "drbd",
        &[
            (&drbd("UpToDate/UpToDate"), WELL.0, WELL.1),
            (&drbd("UpToDate/Inconsistent"), Failing, &[("array-degraded", Warning)]),
        ],
    );
    let vault = |health: &str| {
        format!(
            r#"{{"drives": [{{"durable-id": "d0", "health": "{health}"}}], "status": [{{"response-type": "Success", "return-code": 0}}]}}"#
        )
    };
    check_cases(
        "powervault",
        &[(&vault("OK"), WELL.0, WELL.1), (&vault("Fault"), Failed, &[("member-failed", Warning)])],
    );
    let redfish = r#"{"@odata.id": "/redfish/v1/Chassis/1/Power", "PowerSupplies": [{"Name": "PSU1", "Status": {"Health": "Critical", "State": "Enabled"}},
        {"Name": "PSU2", "Status": {"Health": "Critical", "State": "Absent"}}]}"#;
    check_cases("redfish", &[(redfish, Failed, &[("part-failed", Warning)])]);
    let chassis = "Health\n\nSEVERITY : COMPONENT\nOk       : Fans\nCritical : Power Supplies\n";
    check_cases("omreport", &[(chassis, Failed, &[("part-failed", Warning)])]);
    let summary = "Controllers found: 1\n   Controller Status : Optimal\n   Defunct disk drive count : 0\n   Logical devices/Failed/Degraded : 2/0/1\n";
    check_cases("arcconf", &[(summary, Failing, &[("array-degraded", Warning)])]);
    let omreport =
        "List of Physical Disks on Controller 0\n\nID : 0:1:2\nStatus : Ok\nState : Online\nFailure Predicted : Yes\n";
    check_cases("omreport", &[(omreport, Failing, &[("member-predicts-failure", Warning)])]);
}
