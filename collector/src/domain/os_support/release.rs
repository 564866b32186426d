//! Which operating system a machine runs, from what os-release(5) says of it.

use super::windows;
use crate::domain::inventory::first_of;

/// What os-release says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// `ID`.
    pub id: String,
    /// `VERSION_ID`.
    pub version: String,
    /// `ID_LIKE`.
    pub like: Vec<String>,
    /// `UBUNTU_CODENAME` or `DEBIAN_CODENAME`, else `VERSION_CODENAME`: what it may be made from.
    pub base_codename: String,
    /// `NAME` or `PRETTY_NAME`.
    pub name: String,
    /// Of Windows: the number of the build, such as 26100.
    pub build: Option<u32>,
    /// Of Windows: `EditionID`, such as `Professional` or `ServerStandard`.
    pub edition: String,
}

/// How names of releases begin, and the `ID` of each. Longer ones first where one begins another.
const NAMES: [(&str, &str); 18] = [
    ("Debian GNU/Linux ", "debian"),
    ("Raspbian GNU/Linux ", "raspbian"),
    ("Ubuntu ", "ubuntu"),
    ("Red Hat Enterprise Linux Server ", "rhel"),
    ("Red Hat Enterprise Linux ", "rhel"),
    ("Rocky Linux ", "rocky"),
    ("AlmaLinux ", "almalinux"),
    ("Oracle Linux Server ", "ol"),
    ("CentOS Stream ", "centos-stream"),
    ("CentOS Linux ", "centos"),
    ("Fedora Linux ", "fedora"),
    ("Fedora ", "fedora"),
    ("SUSE Linux Enterprise Server ", "sles"),
    ("SUSE Linux Enterprise Desktop ", "sled"),
    ("openSUSE Leap ", "opensuse-leap"),
    ("Amazon Linux ", "amzn"),
    ("Alpine Linux v", "alpine"),
    ("Linux Mint ", "linuxmint"),
];

impl Release {
    /// From the fields of a row of the inventory, if it has them.
    #[must_use]
    pub fn of_fields(fields: &[(String, String)]) -> Option<Self> {
        let get = |names: &[&str]| first_of(fields, names).unwrap_or_default().to_owned();
        let id = get(&["os_id", "os_release_id", "id"]);
        let like = get(&["os_id_like", "id_like"]);
        let name = get(&["os_pretty_name", "pretty_name", "os_name", "name"]);
        let release = Self {
            version: get(&["os_version_id", "version_id", "os_version", "version"]),
            like: like.split_whitespace().map(str::to_owned).collect(),
            // 10.0.26100.4061: what follows the build counts its updates.
            build: if id == "windows" {
                get(&["kernel"]).split('.').nth(2).and_then(|part| part.parse().ok())
            } else {
                None
            },
            edition: if id == "windows" { get(&["variant"]) } else { String::new() },
            base_codename: get(&["base_codename", "ubuntu_codename", "debian_codename", "codename"]),
            id,
            name,
        };
        if release.id.is_empty() { Self::of_name(&release.name) } else { Some(release) }
    }

    /// From a name such as `Debian GNU/Linux 12 (bookworm)`, if it is one that is known.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let (rest, id) = NAMES.iter().find_map(|(begin, id)| Some((name.strip_prefix(begin)?, *id)))?;
        let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        // SUSE writes `15 SP5` for 15.5.
        let pack = rest[version.len()..].trim_start().strip_prefix("SP").unwrap_or_default();
        let pack: String = pack.chars().take_while(char::is_ascii_digit).collect();
        let version = if pack.is_empty() { version } else { format!("{version}.{pack}") };
        Some(Self { id: id.to_owned(), version, name: name.to_owned(), ..Self::default() })
    }

    /// What the table calls it.
    pub(super) fn product(&self) -> &str {
        match self.id.as_str() {
            "windows" if windows::is_server(self) => "windows-server",
            "rocky" => "rocky-linux",
            "ol" => "oracle-linux",
            "amzn" => "amazon-linux",
            "alpine" => "alpine-linux",
            "sled" | "sles_sap" | "sle_hpc" => "sles",
            "opensuse-leap" => "opensuse",
            "raspbian" => "debian",
            "centos" if self.name.contains("Stream") => "centos-stream",
            "pve" => "proxmox-ve",
            "sl-micro" | "sle-micro" | "suse-microos" => "suse-linux-micro",
            other => other,
        }
    }

    /// Whether it is one that has no releases.
    pub(super) fn is_rolling(&self) -> bool {
        const ROLLING: [&str; 9] = [
            "arch",
            "archarm",
            "manjaro",
            "endeavouros",
            "opensuse-tumbleweed",
            "gentoo",
            "void",
            "kali",
            "nixos-unstable",
        ];
        ROLLING.contains(&self.id.as_str())
    }

    /// What it is made from: product and codename or version, as far as it says.
    pub(super) fn base(&self) -> Option<(&'static str, &str)> {
        let cycle = |codename: &str| {
            let all = [
                ("ubuntu", "trusty", "14.04"),
                ("ubuntu", "xenial", "16.04"),
                ("ubuntu", "bionic", "18.04"),
                ("ubuntu", "focal", "20.04"),
                ("ubuntu", "jammy", "22.04"),
                ("ubuntu", "noble", "24.04"),
                ("ubuntu", "resolute", "26.04"),
                ("debian", "jessie", "8"),
                ("debian", "stretch", "9"),
                ("debian", "buster", "10"),
                ("debian", "bullseye", "11"),
                ("debian", "bookworm", "12"),
                ("debian", "trixie", "13"),
            ];
            all.into_iter().find(|(_, name, _)| *name == codename).map(|(product, _, cycle)| (product, cycle))
        };
        cycle(&self.base_codename)
    }
}
