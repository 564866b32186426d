//! The collector as a process, with a state of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::faketime;
use crate::http::{self, Answer};
use crate::power::trace::traced;
use crate::process::{Process, Said, free_port, program, run};
use crate::wait::eventually;

/// Starting loads a store of at most a few hosts; a busy machine with two cores needs most of it.
const START: Duration = Duration::from_secs(30);

/// An entry of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its first instant, milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// The first instant after it.
    pub to_ms: i64,
    /// What was observed: `up`, `down`, `unreachable`, `collector_down`, `unknown`.
    pub state: String,
    /// Why, as JSON.
    pub cause: String,
    /// What proves it.
    pub evidence: String,
}

/// A running collector, or one that was stopped and can be started again on the same state and ports.
#[derive(Debug)]
pub struct Collector {
    home: TempDir,
    process: Option<Process>,
    /// The port of the views.
    pub http: u16,
    /// The port for agents.
    pub grpc: u16,
    /// The address at which it listens for agents: all of IPv4, unless said otherwise before [`Collector::configure`].
    pub listen: &'static str,
    program: PathBuf,
    /// What its wall clock says, if something else than this machine's: see [`faketime::set`].
    pub clock: Option<String>,
    /// The socket on which it tells systemd how it is (`sd_notify`), if anybody listens.
    pub notify: Option<PathBuf>,
    /// The file in which `strace` notes what it does to files, if anybody wants to know: see [`crate::power::trace`].
    pub traced: Option<PathBuf>,
}

impl Collector {
    /// Starts one with its defaults on ports of its own, plus these lines of `collector.toml` (tables only).
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(tables: &str) -> Self {
        let mut collector = Self::prepare(tables);
        collector.run().await;
        collector
    }

    /// The same, not started yet.
    ///
    /// # Panics
    /// When no directory can be made.
    #[must_use]
    pub fn prepare(tables: &str) -> Self {
        let home = TempDir::new().expect("a directory");
        let (http, grpc) = (free_port(), free_port());
        let program = program("muster-collector");
        let listen = "0.0.0.0";
        let collector =
            Self { home, process: None, http, grpc, listen, program, clock: None, notify: None, traced: None };
        collector.configure(tables);
        collector
    }

    /// Writes `collector.toml` anew; it is read at the next start.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, tables: &str) {
        let (http, grpc, listen, state) = (self.http, self.grpc, self.listen, self.state());
        let text = format!(
            "state = \"{}\"\n[grpc]\nlisten = \"{listen}:{grpc}\"\naddresses = [\"127.0.0.1:{grpc}\"]\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n{tables}\n",
            state.display()
        );
        std::fs::write(self.config(), text).expect("a file in a directory of our own");
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn run(&mut self) {
        let mut process = self.spawn();
        let (url, socket) = (self.url("/-/ready"), self.state().join("api.sock"));
        let ready = || async { http::get(&url).await.filter(|answer| answer.status == 200 && socket.exists()) };
        process.ready(START, ready).await;
        self.process = Some(process);
    }

    /// Starts it and waits for nothing.
    pub fn spawn(&self) -> Process {
        let mut command = match &self.traced {
            Some(file) => traced(&self.program, file),
            None => Command::new(&self.program),
        };
        command.args(["serve", "--config"]).arg(self.config());
        if let Some(clock) = &self.clock {
            faketime::set(&mut command, clock);
        }
        if let Some(socket) = &self.notify {
            command.env("NOTIFY_SOCKET", socket);
        }
        Process::start("the collector", &mut command, &self.log_file())
    }

