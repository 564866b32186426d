//! What is brought to other systems: the program that installs itself, Windows Installer's package, the archive for macOS.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use muster_tests::process::{Said, root, run};
use muster_tests::{Collector, eventually};
use serde_json::Value;
use tokio::process::Command;

use crate::tools::must;
use crate::wine::Wine;
use crate::{Table, UP, text};

/// Two versions of the same program.
const VERSIONS: [&str; 2] = ["0.9.0", "0.9.1"];
/// The last eight bits of ERROR_INSTALL_FAILURE (1603): a launch condition is not met.
const REFUSED: &str = "67";
/// The same of ERROR_FUNCTION_FAILED (1627): a program of the package failed, and all was rolled back.
const ROLLED_BACK: &str = "91";
/// Where the package's own key is.
const KEY: &str = r"HKLM\SOFTWARE\Muster\Agent";
/// What it puts in place.
const FILES: &str = "CHANGELOG.txt LICENSE.txt README.txt agent.example.toml muster-agent.exe";
/// Its words for which package takes the place of which; they stay for ever.
const UPGRADE_CODE: &str = "{6630C6DD-3A60-4FD1-80D5-486FD5C6D7D6}";
/// The head of a Mach-O program for arm64 (mach-o/loader.h), and nothing behind it.
const MACH_O: [u8; 16] = [0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0];

/// wine with a collector, and the host that is this wine's.
pub(crate) struct Story<'a> {
    pub(crate) table: &'a mut Table,
    pub(crate) wine: &'a Wine,
    pub(crate) collector: &'a Collector,
}

