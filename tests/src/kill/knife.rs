//! Kills a process at an exact step, without its help: it is asked from outside, of the kernel and of its store, where
//! it is, and the lock with which it records is held where it must not record.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_agent::clock::boottime_ns;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// No step takes longer than this.
const WITHIN_NS: u64 = 5_000_000_000;
/// Numbers of `nanosleep` and `clock_nanosleep` (x86-64, then the other architectures).
const SLEEPS: [&str; 4] = ["35", "230", "101", "115"];
/// The collector's thread that writes `state.db`, as the kernel cuts its name.
const WRITER: &str = "write state.db";

/// A page as it is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) receiver: String,
    pub(crate) kind: String,
    pub(crate) delivery: String,
    /// Tries that are recorded.
    pub(crate) tries: usize,
}

/// One collector under the knife.
#[derive(Debug, Clone)]
pub(crate) struct Knife {
    pid: Pid,
    state: PathBuf,
}

impl Knife {
    pub(crate) fn new(pid: i32, state: &Path) -> Result<Self> {
        Ok(Self { pid: Pid::from_raw(pid).context("a process id")?, state: state.join("state.db") })
    }

    pub(crate) fn kill(&self) {
        // Gone is as good.
        let _ = kill_process(self.pid, Signal::KILL);
    }

    /// It does nothing more until it is killed.
    pub(crate) fn stop(&self) -> Result<()> {
        kill_process(self.pid, Signal::STOP)?;
        within(|| self.stat().contains(") T "), "it stops")
    }

    fn stat(&self) -> String {
        fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).unwrap_or_default()
    }

    /// Whether the thread that records waits for somebody's lock: it sleeps on a clock, else on its queue.
    pub(crate) fn waits_to_record(&self) -> Result<bool> {
        let tasks = format!("/proc/{}/task", self.pid.as_raw_nonzero());
        for task in fs::read_dir(tasks)?.flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            if read("comm").trim() == WRITER {
                return Ok(SLEEPS.contains(&read("syscall").split(' ').next().unwrap_or_default()));
            }
        }
        Ok(false)
    }

    /// Takes the lock with which records are written, until what is returned is dropped.
    pub(crate) fn lock(&self) -> Result<Connection> {
        let connection = Connection::open(&self.state)?;
        // What a crash left is for the collector to find, not to be put right by us.
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(connection)
    }

    fn reader(&self) -> Result<Connection> {
        let connection = Connection::open_with_flags(&self.state, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }

    /// A look into the records that can be taken again and again.
    pub(crate) fn records(&self) -> Result<Records> {
        Ok(Records(self.reader()?))
    }
}

/// The records as they are now.
pub(crate) struct Records(Connection);

impl Records {
    /// The pages about this alert.
    pub(crate) fn pages(&self, name: &str) -> Result<Vec<Kept>> {
        let mut found = self.0.prepare_cached(
            "SELECT p.receiver, p.delivery, p.body, (SELECT count(*) FROM attempt a WHERE a.page = p.id) FROM page p \
             WHERE p.id > (SELECT max(id) FROM page) - 100 ORDER BY p.id",
        )?;
        let rows = found.query_map([], |row| {
            let text = |at: usize| row.get::<_, String>(at);
            Ok((text(0)?, text(1)?, text(2)?, row.get::<_, i64>(3)?))
        })?;
        let mut pages = Vec::new();
        for row in rows {
            let (receiver, delivery, body, tries) = row?;
            let body: Value = serde_json::from_str(&body)?;
            if body["component"] == name {
                let kind = body["kind"].as_str().unwrap_or_default().to_owned();
                let delivery = delivery.trim_matches('"').to_owned();
                pages.push(Kept { receiver, kind, delivery, tries: tries as usize });
            }
        }
        Ok(pages)
    }

    /// The keys of all incidents that were opened for this alert.
    pub(crate) fn incidents(&self, name: &str) -> Result<Vec<String>> {
        let mut found = self.0.prepare_cached("SELECT body FROM incident ORDER BY no DESC LIMIT 100")?;
        let bodies = found.query_map([], |row| row.get::<_, String>(0))?;
        let mut keys = Vec::new();
        for body in bodies {
            let body: Value = serde_json::from_str(&body?)?;
            if body["component"] == name {
                keys.push(body["key"].as_str().unwrap_or_default().to_owned());
            }
        }
        Ok(keys)
    }

    /// How many tries of a page are recorded.
    pub(crate) fn tries(&self, page: i64) -> Result<usize> {
        let mut counted = self.0.prepare_cached("SELECT count(*) FROM attempt WHERE page = ?1")?;
        Ok(counted.query_row([page], |row| row.get::<_, i64>(0))? as usize)
    }
}

/// Bytes that have arrived and were not read at port `own` of the connection with port `other`, as the kernel tells it;
/// nothing once that connection is over.
pub(crate) fn unread(own: u16, other: u16) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let ends = (format!("0100007F:{own:04X}"), format!("0100007F:{other:04X}"));
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if fields.get(1) != Some(&&*ends.0) || fields.get(2) != Some(&&*ends.1) {
            return None;
        }
        let (_, unread) = fields.get(4)?.split_once(':')?;
        u64::from_str_radix(unread, 16).ok()
    })
}

/// Waits for what comes within microseconds.
pub(crate) fn within(mut reached: impl FnMut() -> bool, what: &str) -> Result<()> {
    let from_ns = boottime_ns();
    while !reached() {
        ensure!(boottime_ns() - from_ns < WITHIN_NS, "not in time: {what}");
    }
    Ok(())
}
