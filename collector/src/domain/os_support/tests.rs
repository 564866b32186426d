//! From os-release to the end of support, and the table beside what others have collected.

use super::*;

/// 2026-11-30T12:00:00Z
const NOW: Timestamp = Timestamp::from_ms(1_796_040_000_000);

fn release(id: &str, version: &str) -> Release {
    Release { id: id.into(), version: version.into(), ..Release::default() }
}

fn found(release: &Release) -> (String, Tier, String) {
    let support = Table::built_in().support(release, NOW);
    (format!("{} {}", support.product, support.cycle), support.tier, support.words(NOW))
}

#[test]
fn a_release_is_found_by_its_version_and_stands_in_a_tier() {
    let cases = [
        ("debian", "13", "debian 13", Tier::Active),
        ("debian", "12", "debian 12", Tier::Extended),
        ("debian", "11", "debian 11", Tier::Ended),
        ("ubuntu", "24.04", "ubuntu 24.04", Tier::Active),
        ("ubuntu", "22.04", "ubuntu 22.04", Tier::SecurityOnly),
        ("ubuntu", "20.04", "ubuntu 20.04", Tier::Extended),
        ("ubuntu", "23.10", "ubuntu 23.10", Tier::Ended),
        ("rhel", "9.4", "rhel 9", Tier::Active),
        ("rhel", "8.10", "rhel 8", Tier::SecurityOnly),
        ("rocky", "9.3", "rocky-linux 9", Tier::Active),
        ("ol", "8.9", "oracle-linux 8", Tier::Active),
        ("amzn", "2023", "amazon-linux 2023", Tier::Active),
        ("sled", "15.7", "sles 15.7", Tier::Active),
        ("sles", "15", "sles 15.0", Tier::Ended),
        ("sles", "16.0", "sles 16.0", Tier::Active),
        ("opensuse-leap", "16.0", "opensuse 16.0", Tier::Active),
        ("raspbian", "12", "debian 12", Tier::Extended),
        ("alpine", "3.22.1", "alpine-linux 3.22", Tier::Active),
        ("linuxmint", "22.1", "linuxmint 22.1", Tier::Active),
        ("debian", "7", "debian 7", Tier::Ended),
        ("debian", "14", "debian 14", Tier::Unknown),
        ("arch", "", "arch ", Tier::Rolling),
        ("photon", "5.0", " ", Tier::Unknown),
    ];
    for (id, version, name, tier) in cases {
        let (named, in_tier, words) = found(&release(id, version));
        assert_eq!((named.as_str(), in_tier), (name, tier), "{id} {version}: {words}");
    }
    let stream = Release { name: "CentOS Stream".into(), ..release("centos", "9") };
    assert_eq!(found(&stream).0, "centos-stream 9");
    assert_eq!(found(&release("centos", "7")).1, Tier::Ended);
}