impl Story<'_> {
    /// The agent by `install` and `uninstall`, with wine's service manager.
    pub(crate) async fn by_itself(&mut self, id: &str) {
        let mut session = self.wine.session();
        let address = self.collector.address();
        let words = ["install", "--collector", &address, "--token-file", r"C:\token", "--label", "site=oslo"];
        let said = run(&mut self.wine.agent(&words)).await;
        self.table.say("muster-agent.exe install", "configuration program unit enabled started", &did(&said));
        self.table.say("  its exit code", "2", &said.code.to_string());
        self.is("  the service in the fleet", id, "up").await;
        self.table.say("  sc query", "running", &self.wine.service().await);
        let said = run(&mut self.wine.agent(&words)).await;
        self.table.say("  install again: nothing, with exit code", "0", &format!("{}{}", did(&said), said.code));
        // Other bytes are another program; this one runs meanwhile.
        let newer = self.wine.drive().join("newer.exe");
        must(Command::new("x86_64-w64-mingw32-strip").arg("-o").arg(&newer).arg(&self.wine.program)).await;
        let began = self.starts();
        let said = run(self.wine.command(&newer).arg("install")).await;
        self.table.say("  install of a newer program", "program restarted", &did(&said));
        self.started_after(began).await;
        self.is("  the service in the fleet", id, "up").await;
        let said = self.wine.installed(&["uninstall", "--purge"]).await;
        let all = "stopped disabled said_goodbye program state configuration";
        self.table.say("  uninstall --purge", all, &did(&said));
        self.is("  the host then", id, "shutdown").await;
        self.table.say("  sc query", "none", &self.wine.service().await);
        // The program that was asked to remove itself; it goes when Windows starts next.
        self.table.say("  files in place", "muster-agent.old", &self.files());
        let left = find(&self.wine.drive().join("ProgramData/Muster"));
        self.table.say("  left in C:\\ProgramData\\Muster", "agent.log", &names(&left));
        let _ = session.kill().await;
        let _ = std::fs::remove_file(self.wine.drive().join("Program Files/Muster/muster-agent.old"));
    }

    /// The same as a package of Windows Installer.
    pub(crate) async fn as_a_package(&mut self, home: &Path) {
        let packages = self.made(home).await;
        self.looked_into(&packages, home).await;
        let mut session = self.wine.session();
        let id = self.installed().await;
        self.replaced(&id).await;
        self.removed(&id).await;
        self.purged().await;
        let _ = session.kill().await;
    }

    async fn made(&mut self, home: &Path) -> Vec<PathBuf> {
        let folder = home.join("made");
        let _ = std::fs::remove_dir_all(&folder);
        let mut packages = Vec::new();
        for version in VERSIONS {
            must(&mut package(&["muster-agent.msi", "--fast", "--version", version], &self.wine.program, &folder))
                .await;
            let name = format!("muster-agent_{version}_x64.msi");
            std::fs::copy(folder.join(&name), self.wine.drive().join(&name)).expect("a prefix of our own");
            packages.push(folder.join(name));
        }
        packages
    }

    /// What is in the package, as the tools of others read it.
    async fn looked_into(&mut self, packages: &[PathBuf], home: &Path) {
        let tree = home.join("unpacked");
        let _ = std::fs::remove_dir_all(&tree);
        must(Command::new("msiextract").arg("--directory").arg(&tree).arg(&packages[0])).await;
        self.table.say("muster-agent.msi: its files, by msiextract", FILES, &names(&find(&tree)));
        let summary = run(Command::new("msiinfo").arg("suminfo").arg(&packages[0])).await.out;
        let template = summary.lines().find_map(|line| line.strip_prefix("Template: ")).unwrap_or_default();
        self.table.say("  its template, by msiinfo", "x64;1033", template);
        let mut products = Vec::new();
        for file in packages {
            let properties = run(Command::new("msiinfo").arg("export").arg(file).arg("Property")).await.out;
            let of = |name: &str| {
                let mut pairs = properties.lines().filter_map(|line| line.trim_end().split_once('\t'));
                pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
            };
            self.table.say("  UpgradeCode", UPGRADE_CODE, &of("UpgradeCode"));
            products.push(of("ProductCode"));
        }
        let differ = products[0] != products[1] && !products[0].is_empty();
        self.table.say("  each version has a ProductCode of its own", "true", &differ.to_string());
        let mut other = package(&["muster-agent.msi"], Path::new("/bin/true"), &home.join("made"));
        self.table.say("  a program of Linux as an msi", "1", &run(&mut other).await.code.to_string());
    }

    /// On a machine that is not enrolled; the new host's id.
    async fn installed(&mut self) -> String {
        let token = self.collector.token("normal").await;
        std::fs::write(self.wine.drive().join("token"), token).expect("a prefix of our own");
        let (first, address) = (msi(0), format!("COLLECTOR={}", self.collector.address()));
        let words = ["/i", &first, &address, r"TOKENFILE=C:\token", "LABEL=site=oslo"];
        self.wine.is("win7").await;
        self.table.say("msiexec /i on what says that it is Windows 7", REFUSED, &self.wine.msiexec(&words).await);
        self.table.say("  files in place", "", &self.files());
        self.wine.is("win10").await;
        self.table.say("msiexec /i of 0.9.0 with COLLECTOR", "0", &self.wine.msiexec(&words).await);
        self.table.say("  files in place", FILES, &self.files());
        let host = eventually("the service in the fleet", UP, || async {
            self.collector.hosts().await.into_iter().find(|host| host["state"] == "up")
        });
        let host = host.await;
        self.table.say("  the service in the fleet", "up", text(&host["state"]));
        self.table.say("  its site, of LABEL", "oslo", text(&host["site"]));
        self.table.say("  its version in the registry", VERSIONS[0], &self.wine.registry(KEY, "Package").await);
        let said = run(&mut self.wine.agent(&["install"])).await;
        let refused = said.code == 64 && said.err.contains("is here as a package");
        self.table.say("  another program's install beside it", "true", &refused.to_string());
        let said = self.wine.installed(&["uninstall"]).await;
        self.table.say("  its own uninstall", "64", &said.code.to_string());
        let said = self.wine.installed(&["install"]).await;
        self.table.say("  its own install: nothing, with exit code", "0", &format!("{}{}", did(&said), said.code));
        text(&host["id"]).to_owned()
    }

    async fn replaced(&mut self, id: &str) {
        let (identity, began) = (self.identity(), self.starts());
        self.table.say("msiexec /i of 0.9.1", "0", &self.wine.msiexec(&["/i", &msi(1)]).await);
        self.started_after(began).await;
        self.is("  the service in the fleet, the host as before", id, "up").await;
        self.table.say("  its identity is the same", "true", &(self.identity() == identity).to_string());
        self.table.say("  its version in the registry", VERSIONS[1], &self.wine.registry(KEY, "Package").await);
        self.table.say("msiexec /i of 0.9.0 on 0.9.1", REFUSED, &self.wine.msiexec(&["/i", &msi(0)]).await);
        self.table.say("  its version in the registry", VERSIONS[1], &self.wine.registry(KEY, "Package").await);
        self.is("  the service in the fleet", id, "up").await;
        self.table.say(
            "  hosts in the fleet, the purged one with it",
            "2",
            &self.collector.hosts().await.len().to_string(),
        );
    }

    async fn removed(&mut self, id: &str) {
        self.table.say("msiexec /x", "0", &self.wine.msiexec(&["/x", &msi(1)]).await);
        self.is("  the host then", id, "shutdown").await;
        self.table.say("  sc query", "none", &self.wine.service().await);
        self.table.say("  files in place", "", &self.files());
        self.table.say("  its identity is kept", "true", &self.identity().is_some().to_string());
        self.table.say("msiexec /i without COLLECTOR", "0", &self.wine.msiexec(&["/i", &msi(1)]).await);
        self.is("  the service in the fleet, the host as before", id, "up").await;
        self.table.say("msiexec /x with PURGE=1", "0", &self.wine.msiexec(&["/x", &msi(1), "PURGE=1"]).await);
        self.is("  the host then", id, "shutdown").await;
        let left = find(&self.wine.drive().join("ProgramData/Muster"));
        self.table.say("  left in C:\\ProgramData\\Muster", "agent.log", &names(&left));
    }

    /// On a machine that is enrolled no more.
    async fn purged(&mut self) {
        self.table.say("msiexec /i without COLLECTOR, not enrolled", "0", &self.wine.msiexec(&["/i", &msi(1)]).await);
        self.table.say("  sc query", "none", &self.wine.service().await);
        self.table.say("msiexec /x", "0", &self.wine.msiexec(&["/x", &msi(1)]).await);
        std::fs::write(self.wine.drive().join("wrong"), "no token").expect("a prefix of our own");
        let address = format!("COLLECTOR={}", self.collector.address());
        let words = ["/i", &msi(1), &address, r"TOKENFILE=C:\wrong"];
        self.table.say("msiexec /i with a wrong token", ROLLED_BACK, &self.wine.msiexec(&words).await);
        self.table.say("  files in place", "", &self.files());
        self.table.say("  its version in the registry", "", &self.wine.registry(KEY, "Package").await);
        let told = self.log().lines().last().is_some_and(|line| line.contains("ERROR") && line.contains("token"));
        self.table.say("  agent.log says why", "true", &told.to_string());
    }

    async fn is(&mut self, what: &str, id: &str, state: &str) {
        let seen = || async { (self.state(id).await == state).then_some(()) };
        eventually(&format!("{what}: {state}"), UP, seen).await;
        self.table.say(what, state, &self.state(id).await);
    }

    /// How often the service's log tells of a start.
    fn starts(&self) -> usize {
        self.log().lines().filter(|line| line.contains("the agent runs")).count()
    }

    async fn started_after(&self, starts: usize) {
        eventually("it starts anew", UP, || async { (self.starts() > starts).then_some(()) }).await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.wine.drive().join("ProgramData/Muster/agent.log")).unwrap_or_default()
    }

    async fn host(&self, id: &str) -> Value {
        self.collector.hosts().await.into_iter().find(|host| host["id"] == id).unwrap_or_default()
    }

    async fn state(&self, id: &str) -> String {
        text(&self.host(id).await["state"]).to_owned()
    }

    fn files(&self) -> String {
        names(&find(&self.wine.drive().join("Program Files/Muster")))
    }

    fn identity(&self) -> Option<Vec<u8>> {
        std::fs::read(self.wine.drive().join("ProgramData/Muster/agent/identity.json")).ok()
    }
}

