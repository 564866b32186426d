use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::channel;

use super::*;

fn script(directory: &Path, name: &str, body: &str) {
    let path = directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_missing_file_is_not_present_and_not_a_failure() {
    let error = Host::live().read_text("/proc/there-is-no-such-file").unwrap_err();
    assert_eq!(error, HostError::NotPresent("/proc/there-is-no-such-file".to_owned()));
}

#[test]
fn a_kept_file_is_read_anew_each_time() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("value"), "1\n").unwrap();
    let host = Host::captured(root.path().into(), None);
    let mut bytes = Vec::new();
    host.read_kept("/value", &mut bytes).unwrap();
    assert_eq!(bytes, b"1\n");
    std::fs::write(root.path().join("value"), "22\n").unwrap();
    host.read_kept("/value", &mut bytes).unwrap();
    assert_eq!(bytes, b"22\n");
}

#[test]
fn a_long_file_is_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let long = "x".repeat(READ_FIRST * 5 + 7);
    std::fs::write(root.path().join("long"), &long).unwrap();
    assert_eq!(Host::captured(root.path().into(), None).read_text("/long").unwrap().len(), long.len());
}

#[test]
fn a_capture_answers_statfs_and_uname_from_its_json_and_has_no_tools_of_ours() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::captured(root.path().into(), None);
    assert!(matches!(host.uname(), Err(HostError::NotPresent(_))));
    assert_eq!(host.statfs("/", 1000), Err(HostError::NotPresent("/".to_owned()).into()));
    std::fs::create_dir(root.path().join(".muster")).unwrap();
    std::fs::write(root.path().join(".muster/uname.json"), r#"{"sysname":"Linux","nodename":"n"}"#).unwrap();
    std::fs::write(root.path().join(".muster/statfs.json"), r#"{"/":{"block_bytes":4096,"blocks":10}}"#).unwrap();
    assert_eq!(host.uname().unwrap().nodename, "n");
    assert_eq!(host.statfs("/", 1000).unwrap().blocks, 10);
    assert!(host.tool("sh").is_none());
}

#[test]
fn a_tool_runs_without_our_environment_and_its_output_comes_back() {
    let commands = tempfile::tempdir().unwrap();
    script(commands.path(), "say", r#"echo "$1 ${HOME:-none}"; exit 3"#);
    let host = Host::captured("/".into(), Some(commands.path().into()));
    let output = host.run("say", &["hello; world"], 10_000).unwrap();
    assert_eq!((output.code, output.stdout.as_slice()), (Some(3), b"hello; world none\n".as_slice()));
    assert_eq!(host.run("absent", &[], 10_000), Err(CommandError::NotPresent("absent".to_owned())));
}

#[test]
fn a_tool_that_does_not_end_is_killed_with_its_children() {
    let commands = tempfile::tempdir().unwrap();
    let child = commands.path().join("child");
    script(commands.path(), "hang", &format!("sleep 1000 & echo $! >{}; sleep 1000", child.display()));
    let host = Host::captured("/".into(), Some(commands.path().into()));
    // On a busy machine it may be killed before it has a child.
    let has_child = |_: &_| std::fs::read_to_string(&child).is_ok_and(|pid| pid.ends_with('\n'));
    let error = std::iter::repeat_with(|| host.run("hang", &[], 50)).find(has_child).unwrap().unwrap_err();
    assert_eq!(error, CommandError::TimedOut { tool: "hang".to_owned(), after_ms: 50 });
    // What is left of the killed waits for its parent, until that has looked.
    let pid = std::fs::read_to_string(&child).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    assert!(std::iter::repeat_with(stat).take(100_000).any(|stat| stat.is_err() || stat.unwrap().contains(") Z ")));
    // It is gone, so it may be started again.
    assert!(matches!(host.run("hang", &[], 50), Err(CommandError::TimedOut { .. })));
}

#[test]
fn output_beyond_the_cap_is_dropped_and_said() {
    let commands = tempfile::tempdir().unwrap();
    script(commands.path(), "flood", "head -c 2000000 /dev/zero");
    let output = Host::captured("/".into(), Some(commands.path().into())).run("flood", &[], 10_000).unwrap();
    assert_eq!((output.stdout.len(), output.truncated, output.code), (1024 * 1024, true, Some(0)));
}

#[test]
fn a_hung_mount_is_stuck_until_its_call_returns_and_delays_no_other() {
    let (release, hold) = channel::<()>();
    let hold = Mutex::new(hold);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let host = Host::with_statfs(
        None,
        Box::new(move |path| {
            lock(&seen).push(path.to_owned());
            if path == "/hung" {
                lock(&hold).recv().unwrap();
            }
            Ok(FsStat { blocks: 7, ..FsStat::default() })
        }),
    );
    let Err(MountError::Stuck { since_ms }) = host.statfs("/hung", 20) else { panic!("it answered") };
    assert_eq!(host.statfs("/fine", 10_000).unwrap().blocks, 7);
    assert_eq!(host.clone().statfs("/hung", 20), Err(MountError::Stuck { since_ms }));
    assert_eq!(*lock(&asked), ["/hung", "/fine"], "a stuck mount is not asked again");
    release.send(()).unwrap();
    // The hung call answers now; asked again, the mount is asked anew and (released) answers.
    release.send(()).unwrap();
    let answer = std::iter::repeat_with(|| host.statfs("/hung", 1000)).find(Result::is_ok).unwrap();
    assert_eq!(answer.unwrap().blocks, 7);
}

#[test]
fn of_many_hung_mounts_only_so_many_hold_a_thread() {
    let (release, hold) = channel::<()>();
    let hold = Mutex::new(hold);
    let asked = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&asked);
    let hangs = move |_: &str| {
        *lock(&seen) += 1;
        let _ = lock(&hold).recv();
        Ok(FsStat::default())
    };
    let host = Host::with_statfs(None, Box::new(hangs));
    let answers: Vec<_> = (0..40).map(|n| host.statfs(&format!("/export/{n}"), 1)).collect();
    let stuck = answers.iter().take_while(|answer| matches!(answer, Err(MountError::Stuck { .. }))).count();
    assert_eq!(stuck, 32);
    for answer in &answers[stuck..] {
        let Err(MountError::Host(error)) = answer else { panic!("{answer:?}") };
        assert!(error.to_string().contains("not asked: 32 mounts hang already"), "{error}");
    }
    drop(release);
    // With the server back the threads end in their own time, and all are asked.
    let mut answers = std::iter::repeat_with(|| (0..40).all(|n| host.statfs(&format!("/export/{n}"), 10_000).is_ok()));
    assert!(answers.any(|all| all) && *lock(&asked) >= 32 + 40);
}

#[test]
fn a_boot_id_is_sixteen_bytes() {
    assert_eq!(parse_uuid("00010203-0405-0607-0809-0a0b0c0d0eff").unwrap()[15], 0xff);
    assert_eq!(parse_uuid("short"), None);
    assert_ne!(Host::live().boot_id(), [0; 16]);
}

#[test]
fn a_record_longer_than_the_buffer_is_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::captured(root.path().into(), None);
    for length in [0, 1, WHOLE_BELOW, READ_FIRST, READ_FIRST + 1, READ_FIRST * 3] {
        std::fs::write(root.path().join("record"), "x".repeat(length)).unwrap();
        let mut bytes = Vec::new();
        host.read_record("/record", &mut bytes).unwrap();
        assert_eq!(bytes.len(), length);
    }
}

