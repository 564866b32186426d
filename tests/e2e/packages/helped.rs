//! The privileged helper under its own unit: what the agent's user lacks without it and has with it, who may ask it, and what it
//! may do.
//!
//! A container has no drives: made-up ones lie over `/sys` and `/dev`, with the owners and modes that the kernel and udev give
//! them, and the tools look for the rights that the kernel asks for.

use std::os::unix::fs::PermissionsExt as _;

use muster_tests::eventually;

use super::{Story, UP, VERSIONS, words};

const SOCKET: &str = "/run/muster/helper.sock";
/// A SATA drive (its place in sysfs, and its file), a BMC, a serial number of the firmware's, and a log that is for root.
const MACHINE: &str = "set -e
mount -t tmpfs none /sys/block && mount -t tmpfs none /sys/class
mkdir -p /sys/block/sda/device /sys/class/block/sda /sys/class/dmi/id
echo ATA >/sys/block/sda/device/vendor && echo 'MADE UP 4000' >/sys/block/sda/device/model
echo MADE-UP-SERIAL >/sys/class/dmi/id/product_serial
touch /dev/sda /dev/ipmi0
chmod 0400 /sys/class/dmi/id/product_serial
chmod 0600 /dev/sda /dev/ipmi0 /dev/kmsg";
/// Opens the drive and passes a command through: scsi_cmd_allowed asks for CAP_SYS_RAWIO, bit 17 (include/uapi/linux/capability.h).
const SMARTCTL: &str = "#!/bin/sh
for last; do :; done
rights=$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status)
if ( : <\"$last\" ) 2>/dev/null && [ $((0x$rights >> 17 & 1)) = 1 ]; then
    echo '{\"smartctl\":{\"version\":[7,4],\"exit_status\":0},\"device\":{\"name\":\"/dev/sda\",\"type\":\"sat\",\"protocol\":\"ATA\"},'
    echo '\"model_name\":\"MADE UP 4000\",\"serial_number\":\"MADE-UP-1\",\"smart_status\":{\"passed\":true}}'
    exit 0
fi
echo '{\"smartctl\":{\"version\":[7,4],\"messages\":[{\"string\":\"Smartctl open device: /dev/sda failed: Permission denied\",\"severity\":\"error\"}],\"exit_status\":2}}'
exit 2
";
/// Opens the BMC for reading and writing, and says as what it runs.
const IPMITOOL: &str = "#!/bin/sh
( : <>/dev/ipmi0 ) 2>/dev/null || exit 1
grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
echo user $(id -u)
sed -n 's/^ *\\([a-z0-9]*\\):.*/interface \\1/p' /proc/self/net/dev
touch /etc/muster/by-the-helper 2>/dev/null && echo wrote
ls -A /root /home 2>/dev/null
cat
exit 0
";
/// Says a request on the socket and prints the answer (perl-base is essential in Debian).
const ASK: &str = "use Socket; my ($path, $request) = @ARGV;
socket(S, AF_UNIX, SOCK_STREAM, 0) or die; connect(S, sockaddr_un($path)) or die;
syswrite(S, $request); shutdown(S, 1); while (sysread(S, $some, 65536)) { print $some }";
/// Connects more often than it takes, and says nothing.
const CROWD: &str = "use Socket; my @all;
for (1..60) { socket($all[$_], AF_UNIX, SOCK_STREAM, 0) or die; connect($all[$_], sockaddr_un($ARGV[0])) or die }";
const SENSORS: &str = "{\"bmc\":\"sensors\"}\n";
/// CAP_SYS_RAWIO, CAP_SYS_ADMIN, CAP_SYSLOG.
const CAPABILITIES: u64 = 1 << 17 | 1 << 21 | 1 << 34;
/// What each remedy begins with.
const REMEDY: &str =
    "-> `systemctl enable --now muster-helper.socket` lets the agent ask through its privileged helper; or ";

#[tokio::test]
async fn the_agents_user_has_with_the_helper_what_it_lacks_without_and_nobody_else_may_ask() {
    let mut story = Story::begin("helped").await;
    let before = story.files().await;
    for name in ["muster-collector", "muster-agent"] {
        story.apt(&["install", &story.package(name, VERSIONS[1])]).await;
    }
    // It is off as shipped.
    assert_eq!(story.unit("muster-helper.socket").await, ("disabled".to_owned(), "inactive".to_owned()));
    story.equipped().await;
    story.lacking().await;
    story.switched_on().await;
    story.bounded().await;
    story.asked_by_few().await;
    story.quiet().await;
    story.many_at_once().await;
    story.exposure_of("muster-helper@x.service", 2.0).await;
    story.reinstalled().await;
    for name in ["muster-agent", "muster-collector"] {
        story.apt(&["purge", name]).await;
    }
    for tool in ["smartctl", "ipmitool"] {
        std::fs::remove_file(story.machine.root().join("usr/local/sbin").join(tool)).expect("it is ours");
    }
    let after = story.files().await;
    let left: Vec<_> = after.difference(&before).filter(|file| !super::backup_of_users(file)).collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
    for path in ["/run/muster", "/run/muster-helper"] {
        assert!(!story.machine.inside(path).exists(), "{path} is left");
    }
}

impl Story {
    /// The machine has parts, and an agent that reports.
    async fn equipped(&mut self) {
        self.machine.must(&["mknod", "/dev/kmsg", "c", "1", "11"]).await;
        self.machine.must(&["sh", "-c", MACHINE]).await;
        self.put_tool("smartctl", SMARTCTL);
        self.put_tool("ipmitool", IPMITOOL);
        self.machine.must(&["systemctl", "enable", "--now", "muster-collector"]).await;
        self.token().await;
        let install = ["muster-agent", "install", "--collector", "127.0.0.1:7460", "--token-file", "/root/token"];
        let line = self.changed(&install).await;
        self.host = line["host_id"].as_str().expect("it says who it is").to_owned();
        self.is("up").await;
    }

    /// What a subcommand says, run as the agent's user with no right more.
    async fn as_agent(&self, command: &str) -> String {
        let user = ["setpriv", "--reuid=muster-agent", "--regid=muster-agent", "--init-groups", "muster-agent"];
        self.machine.must(&[&user[..], &[command]].concat()).await
    }

    /// Each thing that may not be read is named, with how it is granted.
    async fn lacking(&self) {
        let doctor = self.as_agent("doctor").await;
        for (what, granted) in [
            ("product serial", "CAP_DAC_READ_SEARCH"),
            ("kernel messages", "CAP_SYSLOG"),
            ("smartctl-json sda", "CAP_SYS_RAWIO"),
            ("ipmi sensors", "KERNEL==\"ipmi*\""),
        ] {
            let remedy = remedy_of(&doctor, what, "limited");
            assert!(remedy.starts_with(REMEDY) && remedy.contains(granted), "{what}: {doctor}");
        }
        let evidence = self.as_agent("evidence").await;
        assert!(!evidence.contains("MADE-UP-1"), "{evidence}");
        assert!(!self.as_agent("inventory").await.contains("MADE-UP-SERIAL"));
    }

    /// With one command, and all of it is there: by hand, and at the collector.
    async fn switched_on(&self) {
        let helped = ["muster-agent", "install", "--helper"];
        assert_eq!(words(&self.changed(&helped).await["did"]), ["helper", "restarted"]);
        assert_eq!(words(&self.changed(&helped).await["did"]), [""; 0]);
        assert_eq!(self.unit("muster-helper.socket").await, ("enabled".to_owned(), "active".to_owned()));
        let doctor = self.as_agent("doctor").await;
        for what in ["product serial", "kernel messages"] {
            assert!(line_of(&doctor, what, "ok").ends_with(", opened by the helper"), "{doctor}");
        }
        for lacking in ["limited  smartctl-json", "limited  ipmi"] {
            assert!(!doctor.contains(lacking), "{lacking}: {doctor}");
        }
        let evidence = self.as_agent("evidence").await;
        assert!(evidence.contains("MADE-UP-1"), "{evidence}");
        assert!(self.as_agent("inventory").await.contains("MADE-UP-SERIAL"));
        let page = format!(
            "exec 3<>/dev/tcp/127.0.0.1/7461; printf 'GET /hosts/{}/metrics HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' >&3; cat <&3",
            self.host
        );
        eventually("the collector knows the drive", UP, || async {
            let said = self.machine.run(&["bash", "-c", &page]).await;
            said.out.contains("serial_number=\"MADE-UP-1\"").then_some(())
        })
        .await;
    }

    /// What runs in it is root with three rights, no network, nothing to write on and nothing to read from who asks.
    async fn bounded(&self) {
        let (head, body) = self.ask(&format!("{SENSORS}not for the tool")).await;
        assert!(head.starts_with("{\"output\":{\"code\":0,"), "{head}{body}");
        let has = |name: &str| body.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let effective = u64::from_str_radix(has("CapEff:"), 16).expect("a set of capabilities");
        assert_eq!(effective & !CAPABILITIES, 0, "{body}");
        assert_eq!((has("NoNewPrivs:"), has("user")), ("1", "0"), "{body}");
        let interfaces: Vec<&str> = body.lines().filter(|line| line.starts_with("interface ")).collect();
        assert_eq!(interfaces, ["interface lo"], "a network of its own, in which there is nothing");
        let last = body.lines().last().unwrap_or_default();
        assert_eq!(last, "interface lo", "it writes nothing, sees no homes and hears nothing: {body}");
        for (request, reason) in [
            (
                "{\"drive\":{\"device\":\"../etc/shadow\",\"reached\":\"sat\",\"unless_asleep\":true,\"asks\":\"everything\"}}\n",
                "not a name",
            ),
            ("{\"check_array\":\"md0\"}\n", "no such device"),
            ("{\"open\":\"/etc/shadow\"}\n", "unknown variant"),
            ("nonsense\n", "is none"),
        ] {
            let (head, _) = self.ask(request).await;
            assert!(head.starts_with("{\"refused\"") && head.contains(reason), "{request}: {head}");
        }
    }

    /// The socket's mode keeps others out, and so does the helper where somebody has loosened it.
    async fn asked_by_few(&self) {
        let may = |user: &'static str| async move {
            let reuid = format!("--reuid={user}");
            self.machine.run(&["setpriv", &reuid, "--clear-groups", "--regid=65534", "test", "-w", SOCKET]).await.code
                == 0
        };
        assert!(!may("nobody").await && !may("muster-agent").await, "its group alone may connect");
        self.machine.must(&["chmod", "0666", SOCKET]).await;
        assert!(may("nobody").await);
        let nobody = ["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups"];
        let agent = ["setpriv", "--reuid=muster-agent", "--regid=muster-agent", "--init-groups"];
        let refusal = ("{\"refused\":{\"reason\":\"only the agent's user may ask\"}}".to_owned(), String::new());
        assert_eq!(self.asked_as(&nobody, SENSORS).await, refusal);
        let (head, _) = self.asked_as(&agent, SENSORS).await;
        assert!(head.starts_with("{\"output\":"), "{head}");
        self.machine.must(&["chmod", "0660", SOCKET]).await;
    }

    /// What was answered is no news; who was refused is, and so is what systemd says of a process that fails.
    async fn quiet(&self) {
        let journal = || async {
            self.machine.must(&["journalctl", "--sync"]).await;
            self.machine.must(&["journalctl", "--no-pager", "-q", "-o", "cat", "--unit=muster-helper@*"]).await
        };
        let (head, _) = self.ask(SENSORS).await;
        assert!(head.starts_with("{\"output\":"), "{head}");
        let said = journal().await;
        let refusals: Vec<&str> = said.lines().filter(|line| line.contains(" is refused: ")).collect();
        assert_eq!(refusals.len(), said.lines().count(), "{said}");
        for refusal in ["user 0 is refused: not a name", "only the agent's user may ask"] {
            let (who, why) = refusal.split_once(": ").unwrap_or(("user 65534", refusal));
            let told = refusals.iter().any(|line| line.contains(who) && line.contains(why));
            assert!(told, "{refusal}: {said}");
        }
    }

    /// More connections than it takes, that say nothing, do not keep it from answering once they are gone.
    async fn many_at_once(&self) {
        self.machine.must(&["perl", "-e", CROWD, SOCKET]).await;
        eventually("it answers again", UP, || async {
            let (head, _) = self.ask(SENSORS).await;
            head.starts_with("{\"output\"").then_some(())
        })
        .await;
        assert_eq!(self.machine.property("muster-helper.socket", "ActiveState").await, "active");
    }

    /// Removed, the helper is gone; here again, it is as it was.
    async fn reinstalled(&self) {
        self.apt(&["remove", "muster-agent"]).await;
        assert!(!self.machine.inside(SOCKET).exists());
        for unit in ["muster-helper.socket", "muster-helper@.service"] {
            assert!(!self.machine.root().join("usr/lib/systemd/system").join(unit).exists(), "{unit} is left");
        }
        self.apt(&["install", &self.package("muster-agent", VERSIONS[1])]).await;
        assert_eq!(self.unit("muster-helper.socket").await, ("enabled".to_owned(), "active".to_owned()));
    }

    fn put_tool(&self, name: &str, script: &str) {
        let at = self.machine.root().join("usr/local/sbin").join(name);
        std::fs::write(&at, script).expect("a tree of our own");
        std::fs::set_permissions(&at, std::fs::Permissions::from_mode(0o755)).expect("a tree of our own");
    }

    /// The first line of the answer to root, and the rest.
    async fn ask(&self, request: &str) -> (String, String) {
        self.asked_as(&[], request).await
    }

    async fn asked_as(&self, user: &[&str], request: &str) -> (String, String) {
        let said = self.machine.run(&[user, &["perl", "-e", ASK, SOCKET, request]].concat()).await;
        let (head, body) = said.out.split_once('\n').unwrap_or((&said.out, ""));
        (head.to_owned(), body.to_owned())
    }
}

/// What doctor says of one thing, which is so.
fn line_of<'a>(doctor: &'a str, what: &str, standing: &str) -> &'a str {
    let is_it = |line: &&str| {
        let rest = line.strip_prefix(standing).map(str::trim_start).and_then(|rest| rest.strip_prefix(what));
        rest.is_some_and(|rest| rest.starts_with("  "))
    };
    doctor.lines().find(is_it).unwrap_or_else(|| panic!("{what} is not {standing}: {doctor}"))
}

/// The line below it.
fn remedy_of<'a>(doctor: &'a str, what: &str, standing: &str) -> &'a str {
    let line = line_of(doctor, what, standing);
    let below = doctor.lines().skip_while(|other| *other != line).nth(1);
    below.unwrap_or_default().trim_start()
}