    /// The running process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the story started the collector")
    }

    /// Kills it (SIGKILL), as a crash would.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Asks it to stop and returns its exit code.
    ///
    /// # Panics
    /// When it does not run or does not stop.
    pub async fn stop(&mut self) -> i32 {
        self.process.take().expect("the story started the collector").stop().await
    }

    /// Its state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// A directory that goes with it.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.home.path().join("collector.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("collector.log")
    }

    /// All it said so far, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Where agents of this machine dial.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.grpc)
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    /// Asks for a path.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Answer {
        let answer = http::get(&self.url(path)).await;
        answer.unwrap_or_else(|| panic!("the collector does not answer {path}\n{}", self.log()))
    }

    /// Runs an operator's command on it.
    pub async fn try_cli(&self, arguments: &[&str]) -> Said {
        run(Command::new(&self.program).args(arguments).arg("--state").arg(self.state())).await
    }

    /// Runs an operator's command and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn cli(&self, arguments: &[&str]) -> String {
        let said = self.try_cli(arguments).await;
        assert_eq!(said.code, 0, "muster-collector {arguments:?}: {}\n{}", said.err, self.log());
        said.out.trim().to_owned()
    }

    /// A single-use token for a server at this watch level.
    pub async fn token(&self, watch: &str) -> String {
        self.cli(&["token", "create", "--kind", "single", "--class", "server", "--watch", watch]).await
    }

    /// All hosts, as the API lists them.
    pub async fn hosts(&self) -> Vec<Value> {
        let url = self.url("/api/v1/hosts");
        let answer = http::get(&url).await;
        answer.filter(|answer| answer.status == 200).map(|answer| list(&answer.json())).unwrap_or_default()
    }

    /// All incidents, newest first.
    pub async fn incidents(&self) -> Vec<Value> {
        list(&self.get("/api/v1/incidents").await.json())
    }

    /// Waits until a host is in a state.
    ///
    /// # Panics
    /// When it is not in time.
    pub async fn host_is(&self, host: &str, state: &str, within: Duration) -> Value {
        let what = format!("{host} is {state}");
        let host_in_state = || async {
            let hosts = self.hosts().await;
            hosts.into_iter().find(|found| (found["id"] == host || found["name"] == host) && found["state"] == state)
        };
        eventually(&what, within, host_in_state).await
    }

    /// How many records its hosts have sent, all lives of their spools together.
    ///
    /// # Panics
    /// When the store cannot be read.
    #[must_use]
    pub fn received(&self) -> i64 {
        use rusqlite::OpenFlags;
        let file = self.state().join("facts.db");
        let file = rusqlite::Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let file = file.expect("the store is a database");
        let sum = "SELECT coalesce(sum(through), 0) FROM received";
        file.query_row(sum, [], |row| row.get(0)).expect("a table of the store")
    }

    /// The records of one kind that its store has, oldest first.
    ///
    /// # Panics
    /// When its store cannot be read.
    #[must_use]
    pub fn facts(&self, kind: &str) -> Vec<Value> {
        use rusqlite::OpenFlags;
        let file = self.state().join("facts.db");
        let store = rusqlite::Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let store = store.expect("the store is a database");
        let mut rows = store.prepare("SELECT body FROM fact WHERE kind = ?1 ORDER BY at_ms, sequence").expect("facts");
        let bodies = rows.query_map([kind], |row| row.get::<_, String>(0)).expect("facts have bodies");
        bodies.map(|body| serde_json::from_str(&body.expect("a text")).expect("a body is JSON")).collect()
    }

    /// What the ledger of a host says, as its store has it: standing entries by time. What is observed now is not in it.
    ///
    /// # Panics
    /// When its store cannot be read.
    #[must_use]
    pub fn ledger(&self, host: &str) -> Vec<Entry> {
        use rusqlite::OpenFlags;
        let file = self.state().join("state.db");
        let store = rusqlite::Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let store = store.expect("the store is a database");
        let sql = "SELECT from_ms, to_ms, state, cause, evidence FROM span AS entry
                   WHERE host = (SELECT no FROM host WHERE id = ?1) AND NOT EXISTS
                   (SELECT 1 FROM span AS other WHERE other.host = entry.host AND other.replaces = entry.n)
                   ORDER BY from_ms, n";
        let mut rows = store.prepare(sql).expect("spans");
        let entry = |row: &rusqlite::Row<'_>| {
            let (from_ms, to_ms, state) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Entry { from_ms, to_ms, state, cause: row.get(3)?, evidence: row.get(4)? })
        };
        let entries = rows.query_map([host], entry).expect("entries");
        entries.map(|entry| entry.expect("an entry")).collect()
    }

    /// The value of one of its own or the fleet's metrics.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let answer = http::get(&self.url("/metrics")).await?;
        http::samples(&answer.body).get(series).copied()
    }

    /// The sum of a family over all its labels.
    pub async fn metric_sum(&self, family: &str, label: &str) -> f64 {
        let Some(answer) = http::get(&self.url("/metrics")).await else { return 0.0 };
        let fits = |name: &str| name.split('{').next() == Some(family) && name.contains(label);
        http::samples(&answer.body).iter().filter(|(name, _)| fits(name)).map(|(_, value)| value).sum()
    }
}

fn list(answer: &Value) -> Vec<Value> {
    answer["items"].as_array().cloned().unwrap_or_default()
}