#[test]
fn windows_is_known_by_its_build_and_its_edition() {
    let machine = |kernel: &str, variant: &str| {
        let fields = [
            ("id", "windows"),
            ("name", "Windows"),
            ("version", "11 (26100)"),
            ("kernel", kernel),
            ("variant", variant),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        found(&Release::of_fields(&fields).expect("it has an id"))
    };
    let cases = [
        ("10.0.26100.4061", "Professional", "windows 11-24h2-w", Tier::Ended),
        ("10.0.26100.4061", "Core", "windows 11-24h2-w", Tier::Ended),
        ("10.0.26100.4061", "Enterprise", "windows 11-24h2-e", Tier::Active),
        ("10.0.26100.4061", "EnterpriseS", "windows 11-24h2-e-lts", Tier::Active),
        ("10.0.26100.4061", "IoTEnterpriseS", "windows 11-24h2-iot-lts", Tier::Active),
        ("10.0.26100.4061", "ServerRdsh", "windows 11-24h2-e", Tier::Active),
        ("10.0.26100.4061", "ServerStandard", "windows-server 2025", Tier::Active),
        ("10.0.20348.2527", "ServerDatacenter", "windows-server 2022", Tier::SecurityOnly),
        ("6.3.9600.0", "ServerStandard", "windows-server 2012-r2", Tier::Ended),
        ("10.0.17763.1", "IoTEnterpriseS", "windows 10-1809-e-lts", Tier::SecurityOnly),
        ("10.0.19045.6332", "Professional", "windows 10-22h2", Tier::Extended),
        ("10.0.22631.1", "SomethingNew", "windows 11-23h2-w", Tier::Ended),
        ("10.0.29999.1", "Professional", "windows build 29999", Tier::Unknown),
    ];
    for (kernel, edition, name, tier) in cases {
        let (named, in_tier, words) = machine(kernel, edition);
        assert_eq!((named.as_str(), in_tier), (name, tier), "{kernel} {edition}: {words}");
    }
    assert_eq!(
        found(&release("macos", "15.7.9")),
        ("macos 15".into(), Tier::Active, "macos 15: no end is announced".into())
    );
}

#[test]
fn a_derivative_is_judged_by_its_base_and_says_so() {
    let zorin = Release { base_codename: "jammy".into(), ..release("zorin", "17") };
    let (named, tier, words) = found(&zorin);
    assert_eq!((named.as_str(), tier), ("ubuntu 22.04", Tier::SecurityOnly));
    assert!(words.starts_with("its base ubuntu 22.04: until 2027-04-01, 122 days"), "{words}");
}

#[test]
fn the_last_day_still_counts_and_the_next_does_not() {
    let table = Table::built_in();
    // 2026-12-09 at noon, and a day later.
    let last = Timestamp::from_ms(1_796_817_600_000);
    let tier = |now| table.support(&release("fedora", "43"), now).tier;
    assert_eq!((tier(last), tier(last.plus_ms(86_400_000))), (Tier::Active, Tier::Ended));
    let support = table.support(&release("fedora", "43"), NOW);
    assert_eq!(support.days_left(NOW), Some(9));
    assert!(support.ends_within(NOW, 9) && !support.ends_within(NOW, 8));
}

#[test]
fn names_are_understood_where_there_is_nothing_else() {
    let cases = [
        ("Debian GNU/Linux 12 (bookworm)", "debian 12"),
        ("Ubuntu 22.04.5 LTS", "ubuntu 22.04"),
        ("SUSE Linux Enterprise Server 15 SP6", "sles 15.6"),
        ("AlmaLinux 9.4 (Seafoam Ocelot)", "almalinux 9"),
        ("Fedora Linux 43 (Server Edition)", "fedora 43"),
        ("Alpine Linux v3.22", "alpine-linux 3.22"),
    ];
    for (name, expected) in cases {
        assert_eq!(found(&Release::of_name(name).unwrap()).0, expected);
    }
    assert_eq!(Release::of_name("Plan 9"), None);
    let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let row = fields(&[("os_id", "debian"), ("os_version_id", "12")]);
    assert_eq!(found(&Release::of_fields(&row).unwrap()).0, "debian 12");
    let row = fields(&[("name", "Debian GNU/Linux 12 (bookworm)")]);
    assert_eq!(found(&Release::of_fields(&row).unwrap()).0, "debian 12");
    assert_eq!(Release::of_fields(&fields(&[("kernel", "6.1")])), None);
}

#[test]
fn words_name_the_day_and_the_contract() {
    assert_eq!(found(&release("debian", "12")).2, "debian 12: ended 2026-07-11; LTS until 2028-06-30");
    assert_eq!(found(&release("debian", "11")).2, "debian 11: ended 2024-08-14, LTS 2026-08-31");
    assert_eq!(found(&release("debian", "14")).2, "debian 14: this release is not in the table");
    assert_eq!(found(&release("debian", "6")).2, "debian 6: older than anything that was supported lately");
    assert_eq!(found(&release("macos", "26")).2, "macos 26: no end is announced");
}

#[test]
fn a_table_older_than_half_a_year_is_stale() {
    let table = Table::parse("dated,2026-01-01\ndebian,13,,2028-08-09,,\n").unwrap();
    // 2026-06-30 is day 180.
    let day_180 = Timestamp::from_ms(1_782_777_600_000);
    assert_eq!(table.age_days(day_180), Some(180));
    assert!(!table.is_stale(day_180) && table.is_stale(day_180.plus_ms(86_400_000)));
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let wrong = [
        ("debian,13,,2028-08-09,,\n", 1),
        ("dated,2026-01-01\n# x\ndebian,13,,soon,,\n", 3),
        ("dated,2026-01-01\ndebian,13,,2028-08-09\n", 2),
        ("dated,2026-01-01\ndebian,13,,,,\n", 2),
        ("dated,today\n", 1),
    ];
    for (text, line) in wrong {
        assert_eq!(Table::parse(text).unwrap_err().line, line, "{text:?}");
    }
}
