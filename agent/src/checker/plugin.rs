//! Runs a Nagios plugin unchanged: its exit code is the status, its first line the headline, its performance data figures.

use crate::check::{OUTPUT_MAX, Outcome, Plugin, Status, perfdata};
use crate::host::{CommandError, Host, Program};

/// Blocks until the plugin ends or is killed.
pub(super) fn run(plugin: &Plugin, host: &Host, deadline_ms: u64) -> Outcome {
    let Some((path, arguments)) = plugin.command.split_first() else {
        return Outcome::new(Status::Unknown, "the plugin has no program");
    };
    let program = Program { path, arguments, user: plugin.user.as_deref(), output_max: OUTPUT_MAX };
    match host.run_program(&program, deadline_ms) {
        Ok(output) => {
            let (text, data) = perfdata::parse(&String::from_utf8_lossy(&output.stdout));
            Outcome { perfdata: data, ..judge(output.code, &text) }
        }
        Err(CommandError::TimedOut { after_ms, .. }) => {
            Outcome::new(Status::Unknown, format!("the plugin had not ended after {after_ms} ms and was killed"))
        }
        Err(error) => Outcome::new(Status::Unknown, error.to_string()),
    }
}

/// Only 0 to 3 are outcomes; 126 and 127 are a shell's, and who was killed has none.
fn judge(code: Option<i32>, text: &str) -> Outcome {
    let text = if text.is_empty() { "the plugin printed nothing" } else { text };
    let status = match code {
        Some(0) => Status::Ok,
        Some(1) => Status::Warning,
        Some(2) => Status::Critical,
        Some(3) => Status::Unknown,
        Some(code) => return Outcome::new(Status::Unknown, format!("{text}\nexit code {code} is no plugin's")),
        None => return Outcome::new(Status::Unknown, format!("{text}\nthe plugin died of a signal")),
    };
    Outcome::new(status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline_ms: u64) -> Outcome {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        run(&Plugin { command, user: None }, &Host::live(), deadline_ms)
    }

    #[test]
    fn exit_codes_are_the_status_and_all_others_are_unknown() {
        for (code, status) in [
            (0, Status::Ok),
            (1, Status::Warning),
            (2, Status::Critical),
            (3, Status::Unknown),
            (4, Status::Unknown),
            (126, Status::Unknown),
            (127, Status::Unknown),
        ] {
            let outcome = shell(&format!("echo 'TEXT|a=1s'; exit {code}"), 10_000);
            assert_eq!((outcome.status, outcome.perfdata.len()), (status, 1), "{code}");
            assert!(outcome.output.starts_with("TEXT"), "{outcome:?}");
        }
        assert_eq!(shell("kill -9 $$", 10_000).status, Status::Unknown);
    }

    #[test]
    fn what_it_finds_is_a_bare_environment_and_no_input() {
        let outcome = shell("env | sort | grep -v -e ^_= -e ^PWD= -e ^SHLVL= -e ^OLDPWD=; cat", 10_000);
        assert_eq!(outcome.output, "HOME=/\nLANG=C\nPATH=/usr/bin:/bin:/usr/sbin:/sbin");
    }

    #[test]
    fn it_has_none_of_the_agents_own_rights() {
        use rustix::thread::{CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities};
        let outcome = std::thread::spawn(|| {
            // As the unit gives it; without root there is nothing to give.
            let right = CapabilitySet::DAC_READ_SEARCH;
            if let Ok(mut own) = capabilities(None) {
                own.inheritable |= right;
                let given = set_capabilities(None, own).and_then(|()| configure_capability_in_ambient_set(right, true));
                assert!(given.is_ok() || !rustix::process::geteuid().is_root(), "{given:?}");
            }
            shell("grep CapAmb /proc/self/status", 10_000)
        });
        assert_eq!(outcome.join().unwrap().output, "CapAmb:\t0000000000000000");
    }

    #[test]
    fn of_endless_output_8_kib_are_kept_and_standard_error_is_ignored() {
        let outcome = shell("echo wrong >&2; yes '<b>' | head -c 3000000; exit 1", 20_000);
        assert_eq!(outcome.status, Status::Warning);
        assert!(
            outcome.output.len() <= OUTPUT_MAX && outcome.output.len() > OUTPUT_MAX - 8,
            "{}",
            outcome.output.len()
        );
        assert!(!outcome.output.contains("wrong"));
    }

    #[test]
    fn who_hangs_is_killed_with_its_children_and_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("child");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let outcome = shell(&script, 3_000);
        assert_eq!(outcome.status, Status::Unknown);
        assert!(outcome.output.contains("3000 ms"), "{outcome:?}");
        let child = std::fs::read_to_string(&file).unwrap();
        // A killed child is nobody's zombie for long: it is gone, or waits for init to take its exit status. Dying takes
        // as long as the kernel needs to look at it again.
        let is_alive = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        let end_ns = crate::clock::boottime_ns() + 5_000_000_000;
        while is_alive() {
            assert!(crate::clock::boottime_ns() < end_ns, "{child} lives");
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_ends_while_a_child_of_its_keeps_the_output_has_ended() {
        let outcome = shell("sleep 20 & echo done", 10_000);
        assert_eq!((outcome.status, outcome.output.as_str()), (Status::Ok, "done"));
    }

    #[test]
    fn a_program_that_is_not_there_is_unknown_and_named() {
        let plugin = Plugin { command: vec!["/nonexistent/check_x".into()], user: None };
        let outcome = run(&plugin, &Host::live(), 1_000);
        assert_eq!(outcome.status, Status::Unknown);
        assert!(outcome.output.contains("/nonexistent/check_x"), "{outcome:?}");
        let plugin = Plugin { command: vec!["/bin/true".into()], user: Some("no-such-user".into()) };
        assert!(run(&plugin, &Host::live(), 1_000).output.contains("no-such-user"));
    }
}
