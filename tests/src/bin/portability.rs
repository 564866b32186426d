//! The agent on Windows and macOS: type-checked for three targets, built for Windows and run there under wine
//!
//! `portability`
//!
//! It needs no released programs: the collector is that of `deploy/build --dev`, or of `MUSTER_BIN_DIR`. Debian's
//! `rustc-web` brings the sources of std, which is built for each target; its packages are unpacked below
//! `target/portability`, not installed. What wine shows is that the program starts, keeps its state and talks: it has no
//! service manager worth the name, no disks and no access lists of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use muster_tests::process::{Process, root, run};
use muster_tests::{Collector, eventually, http};
use serde_json::Value;
use tokio::process::Command;

/// What rustc of another system's std is made of; they conflict with an installed Rust, so they are only unpacked.
const PACKAGES: [&str; 5] = ["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.96", "rust-web-src", "libllvm22"];
const WINDOWS: &str = "x86_64-pc-windows-gnu";
const MACS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-apple-darwin"];
/// What ring's C would be compiled with; a type-check links nothing.
const NO_COMPILER: &str = "#!/bin/sh\nfor word; do [ \"$last\" = -o ] && : > \"$word\"; last=$word; done\nexit 0\n";
/// Windows 10 has it and wine 8.0 has not; std asks it for random numbers.
const RANDOM: &str = "#include <windows.h>\nBOOLEAN NTAPI SystemFunction036(PVOID, ULONG);\n\
    __declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE into, SIZE_T length) {\n    \
    return SystemFunction036(into, (ULONG)length);\n}\n";
/// A cold build of everything on two busy cores.
const BUILD: Duration = Duration::from_secs(5_400);
/// wine makes its prefix in ten seconds, on a busy machine more.
const WINE: Duration = Duration::from_secs(180);
/// From the start to the first readings.
const UP: Duration = Duration::from_secs(90);
/// Families that rules and pages of the collector, and dashboards of Windows, read; wine has no volumes and interfaces that
/// sysinfo finds.
const FAMILIES: [&str; 8] = [
    "node_boot_time_seconds",
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_uname_info",
    "windows_cpu_time_total",
    "windows_memory_physical_free_bytes",
    "windows_os_info",
];

/// Sections, and how they are known under wine, which names no volume and no interface.
const SECTIONS: [(&str, &str); 7] = [
    ("system", "complete, with rows"),
    ("os", "complete, with rows"),
    ("cpu", "complete, with rows"),
    ("volumes", "unreadable"),
    ("interfaces", "unreadable"),
    ("users", "unreadable"),
    ("services", "unreadable"),
];

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = Table::default();
    runtime.block_on(measure(&mut table));
    let wrong = table.wrong;
    if wrong == 0 { Ok(()) } else { Err(std::io::Error::other(format!("{wrong} are not as expected"))) }
}

/// The table as it is printed, and how much of it is not as expected.
#[derive(Default)]
struct Table {
    wrong: usize,
}

impl Table {
    #[expect(clippy::print_stdout, reason = "a measurement's table is its output")]
    fn say(&mut self, what: &str, expected: &str, seen: &str) {
        let mark = if expected == seen { "" } else { "   <-- NOT AS EXPECTED" };
        self.wrong += usize::from(expected != seen);
        println!("{what:58}  {expected:24}  {seen}{mark}");
    }
}

async fn measure(table: &mut Table) {
    let home = root().join("target/portability");
    std::fs::create_dir_all(&home).expect("a directory of our own");
    let tools = Tools::at(&home).await;
    for target in MACS {
        let outcome = tools.cargo(target, &["check", "--bins"]).await;
        table.say(&format!("cargo check --target {target}"), "fine", &outcome);
    }
    let outcome = tools.cargo(WINDOWS, &["build", "--bins"]).await;
    table.say(&format!("cargo build --target {WINDOWS}"), "fine", &outcome);
    if outcome == "fine" {
        let wine = Wine::start(&home).await;
        under_wine(table, &wine).await;
    }
}

/// The unpacked toolchain.
struct Tools {
    home: PathBuf,
}