/// The archive for macOS: of what it is made, and what its script does where it can be told that this is a Mac.
pub(crate) async fn for_macos(table: &mut Table, home: &Path) {
    let (program, folder) = (home.join("mach-o"), home.join("made"));
    std::fs::write(&program, MACH_O).expect("a directory of our own");
    let made = run(&mut package(&["muster-agent.macos", "--version", VERSIONS[0]], &program, &folder)).await;
    table.say("deploy/package muster-agent.macos of a Mach-O head", "0", &made.code.to_string());
    let other = run(&mut package(&["muster-agent.macos"], Path::new("/bin/true"), &folder)).await;
    table.say("  of a program of Linux", "1", &other.code.to_string());
    let tree = home.join("unpacked");
    let _ = std::fs::remove_dir_all(&tree);
    std::fs::create_dir_all(&tree).expect("a directory of our own");
    let archive = folder.join(format!("muster-agent_{}_macos_arm64.tar.gz", VERSIONS[0]));
    must(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&tree)).await;
    let expected = "CHANGELOG.md LICENSE README.txt agent.example.toml install.sh muster-agent org.muster.agent.plist";
    table.say("  its files", expected, &names(&find(&tree)));
    let at = tree.join(format!("muster-agent_{}_macos_arm64", VERSIONS[0]));
    let said = run(&mut Command::new(at.join("install.sh"))).await;
    table.say("  install.sh on Linux", "64", &said.code.to_string());
    // A Mac's name, and a program that says what it was told.
    let tools = tree.join("tools");
    std::fs::create_dir_all(&tools).expect("a directory of our own");
    crate::tools::script_at(&tools.join("uname"), "#!/bin/sh\necho Darwin\n");
    for (code, expected) in [(0, 0), (1, 1), (2, 0), (64, 64)] {
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit {code}\n");
        crate::tools::script_at(&at.join("muster-agent"), &script);
        let path = format!("{}:/usr/bin:/bin", tools.display());
        let mut install = Command::new(at.join("install.sh"));
        let said = run(install.args(["--collector", "a:7460", "--label", "room=1 a"]).env("PATH", path)).await;
        let told = if said.out == "install\n--collector\na:7460\n--label\nroom=1 a\n" { "" } else { said.out.trim() };
        let what = format!("  install.sh called Darwin, its program ends with {code}");
        table.say(&what, &expected.to_string(), &format!("{told}{}", said.code));
    }
}

/// deploy/package with a program of another system.
fn package(words: &[&str], program: &Path, to: &Path) -> Command {
    let mut command = Command::new(root().join("deploy/package"));
    command.args(words).arg("--program").arg(program).arg("--out").arg(to).stdin(Stdio::null());
    command
}

/// A package as wine sees it.
fn msi(which: usize) -> String {
    format!(r"C:\muster-agent_{}_x64.msi", VERSIONS[which])
}

/// What `install` and `uninstall` did, or why not.
fn did(said: &Said) -> String {
    let Ok(line) = serde_json::from_str::<Value>(&said.out) else { return said.all().trim().to_owned() };
    let did: Vec<&str> = line["did"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    did.join(" ")
}

/// All files below a directory.
fn find(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(find(&path)) } else { files.push(path) }
    }
    files
}

/// Their names, in order.
fn names(files: &[PathBuf]) -> String {
    let mut names: Vec<_> =
        files.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
    names.sort_unstable();
    names.join(" ")
}
