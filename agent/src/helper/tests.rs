use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use proptest::prelude::*;
use rustix::io::Errno;

use super::*;
use crate::host::Guarded;
use crate::host::Messages;

/// A machine with two drives, an array and a log, and tools that note how they were called.
struct World {
    home: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { home: tempfile::tempdir().unwrap() };
        for name in ["sda", "sdb", "nvme0n1"] {
            world.file(&format!("root/sys/class/block/{name}/size"), "1");
        }
        world.file("root/sys/block/md0/md/level", "raid1\n");
        world.file("root/dev/kmsg", "3,1,1,-;EDAC MC0: 1 CE\n");
        std::fs::create_dir(world.home.path().join("locks")).unwrap();
        world
    }

    fn file(&self, name: &str, text: &str) {
        let file = self.home.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn tool(&self, name: &str, script: &str) {
        let asked = self.home.path().join("asked");
        self.file(
            &format!("tools/{name}"),
            &format!("#!/bin/sh\necho {name} \"$*\" >>{}\n{script}\n", asked.display()),
        );
        let path = self.home.path().join("tools").join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// How the tools were called.
    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.home.path().join("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn serve(&self, socket: UnixStream, planned: bool) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let (host, locks) = (self.host(), self.home.path().join("locks"));
        let asker = Some(rustix::process::geteuid().as_raw());
        move || serve(socket, &Duty { host: &host, asker, planned, locks: &locks })
    }

    fn host(&self) -> Host {
        Host::captured(self.home.path().join("root"), Some(self.home.path().join("tools")))
    }

    /// What is answered to these bytes.
    fn answer(&self, request: &[u8], planned: bool) -> (Answer, Vec<u8>) {
        let (mut asks, answers) = UnixStream::pair().unwrap();
        let serving = std::thread::spawn(self.serve(answers, planned));
        // One that does not listen any more is no fault of who asks.
        let _ = asks.write_all(request);
        let _ = asks.shutdown(Shutdown::Write);
        let mut bytes = Vec::new();
        // What it did not read of a long request resets the connection, behind the answer.
        let _ = asks.read_to_end(&mut bytes);
        serving.join().unwrap().unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("an answer has a first line");
        (serde_json::from_slice(&bytes[..end]).unwrap(), bytes.split_off(end + 1))
    }

    fn refusal(&self, request: &str) -> String {
        match self.answer(request.as_bytes(), true) {
            (Answer::Refused { reason }, _) => reason,
            other => panic!("{request:?} is answered: {other:?}"),
        }
    }

    /// Listens as systemd does, once for each of `connections`.
    fn listen(&self, connections: usize) -> PathBuf {
        let path = self.home.path().join("helper.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (host, locks) = (self.host(), self.home.path().join("locks"));
        let asker = Some(rustix::process::geteuid().as_raw());
        std::thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let (host, locks) = (host.clone(), locks.clone());
                std::thread::spawn(move || {
                    serve(stream.unwrap(), &Duty { host: &host, asker, planned: false, locks: &locks })
                });
            }
        });
        path
    }
}

const SDA: &str = r#"{"drive":{"device":"sda","reached":"sat","unless_asleep":true,"asks":"everything"}}"#;

#[test]
fn a_drive_is_asked_and_what_the_tool_said_comes_back_with_its_exit_code() {
    let world = World::new();
    world.tool("smartctl", "echo '{\"smart\":1}'; exit 4");
    let (answer, body) = world.answer(format!("{SDA}\n").as_bytes(), false);
    assert_eq!(answer, Answer::Output { code: Some(4), truncated: false, bytes: 12 });
    assert_eq!(body, b"{\"smart\":1}\n");
    assert_eq!(world.asked(), ["smartctl --json=c -n standby -x -d sat /dev/sda"]);
}