impl Tools {
    async fn at(home: &Path) -> Self {
        let (tree, rustc) = (home.join("toolchain"), home.join("rustc.sh"));
        if !rustc.exists() {
            let packages = home.join("packages");
            std::fs::create_dir_all(&packages).expect("a directory of our own");
            must(Command::new("apt-get").arg("download").args(PACKAGES).current_dir(&packages)).await;
            for package in std::fs::read_dir(&packages).expect("just made").flatten() {
                must(Command::new("dpkg").arg("-x").arg(package.path()).arg(&tree)).await;
            }
            let lib = tree.join("usr/lib/x86_64-linux-gnu");
            let program = tree.join("usr/bin/rustc");
            let script = format!("#!/bin/sh\nLD_LIBRARY_PATH={} exec {} \"$@\"\n", lib.display(), program.display());
            script_at(&home.join("no-compiler.sh"), NO_COMPILER);
            script_at(&rustc, &script);
        }
        Self { home: home.to_path_buf() }
    }

    /// `fine`, or the last error.
    async fn cargo(&self, target: &str, words: &[&str]) -> String {
        let mut cargo = Command::new("cargo");
        cargo.args(["-Z", "build-std=std,panic_abort"]).args(words).args(["--locked", "-p", "muster-agent"]);
        cargo.args(["--target", target, "--config", "profile.dev.panic=\"abort\""]);
        cargo.arg("--target-dir").arg(&self.home).current_dir(root());
        cargo.env("RUSTC", self.home.join("rustc.sh")).env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS");
        // Cargo of rustup would look for another rustc.
        cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTDOC");
        if target != WINDOWS {
            let none = self.home.join("no-compiler.sh");
            let name = target.replace('-', "_");
            cargo.env(format!("CC_{name}"), &none).env(format!("AR_{name}"), &none);
        }
        let began = tokio::time::Instant::now();
        let ended = cargo.stdin(Stdio::null()).kill_on_drop(true).output();
        let Ok(output) = tokio::time::timeout(BUILD, ended).await else { return "no end".to_owned() };
        let output = output.unwrap_or_else(|error| panic!("cargo cannot be started: {error}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        note(&format!("{target}: {} s\n", began.elapsed().as_secs()));
        if output.status.success() {
            return "fine".to_owned();
        }
        note(&said);
        said.lines().rfind(|line| line.starts_with("error")).unwrap_or("failed").to_owned()
    }
}

/// wine with a home of its own, and the program in it.
struct Wine {
    prefix: PathBuf,
    program: PathBuf,
    log: PathBuf,
}

impl Wine {
    async fn start(home: &Path) -> Self {
        let folder = home.join(WINDOWS).join("debug");
        let (source, stub) = (home.join("random.c"), folder.join("bcryptprimitives.dll"));
        std::fs::write(&source, RANDOM).expect("a directory of our own");
        let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
        must(compiler.args(["-shared", "-o"]).arg(&stub).arg(&source).arg("-ladvapi32")).await;
        let wine =
            Self { prefix: home.join("wine"), program: folder.join("muster-agent.exe"), log: home.join("wine.log") };
        // A prefix of another run would have its host's identity.
        let _ = std::fs::remove_dir_all(&wine.prefix);
        let _ = std::fs::remove_file(&wine.log);
        let made = wine.command("wineboot").arg("--init").output();
        let made = tokio::time::timeout(WINE, made).await.expect("wine makes its prefix in time");
        assert!(made.is_ok_and(|made| made.status.success()), "wineboot --init");
        wine
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("/usr/lib/wine/wine64");
        command.arg(program).env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all");
        command.env("WINEDLLOVERRIDES", "mscoree,mshtml=;bcryptprimitives=n").stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// The agent, with its state where a test may look.
    fn agent(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.program);
        command.args(words);
        command
    }

    fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }
}

async fn under_wine(table: &mut Table, wine: &Wine) {
    let said = run(&mut wine.agent(&["--version"])).await;
    table.say("muster-agent.exe --version", &format!("muster-agent {}", env!("CARGO_PKG_VERSION")), said.out.trim());
    let said = run(&mut wine.agent(&["check-config"])).await;
    table.say("  check-config without a file", "the configuration is fine", said.out.trim());

    let collector = Collector::start("").await;
    let token = collector.token("normal").await;
    std::fs::write(wine.drive().join("token"), token).expect("a prefix of our own");
    let address = collector.address();
    let said = run(&mut wine.agent(&["enrol", "--collector", &address, "--token-file", r"C:\token"])).await;
    let enrolled = said.out.lines().find(|line| line.starts_with("enrolled as")).map(|_| "enrolled");
    table.say("  enrol with a token", "enrolled", enrolled.unwrap_or(said.all().trim()));
    let identity = wine.drive().join("ProgramData/Muster/agent/identity.json");
    table.say("  its identity is below C:\\ProgramData\\Muster", "true", &identity.exists().to_string());
    let said = run(&mut wine.agent(&["enrol", "--collector", &address, "--token-file", r"C:\token"])).await;
    let again = if said.out.starts_with("already enrolled") { "already enrolled" } else { said.out.trim() };
    table.say("  enrol again", "already enrolled", again);

    let mut agent = Process::start("muster-agent.exe", &mut wine.agent(&["run"]), &wine.log);
    let hosts = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "up") };
    let host = agent.ready(UP, hosts).await;
    table.say("  run: the host in the fleet", "up", text(&host["state"]));
    let id = text(&host["id"]).to_owned();
    in_the_fleet(table, &collector, &id).await;

    let said = run(&mut wine.agent(&["run"])).await;
    let refused = said.err.contains("in use by another agent");
    table.say("  a second one on the same state", "refused", if refused { "refused" } else { said.err.trim() });
    agent.kill().await;
    let mut agent = Process::start("muster-agent.exe", &mut wine.agent(&["run"]), &wine.log);
    let again = || async {
        let answer = http::get(&collector.url(&format!("/hosts/{id}/metrics"))).await?;
        (answer.status == 200 && agent_is(&collector, &id).await).then_some(())
    };
    agent.ready(UP, again).await;
    table.say("  killed and started again: the same host", "1", &collector.hosts().await.len().to_string());
    agent.kill().await;
}

