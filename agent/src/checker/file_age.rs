//! Is a file there, and was it written lately?

use std::time::Duration;

use crate::check::{FileAge, Outcome, Status};
use crate::host::Host;

pub(super) fn run(check: &FileAge, host: &Host, now_s: i64) -> Outcome {
    let stat = match host.stat(&check.path) {
        Ok(stat) => stat,
        Err(error) => return Outcome::new(Status::Critical, error.to_string()),
    };
    let age_s = u64::try_from(now_s.saturating_sub(stat.modified_s)).unwrap_or(0);
    let status = check.age.judge(Duration::from_secs(age_s));
    Outcome::new(status, format!("{} was written {age_s} s ago and has {} bytes", check.path, stat.bytes))
        .with("age", age_s as f64, "s")
        .with("size", stat.bytes as f64, "B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Limits;

    #[test]
    fn the_age_is_judged_to_the_second_and_an_absent_file_is_critical() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("backup"), "done").unwrap();
        let host = Host::captured(directory.path().into(), None);
        let age = Limits { warning: Some(Duration::from_secs(60)), critical: Some(Duration::from_secs(120)) };
        let check = FileAge { path: "/backup".into(), age };
        let written_s = host.stat("/backup").unwrap().modified_s;
        let status = |age_s| run(&check, &host, written_s + age_s).status;
        assert_eq!(status(60), Status::Ok);
        assert_eq!(status(61), Status::Warning);
        assert_eq!(status(120), Status::Warning);
        assert_eq!(status(121), Status::Critical);
        assert_eq!(status(-5), Status::Ok, "a clock that was set back");
        let absent = FileAge { path: "/nothing".into(), ..check };
        assert_eq!(run(&absent, &host, written_s).status, Status::Critical);
    }
}