#[test]
fn what_is_no_request_is_refused_and_no_tool_is_run() {
    let world = World::new();
    for tool in ["smartctl", "sh", "mdadm", "zpool", "ipmitool", "dmsetup"] {
        world.tool(tool, "");
    }
    let with = |device: &str| SDA.replace("sda", device);
    for device in [
        "../../etc/shadow",
        "/dev/sda",
        "sda;reboot",
        "sda -d test",
        "",
        ".",
        "-x",
        "sda\\u0000",
        "sda\\n",
        "SDA",
        &"a".repeat(33),
    ] {
        assert!(world.refusal(&with(device)).contains("not a name"), "{device:?}");
    }
    assert_eq!(world.refusal(&with("sdz")), "this machine has no such device");
    for text in [
        "",
        "{",
        "null",
        "[]",
        "\"shell\"",
        "{\"run\":\"id\"}",
        "{\"drive\":{}}",
        "\u{0}\u{1}\u{2}",
        "{\"bmc\":\"sdr elist all; id\"}",
        "{\"scrub_pool\":\"-a\"}",
        "{\"scrub_pool\":\"tank/../x\"}",
        &SDA.replace("everything", "-x"),
        &SDA.replace("\"sat\"", "{\"cciss\":999}"),
        &SDA.replace("\"asks\"", "\"more\":1,\"asks\""),
        &format!("{{\"check_array\":\"md0\",\"drive\":{SDA}}}"),
    ] {
        world.refusal(text);
    }
    let long = "x".repeat(100_000);
    assert_eq!(world.refusal(&long), "the request is too long");
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn who_says_nothing_or_too_slowly_is_not_waited_for() {
    let world = World::new();
    let (mut asks, answers) = UnixStream::pair().unwrap();
    world.serve(answers, false)().unwrap();
    let mut text = String::new();
    asks.read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"refused\":{\"reason\":\"no request came in time\"}}\n");
    // Each byte within the time, all of them not.
    let (mut asks, answers) = UnixStream::pair().unwrap();
    let serving = std::thread::spawn(world.serve(answers, false));
    asks.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..100 {
        let _ = asks.write_all(b" ");
        if asks.read_to_end(&mut bytes).is_ok() {
            break;
        }
    }
    serving.join().unwrap().unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
}

#[test]
fn the_agents_user_and_root_may_ask_and_nobody_else() {
    assert!(may_ask(990, Some(990)) && may_ask(0, Some(990)) && may_ask(0, None));
    assert!(!may_ask(1000, Some(990)) && !may_ask(65534, None));
}

#[test]
fn a_tool_that_hangs_is_killed_and_said_to_hang() {
    let world = World::new();
    world.tool("smartctl", "exec sleep 600");
    assert_eq!(world.answer(SDA.as_bytes(), false).0, Answer::TimedOut);
    // It left nothing behind that would keep the next one.
    world.tool("smartctl", "echo {}");
    assert!(matches!(world.answer(SDA.as_bytes(), false).0, Answer::Output { .. }));
}

#[test]
fn what_still_asks_about_a_drive_keeps_others_from_it_and_from_no_other_drive() {
    let world = World::new();
    world.tool("smartctl", "echo {}");
    let held = hold(&world.home.path().join("locks/drive-sda"), 1_000).unwrap().expect("nobody has it");
    assert_eq!(world.answer(SDA.as_bytes(), false).0, Answer::Hanging);
    assert!(matches!(world.answer(SDA.replace("sda", "sdb").as_bytes(), false).0, Answer::Output { .. }));
    drop(held);
    assert!(matches!(world.answer(SDA.as_bytes(), false).0, Answer::Output { .. }));
}

#[test]
fn an_answer_is_cut_where_the_agent_would_cut_it() {
    let world = World::new();
    world.tool("smartctl", "head -c 3000000 /dev/zero");
    let (answer, body) = world.answer(SDA.as_bytes(), false);
    assert_eq!(answer, Answer::Output { code: Some(0), truncated: true, bytes: PAYLOAD_MAX });
    assert_eq!(body.len(), PAYLOAD_MAX);
}