async fn agent_is(collector: &Collector, id: &str) -> bool {
    collector.hosts().await.iter().any(|host| host["id"] == id && host["state"] == "up")
}

/// What the collector shows of it.
async fn in_the_fleet(table: &mut Table, collector: &Collector, id: &str) {
    let list = collector.cli(&["host", "list"]).await;
    table.say(
        "  muster-collector host list",
        "1",
        &list.lines().filter(|line| line.contains(" up")).count().to_string(),
    );
    let host = collector.get(&format!("/api/v1/hosts/{id}")).await.json();
    let says = |word: &str| host.to_string().to_ascii_lowercase().contains(word);
    table.say("  its system", "windows", if says("windows") { "windows" } else { "none" });
    let page = eventually("all families are read", UP, || async {
        let page = http::get(&collector.url(&format!("/hosts/{id}/metrics"))).await?.body;
        FAMILIES.iter().all(|family| page.contains(family)).then_some(page)
    });
    let page = page.await;
    for family in FAMILIES {
        let line = page.lines().find(|line| line.starts_with(family)).unwrap_or_default();
        let value: f64 = line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(-1.0);
        table.say(&format!("  {family}"), "0 or more", if value >= 0.0 { "0 or more" } else { line });
    }
    // The last section comes last.
    let inventory = eventually("the inventory has come", UP, || async {
        let inventory = collector.get(&format!("/api/v1/hosts/{id}/inventory")).await.json();
        inventory["sections"]["updates"].is_object().then_some(inventory)
    });
    let inventory = inventory.await;
    for (name, expected) in SECTIONS {
        let section = &inventory["sections"][name];
        let rows = section["rows"].as_array().map_or(0, Vec::len);
        let seen = format!("{}{}", text(&section["status"]), if rows > 0 { ", with rows" } else { "" });
        table.say(&format!("  inventory: {name}"), expected, &seen);
    }
    let reason = text(&inventory["sections"]["users"]["reason"]);
    table.say("  why not the users", "not read on Windows", reason);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn script_at(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("a directory of our own");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
}

async fn must(command: &mut Command) {
    let shown = format!("{:?}", command.as_std());
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.unwrap_or_else(|error| panic!("{shown} cannot be started: {error}"));
    assert!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A word for who waits; the table is on standard output.
#[expect(clippy::print_stderr, reason = "what takes minutes says how it goes")]
fn note(text: &str) {
    eprint!("{text}");
}