#[test]
fn lines_of_a_long_file_come_one_by_one() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::captured(root.path().into(), None);
    let lines = |text: &str, most: usize| {
        std::fs::write(root.path().join("lines"), text).unwrap();
        let mut seen = Vec::new();
        let visit = |line: &str| {
            seen.push(line.to_owned());
            seen.len() < most
        };
        host.each_line("/lines", visit).unwrap();
        seen
    };
    let long: Vec<String> = (0..5000).map(|number| format!("line {number}")).collect();
    assert_eq!(lines(&(long.join("\n") + "\n"), usize::MAX), long);
    assert_eq!(lines("a\n\nb", usize::MAX), ["a", "", "b"], "the last line may lack its end");
    assert_eq!(lines("a\nb\nc\n", 2), ["a", "b"], "as long as the visitor wants");
    assert_eq!(lines("", usize::MAX), [""; 0]);
    let endless = format!("a\n{}\nb\n", "x".repeat(1024 * 1024));
    assert!(lines(&endless, usize::MAX).iter().all(|line| line.len() < 128 * 1024), "a line without end is bounded");
}

#[test]
fn a_fact_is_read_anew_for_another_version() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::captured(root.path().into(), None);
    let write = |text: &str| std::fs::write(root.path().join("fact"), text).unwrap();
    write("1");
    assert_eq!(host.fact_of("/fact", 1).as_deref(), Some("1"));
    write("2");
    assert_eq!(host.fact_of("/fact", 1).as_deref(), Some("1"));
    assert_eq!(host.fact_of("/fact", 2).as_deref(), Some("2"));
    host.forget_facts();
    write("3");
    assert_eq!(host.fact_of("/fact", 2).as_deref(), Some("3"));
}

#[test]
fn the_live_clock_says_how_it_is_disciplined() {
    let timex = Host::live().adjtimex().unwrap();
    // A tick is 10 ms, give or take what adjtimex(2) allows.
    assert!((9_000..=11_000).contains(&timex.tick), "{timex:?}");
    assert!((0..=5).contains(&timex.state), "{timex:?}");
}

#[test]
fn what_says_when_it_changes_is_read_only_then() {
    let host = Host::live();
    let mut made = 0;
    let mut digest = || {
        host.digest("/proc/self/mountinfo", |text| {
            made += 1;
            Ok::<_, HostError>(format!("{} {}", made, text.lines().count() > 0))
        })
        .unwrap()
    };
    assert_eq!([&*digest(), &*digest(), &*digest()], ["1 true"; 3], "mounts of this process do not change meanwhile");
    host.forget_facts();
    assert_eq!(&*host.digest("/proc/self/mountinfo", |_| Ok::<_, HostError>("anew".to_owned())).unwrap(), "anew");

    let root = tempfile::tempdir().unwrap();
    let captured = Host::captured(root.path().into(), None);
    for text in ["a", "b"] {
        std::fs::write(root.path().join("file"), text).unwrap();
        let digest = captured.digest("/file", |text| Ok::<_, HostError>(text.to_owned())).unwrap();
        assert_eq!(&*digest, text, "a capture cannot say when it changes");
    }
}