#[test]
fn tests_are_begun_only_where_this_machines_own_file_plans_them() {
    let world = World::new();
    world.tool("mdadm", "");
    world.tool("smartctl", "");
    for request in [r#"{"check_array":"md0"}"#, &SDA.replace("everything", "begin_long")] {
        assert!(matches!(world.answer(request.as_bytes(), false).0, Answer::Refused { .. }));
    }
    assert_eq!(world.asked(), [""; 0]);
    world.answer(br#"{"check_array":"md0"}"#, true);
    assert_eq!(world.asked(), ["mdadm --action=check /dev/md0"]);
}

/// The words with which the agent asks, as `hardware` has them: each is a request, and means the same to the helper.
#[test]
fn what_the_agent_runs_is_what_the_helper_runs() {
    for (tool, words) in [
        ("smartctl", "--json=c -n standby -x -d sat /dev/sda"),
        ("smartctl", "--json=c -x -d nvme /dev/nvme0"),
        ("smartctl", "--json=c -n standby -a -d sntrealtek /dev/sdb"),
        ("smartctl", "--json=c -i -H -A -d scsi /dev/sdaa"),
        ("smartctl", "--json=c -n standby -x -d cciss,3 /dev/sg2"),
        ("smartctl", "--json=c -n standby -x -d areca,12 /dev/sg0"),
        ("smartctl", "--json=c -n standby -c -l selftest -d sat /dev/sda"),
        ("smartctl", "--json=c -l selftest -d nvme /dev/nvme0"),
        ("smartctl", "--json=c -n standby -t short -d sat /dev/sda"),
        ("smartctl", "--json=c -t long -d nvme /dev/nvme0"),
        ("ipmitool", "sdr elist all"),
        ("ipmitool", "sel elist last 200"),
        ("ipmi-sensors", "--output-sensor-state --ignore-not-available-sensors --output-event-bitmask"),
        ("ipmi-sel", "--output-event-state --tail 200"),
        ("dmsetup", "status"),
        ("mdadm", "--action=check /dev/md127"),
        ("zpool", "scrub tank"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let request = Request::of(tool, &words).unwrap_or_else(|| panic!("{tool} {words:?} is no request"));
        let line = serde_json::to_string(&request).unwrap();
        let read: Request = serde_json::from_str(&line).unwrap();
        let expected = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(read.errand(), Errand::Run(tool, expected), "{line}");
    }
    for (tool, words) in
        [("smartctl", "--json=c --scan"), ("smartctl", "-x /dev/sda"), ("zpool", "status -p"), ("sh", "-c id")]
    {
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(Request::of(tool, &words), None);
    }
}

#[test]
fn the_agent_asks_the_helper_where_there_is_one_and_runs_the_tool_where_there_is_none() {
    let world = World::new();
    world.tool("smartctl", "echo helped; exit 2");
    let elsewhere = tempfile::tempdir().unwrap();
    let own = World::new();
    own.tool("smartctl", "echo alone");
    let asked = |host: &Host| {
        let words = ["--json=c", "-n", "standby", "-x", "-d", "sat", "/dev/sda"];
        host.run_for("sda", "smartctl", &words, 1_000, 5_000).map(|output| (output.code, output.stdout))
    };
    let absent = own.host().with_helper(&elsewhere.path().join("helper.sock"));
    assert_eq!(asked(&absent), Ok((Some(0), b"alone\n".to_vec())));
    let helped = own.host().with_helper(&world.listen(2));
    assert_eq!(asked(&helped), Ok((Some(2), b"helped\n".to_vec())));
    // What is no request of the helper's is run with the agent's own rights.
    own.tool("zpool", "echo alone");
    let output = helped.run_for("status", "zpool", &["status", "-p"], 1_000, 5_000).unwrap();
    assert_eq!(output.stdout, b"alone\n");
}

#[test]
fn a_helper_that_goes_away_or_talks_nonsense_is_an_error_and_not_a_wait() {
    for says in [&b""[..], b"\n", b"nonsense\n", b"{\"output\":{", &[0xff; 100_000]] {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("helper.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let talking = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(says);
        });
        let host = World::new().host().with_helper(&socket);
        let answer = host.run("dmsetup", &["status"], 1_000);
        assert!(
            matches!(&answer, Err(CommandError::Failed { reason, .. }) if reason.contains("does not answer")),
            "{answer:?}"
        );
        talking.join().unwrap();
    }
}

#[test]
fn many_at_once_are_answered_and_one_drive_is_asked_by_one_at_a_time() {
    let world = World::new();
    // Fails where another one is at work on the same drive.
    let busy = world.home.path().join("busy");
    world.tool(
        "smartctl",
        &format!("mkdir {0}-$7 || exit 99\nsleep 0.05\nrmdir {0}-$7\necho {{}}", busy.with_extension("").display())
            .replace("$7", "$(basename $7)"),
    );
    let socket = world.listen(8);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = |place: usize| {
            let host = world.host().with_helper(&socket);
            scope.spawn(move || {
                let path = if place.is_multiple_of(2) { "/dev/sda" } else { "/dev/sdb" };
                host.run_for(path, "smartctl", &["--json=c", "-n", "standby", "-x", "-d", "sat", path], 1_000, 5_000)
            })
        };
        let running: Vec<_> = (0..8).map(ask).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for answer in answers {
        assert_eq!(answer.unwrap().code, Some(0));
    }
}

#[test]
fn a_guarded_file_comes_open_for_reading_and_no_other_does() {
    let world = World::new();
    world.file("root/sys/class/dmi/id/product_serial", "S-1\n");
    world.file("root/etc/shadow", "root:x\n");
    let host = World::new().host().with_helper(&world.listen(4));
    let read = |path: &str| {
        let mut bytes = Vec::new();
        let mut file = Messages::opened(path, host.opened_by_helper(path, Errno::ACCESS)?);
        assert!(file.read_more(&mut bytes).unwrap());
        let written = rustix::io::write(&file, b"x");
        assert_eq!(written, Err(Errno::BADF), "{path} is open for reading alone");
        Ok::<_, HostError>(bytes)
    };
    assert_eq!(read("/dev/kmsg"), Ok(b"3,1,1,-;EDAC MC0: 1 CE\n".to_vec()));
    assert_eq!(read("/sys/class/dmi/id/product_serial"), Ok(b"S-1\n".to_vec()));
    // Not here, and none of the helper's: as without it.
    for path in ["/sys/class/dmi/id/board_serial", "/etc/shadow", "/dev/../dev/kmsg"] {
        assert!(matches!(read(path), Err(HostError::Unreadable { .. })), "{path}");
    }
    // What is not there is not asked for.
    let absent = host.opened_by_helper("/dev/kmsg", Errno::NOENT);
    assert!(matches!(absent, Err(HostError::NotPresent(_))), "{absent:?}");
}

#[test]
fn the_files_that_may_be_opened_are_these() {
    let files = [
        ("kernel_log", "/dev/kmsg"),
        ("firmware_table", "/sys/firmware/dmi/tables/DMI"),
        ("product_serial", "/sys/class/dmi/id/product_serial"),
        ("product_uuid", "/sys/class/dmi/id/product_uuid"),
        ("board_serial", "/sys/class/dmi/id/board_serial"),
        ("chassis_serial", "/sys/class/dmi/id/chassis_serial"),
    ];
    for (word, path) in files {
        let request: Request = serde_json::from_str(&format!("{{\"open\":\"{word}\"}}")).unwrap();
        assert_eq!(request.errand(), Errand::Open(path));
        assert_eq!(Request::of_file(path), Some(request));
    }
    assert!(serde_json::from_str::<Guarded>("\"/etc/shadow\"").is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail_or_run_a_tool(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let world = World::new();
        world.tool("smartctl", "");
        let (answer, _) = world.answer(&bytes, true);
        prop_assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
        prop_assert!(world.asked().is_empty());
    }
}
