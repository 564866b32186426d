//! Where software comes from, and two kinds of it that are worth a list: what lets others look and steer from afar, and
//! what protects.

use super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError};

const APT: &str = "/etc/apt";
const YUM: [&str; 2] = ["/etc/yum.repos.d", "/etc/zypp/repos.d"];
const APK: &str = "/etc/apk/repositories";

/// Name, and files of which one is there where it is installed; the program's name as the kernel has it.
struct Tool {
    name: &'static str,
    files: &'static [&'static str],
    runs: &'static str,
}

const fn tool(name: &'static str, files: &'static [&'static str], runs: &'static str) -> Tool {
    Tool { name, files, runs }
}

const REMOTE: [Tool; 17] = [
    tool("AnyDesk", &["/usr/bin/anydesk", "/opt/anydesk"], "anydesk"),
    tool("TeamViewer", &["/opt/teamviewer", "/usr/bin/teamviewer"], "teamviewerd"),
    tool("RustDesk", &["/usr/bin/rustdesk", "/usr/lib/rustdesk", "/usr/share/rustdesk"], "rustdesk"),
    tool("Splashtop", &["/opt/splashtop-streamer", "/opt/splashtop"], "SRAgent"),
    tool("ConnectWise ScreenConnect", &["/opt/screenconnect"], "screenconnect"),
    tool("MeshAgent", &["/usr/local/mesh_services/meshagent", "/opt/meshagent"], "meshagent"),
    tool("DWAgent", &["/usr/share/dwagent"], "dwagsvc"),
    tool("NoMachine", &["/usr/NX"], "nxserver.bin"),
    tool("Chrome Remote Desktop", &["/opt/google/chrome-remote-desktop"], "chrome-remote-d"),
    tool("xrdp", &["/usr/sbin/xrdp"], "xrdp"),
    tool("TigerVNC", &["/usr/bin/Xtigervnc", "/usr/bin/Xvnc"], "Xtigervnc"),
    tool("x11vnc", &["/usr/bin/x11vnc"], "x11vnc"),
    tool("RealVNC", &["/usr/bin/vncserver-x11", "/usr/bin/vncserver-x11-serviced"], "vncserver-x11-s"),
    tool("Tailscale", &["/usr/sbin/tailscaled", "/usr/bin/tailscaled"], "tailscaled"),
    tool("ZeroTier", &["/usr/sbin/zerotier-one"], "zerotier-one"),
    tool("ngrok", &["/usr/local/bin/ngrok", "/usr/bin/ngrok", "/snap/ngrok"], "ngrok"),
    tool("cloudflared", &["/usr/bin/cloudflared", "/usr/local/bin/cloudflared"], "cloudflared"),
];
const PROTECTION: [Tool; 15] = [
    tool("ClamAV", &["/usr/sbin/clamd", "/usr/bin/clamscan"], "clamd"),
    tool("CrowdStrike Falcon", &["/opt/CrowdStrike"], "falcon-sensor"),
    tool("Microsoft Defender", &["/opt/microsoft/mdatp"], "wdavdaemon"),
    tool("SentinelOne", &["/opt/sentinelone"], "s1-agent"),
    tool("Cortex XDR", &["/opt/traps"], "pmd"),
    tool("Wazuh", &["/var/ossec/bin/wazuh-control"], "wazuh-agentd"),
    tool("Elastic Agent", &["/opt/Elastic/Agent"], "elastic-agent"),
    tool("Sophos", &["/opt/sophos-spl", "/opt/sophos-av"], "sophos_threat_d"),
    tool("ESET", &["/opt/eset"], "oaeventd"),
    tool("Bitdefender", &["/opt/bitdefender-security-tools", "/opt/BitDefender"], "bdsecd"),
    tool("Trend Micro Deep Security", &["/opt/ds_agent"], "ds_agent"),
    tool("Trellix", &["/opt/McAfee", "/opt/Trellix"], "mfetpd"),
    tool("Kaspersky", &["/opt/kaspersky"], "kesl"),
    tool("osquery", &["/opt/osquery", "/usr/bin/osqueryd"], "osqueryd"),
    tool("Falco", &["/usr/bin/falco"], "falco"),
];
/// When ClamAV's signatures were last written.
const SIGNATURES: [&str; 3] = ["/var/lib/clamav/daily.cld", "/var/lib/clamav/daily.cvd", "/var/lib/clamav/main.cvd"];

/// What lets others in from afar.
pub(super) fn remote_control(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    tools(host, sheet, &REMOTE);
    Ok(())
}

/// What protects.
pub(super) fn protection(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    tools(host, sheet, &PROTECTION);
    Ok(())
}

fn tools(host: &Host, sheet: &mut Sheet, known: &[Tool]) {
    sheet.read_in("files and processes");
    let installed: Vec<(&Tool, &str)> =
        known.iter().filter_map(|tool| Some((tool, *tool.files.iter().find(|path| host.exists(path))?))).collect();
    let running = if installed.is_empty() { Vec::new() } else { running(host) };
    for (tool, path) in installed {
        let runs = if running.iter().any(|name| name == tool.runs) { "yes" } else { "no" };
        let mut row = Row::new(tool.name).durable("name", tool.name).durable("path", path).latest("running", runs);
        if tool.name == "ClamAV" {
            let newest = SIGNATURES.iter().filter_map(|path| Some(host.stat(path).ok()?.modified_s)).max();
            row = row.latest("signatures_at", newest.and_then(date::spelled).unwrap_or_default());
        }
        sheet.row(row);
    }
}

/// The names of all processes.
fn running(host: &Host) -> Vec<String> {
    let names = host.list("/proc").unwrap_or_default();
    let pids = names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter_map(|pid| host.read_text(&format!("/proc/{pid}/comm")).ok()).collect()
}

/// Where packages come from.
pub(super) fn repositories(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for manager in [apt, yum, apk] {
        let outcome = manager(host, sheet).map_err(Unread::from);
        sheet.part(outcome);
    }
    if sheet.is_empty() && !sheet.has_failed() {
        return Err(Unread::Absent("no repositories known to this agent".to_owned()));
    }
    Ok(())
}

/// An address without what stands before the host: it may be a password.
pub(super) fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest, rest.split('/').next()?))) {
        Some((scheme, rest, host)) => match host.rsplit_once('@') {
            Some((secret, _)) => format!("{scheme}://{}", &rest[secret.len() + 1..]),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

fn repository(manager: &str, file: &str, url: &str, more: &str) -> Row {
    let url = without_password(url);
    Row::new(format_args!("{manager}/{url} {more}"))
        .durable("manager", manager)
        .durable("url", &url)
        .durable("encrypted", if url.starts_with("http://") || url.starts_with("ftp://") { "no" } else { "" })
        .read_in(file)
}

fn apt(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    let mut files = vec![format!("{APT}/sources.list")];
    let more = match host.list(&format!("{APT}/sources.list.d")) {
        Err(HostError::NotPresent(_)) => Vec::new(),
        names => names?,
    };
    files.extend(more.iter().map(|name| format!("{APT}/sources.list.d/{name}")));
    for file in files {
        let text = match host.read_text(&file) {
            Ok(text) => text,
            Err(HostError::NotPresent(_)) => continue,
            Err(error) => return Err(error),
        };
        sheet.read_in(APT);
        if file.ends_with(".sources") {
            text.split("\n\n").for_each(|block| deb822(&file, block, sheet));
        } else if file.ends_with(".list") {
            text.lines().filter_map(|line| one_line(&file, line)).for_each(|row| sheet.row(row));
        }
    }
    Ok(())
}

/// `deb [option=value ...] url suite component ...` (sources.list(5)).
fn one_line(file: &str, line: &str) -> Option<Row> {
    let line = line.split('#').next()?.trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if kind != "deb" && kind != "deb-src" {
        return None;
    }
    let rest = rest.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let (url, suite) = (words.next()?, words.next()?);
    let components = words.collect::<Vec<_>>().join(" ");
    let option =
        |name: &str| options.split_ascii_whitespace().find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
    let row = repository("apt", file, url, &format!("{kind} {suite}"))
        .durable("kind", kind)
        .durable("suite", suite)
        .durable("components", components)
        .durable("trusted", option("trusted").unwrap_or_default())
        .durable("signed_by", option("signed-by").unwrap_or_default());
    Some(row)
}

fn deb822(file: &str, block: &str, sheet: &mut Sheet) {
    let field = |name: &str| {
        let mut lines = block.lines().skip_while(|line| {
            line.split_once(':').is_none_or(|(known, _)| !known.eq_ignore_ascii_case(name) || known.starts_with('#'))
        });
        let first = lines.next()?.split_once(':')?.1.trim().to_owned();
        // What goes on is indented.
        let more = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        Some(std::iter::once(first.as_str()).chain(more).collect::<Vec<_>>().join(" ").trim().to_owned())
    };
    let (Some(kinds), Some(urls), Some(suites)) = (field("Types"), field("URIs"), field("Suites")) else { return };
    let signed =
        field("Signed-By").map(|by| if by.contains("BEGIN PGP") { "a key within the file".to_owned() } else { by });
    let off = field("Enabled").is_some_and(|enabled| enabled.eq_ignore_ascii_case("no"));
    for url in urls.split_ascii_whitespace() {
        for suite in suites.split_ascii_whitespace() {
            for kind in kinds.split_ascii_whitespace() {
                let row = repository("apt", file, url, &format!("{kind} {suite}"))
                    .durable("kind", kind)
                    .durable("suite", suite)
                    .known("components", field("Components"))
                    .known("trusted", field("Trusted"))
                    .known("signed_by", signed.clone());
                sheet.row(row.durable("enabled", if off { "no" } else { "" }));
            }
        }
    }
}

/// `[id]` and `name=value` (yum.conf(5), zypper(8)).
fn yum(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    for directory in YUM {
        let names = match host.list(directory) {
            Err(HostError::NotPresent(_)) => continue,
            names => names?,
        };
        for name in names.iter().filter(|name| name.ends_with(".repo")) {
            let file = format!("{directory}/{name}");
            let text = host.read_text(&file)?;
            sheet.read_in(directory);
            for section in format!("\n{text}").split("\n[").skip(1) {
                let Some((id, body)) = section.split_once(']') else { continue };
                let value = |key: &str| {
                    let line =
                        body.lines().find_map(|line| line.split_once('=').filter(|(known, _)| known.trim() == key));
                    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
                };
                let urls = [value("baseurl"), value("metalink"), value("mirrorlist")];
                let url = urls.iter().find(|url| !url.is_empty()).cloned().unwrap_or_default();
                let row = repository("rpm", &file, &url, id)
                    .durable("id", id)
                    .durable("name", value("name"))
                    .durable("enabled", if value("enabled") == "0" { "no" } else { "" })
                    .durable("gpgcheck", value("gpgcheck"));
                sheet.row(row);
            }
        }
    }
    Ok(())
}

fn apk(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    let text = match host.read_text(APK) {
        Err(HostError::NotPresent(_)) => return Ok(()),
        text => text?,
    };
    sheet.read_in(APK);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        sheet.row(repository("apk", APK, line, ""));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn repositories_of_both_forms_are_read_and_passwords_are_not_told() {
        let machine = Machine::new();
        machine.files(&[
            (
                "etc/apt/sources.list",
                "# deb http://no/ x\ndeb http://deb.debian.org/debian bookworm main contrib\n\
                 deb [trusted=yes arch=amd64] https://ann:s3cret@repo.example.org/x ./\n",
            ),
            (
                "etc/apt/sources.list.d/a.sources",
                "Types: deb\nURIs: https://a.example.org\nSuites: s1 s2\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n\n\
                 Types: deb\nEnabled: no\nURIs: https://b.example.org\nSuites: x\n",
            ),
            (
                "etc/yum.repos.d/f.repo",
                "[fedora]\nname=Fedora\nmetalink=https://m.example.org/?repo=f\nenabled=1\ngpgcheck=1\n\n[src]\nenabled=0\n",
            ),
        ]);
        let lines = machine.lines("repositories");
        assert_eq!(lines.len(), 7, "{lines:#?}");
        let keys: Vec<&str> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(
            keys,
            [
                "apt/http://deb.debian.org/debian deb bookworm",
                "apt/https://a.example.org deb s1",
                "apt/https://a.example.org deb s2",
                "apt/https://b.example.org deb x",
                "apt/https://repo.example.org/x deb ./",
                "rpm/ src",
                "rpm/https://m.example.org/?repo=f fedora",
            ]
        );
        assert!(lines[0].contains("components=main contrib encrypted=no"), "{}", lines[0]);
        assert!(lines[1].contains("signed_by=a key within the file"), "{}", lines[1]);
        assert!(lines[3].contains("enabled=no"), "{}", lines[3]);
        assert!(lines[4].contains("trusted=yes"), "{}", lines[4]);
        assert!(!lines.concat().contains("s3cret"));
    }

    #[test]
    fn tools_are_found_by_their_files_and_run_by_name() {
        let machine = Machine::new();
        assert_eq!(machine.section("remote_control").rows.len(), 0);
        machine.file("opt/teamviewer/tv_bin/x", "");
        machine.file("usr/sbin/xrdp", "");
        machine.file("proc/77/comm", "xrdp\n");
        machine.file("usr/sbin/clamd", "");
        assert_eq!(
            machine.lines("remote_control"),
            [
                "TeamViewer: name=TeamViewer path=/opt/teamviewer | running=no",
                "xrdp: name=xrdp path=/usr/sbin/xrdp | running=yes",
            ]
        );
        assert_eq!(machine.lines("protection"), ["ClamAV: name=ClamAV path=/usr/sbin/clamd | running=no"]);
    }
}
