//! Are enough processes there, and not too many?

use crate::check::{Outcome, Process, Status};
use crate::host::Host;

/// The kernel keeps so many bytes of a program's name (TASK_COMM_LEN of include/linux/sched.h, less its end).
const NAME_BYTES: usize = 15;
/// Zombies are processes no more (proc_pid_stat(5)).
const ZOMBIE: &str = "Z";

pub(super) fn run(check: &Process, host: &Host) -> Outcome {
    let mut bytes = Vec::new();
    let mut count: u32 = 0;
    let listed = host.visit("/proc", |id| {
        if id.bytes().all(|byte| byte.is_ascii_digit()) && is_meant(check, host, id, &mut bytes) {
            count += 1;
        }
    });
    if let Err(error) = listed {
        return Outcome::new(Status::Unknown, error.to_string());
    }
    let enough = count >= check.min && check.max.is_none_or(|max| count <= max);
    let status = if enough { Status::Ok } else { Status::Critical };
    let wanted = match check.max {
        Some(max) => format!("{} to {max}", check.min),
        None => format!("at least {}", check.min),
    };
    let what = [("named", &check.name), ("with", &check.cmdline)];
    let what: Vec<String> =
        what.iter().filter_map(|(word, text)| Some(format!("{word} {:?}", text.as_ref()?))).collect();
    Outcome::new(status, format!("{count} processes {}, expected {wanted}", what.join(" "))).with(
        "processes",
        f64::from(count),
        "",
    )
}

/// A process that is gone before it is read is none.
fn is_meant(check: &Process, host: &Host, id: &str, bytes: &mut Vec<u8>) -> bool {
    if host.read(&format!("/proc/{id}/stat"), bytes).is_err() {
        return false;
    }
    let stat = String::from_utf8_lossy(bytes);
    // The name stands in the outermost parentheses and may hold some itself.
    let Some((name, after)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(") ")) else { return false };
    let wanted = check.name.as_deref().map(|name| &name[..name.floor_char_boundary(NAME_BYTES)]);
    if after.starts_with(ZOMBIE) || wanted.is_some_and(|wanted| wanted != name) {
        return false;
    }
    let Some(part) = &check.cmdline else { return true };
    if host.read(&format!("/proc/{id}/cmdline"), bytes).is_err() {
        return false;
    }
    bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    String::from_utf8_lossy(bytes).contains(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(processes: &[(u32, &str, &str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (id, name, state, cmdline) in processes {
            let directory = root.path().join(format!("proc/{id}"));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("stat"), format!("{id} ({name}) {state} 1 1 1 0 -1")).unwrap();
            std::fs::write(directory.join("cmdline"), cmdline.replace(' ', "\0")).unwrap();
        }
        let host = Host::captured(root.path().into(), None);
        (root, host)
    }

    #[test]
    fn processes_are_counted_by_name_and_command_line_and_zombies_are_not() {
        let (_root, host) = machine(&[
            (1, "init", "S", "/sbin/init"),
            (20, "sshd", "S", "sshd: /usr/sbin/sshd -D"),
            (21, "sshd", "S", "sshd: ana [priv]"),
            (22, "sshd", "Z", ""),
            (30, "a) S (b", "R", "x --port 1"),
            (31, "a-name-of-fifte", "R", "a-name-of-fifteen-and-more"),
        ]);
        let process = |name: Option<&str>, cmdline: Option<&str>, min, max| {
            let (name, cmdline) = (name.map(str::to_owned), cmdline.map(str::to_owned));
            let outcome = run(&Process { name, cmdline, min, max }, &host);
            (outcome.status, outcome.perfdata[0].value)
        };
        assert_eq!(process(Some("sshd"), None, 1, None), (Status::Ok, 2.0));
        assert_eq!(process(Some("sshd"), None, 2, Some(2)), (Status::Ok, 2.0));
        assert_eq!(process(Some("sshd"), None, 1, Some(1)), (Status::Critical, 2.0));
        assert_eq!(process(Some("sshd"), None, 3, None), (Status::Critical, 2.0));
        assert_eq!(process(Some("sshd"), Some("ana"), 1, None), (Status::Ok, 1.0));
        assert_eq!(process(None, Some("--port 1"), 1, None), (Status::Ok, 1.0));
        assert_eq!(process(Some("a) S (b"), None, 1, None), (Status::Ok, 1.0));
        assert_eq!(process(Some("a-name-of-fifteen-and-more"), None, 1, None), (Status::Ok, 1.0));
        assert_eq!(process(Some("nginx"), None, 1, None), (Status::Critical, 0.0));
        assert_eq!(process(Some("nginx"), None, 0, Some(0)), (Status::Ok, 0.0));
    }
}
