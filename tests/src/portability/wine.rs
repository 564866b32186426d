//! Windows as wine has it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use muster_tests::process::{Said, run};
use tokio::process::{Child, Command};

use crate::WINDOWS;
use crate::tools::must;

/// Windows 10 has it and wine 8.0 has not; std asks it for random numbers.
const RANDOM: &str = "#include <windows.h>\nBOOLEAN NTAPI SystemFunction036(PVOID, ULONG);\n\
    __declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE into, SIZE_T length) {\n    \
    return SystemFunction036(into, (ULONG)length);\n}\n";
/// wine makes its prefix in ten seconds, on a busy machine more.
const WINE: Duration = Duration::from_secs(180);

/// wine with a home of its own, and the program in it.
pub(crate) struct Wine {
    prefix: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) log: PathBuf,
}

impl Wine {
    pub(crate) async fn start(home: &Path) -> Self {
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
        // A service finds it there.
        std::fs::copy(&stub, wine.drive().join("windows/system32/bcryptprimitives.dll")).expect("a prefix of our own");
        wine
    }

    /// From now on it says that it is this Windows. What it prints is not listened to: services that it starts live on and would
    /// keep whoever listens.
    pub(crate) async fn is(&self, version: &str) {
        let mut command = self.command("winecfg");
        let changed = command.args(["/v", version]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let changed = tokio::time::timeout(WINE, changed).await.expect("wine changes its version in time");
        assert!(changed.is_ok_and(|changed| changed.success()), "winecfg /v {version}");
    }

    /// A session: wine ends its services when nobody's program is left.
    pub(crate) fn session(&self) -> Child {
        let mut command = self.command("cmd.exe");
        let waits = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        waits.spawn().expect("wine starts")
    }

    /// What msiexec says with no one to look: its code, of which Unix keeps the last eight bits.
    pub(crate) async fn msiexec(&self, words: &[&str]) -> String {
        // Its working directory must be one that Windows has a letter for.
        let said = run(self.command("msiexec").args(words).arg("/qn").current_dir(self.drive())).await;
        said.code.to_string()
    }

    /// The value of a key of the registry; empty where there is none.
    pub(crate) async fn registry(&self, key: &str, value: &str) -> String {
        let said = run(self.command("reg").args(["query", key, "/v", value])).await;
        let line = said.out.lines().find_map(|line| line.trim().strip_prefix(value)).unwrap_or_default();
        line.trim().strip_prefix("REG_SZ").unwrap_or_default().trim().to_owned()
    }

    /// What the service manager says of the service.
    pub(crate) async fn service(&self) -> String {
        let said = run(self.command("sc").args(["query", "muster-agent"])).await;
        let line = said.out.lines().find_map(|line| line.trim().strip_prefix("STATE")).unwrap_or("none");
        line.split_whitespace().last().unwrap_or_default().to_ascii_lowercase()
    }

    /// The installed program.
    pub(crate) async fn installed(&self, words: &[&str]) -> Said {
        run(self.command(r"C:\Program Files\Muster\muster-agent.exe").args(words)).await
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("/usr/lib/wine/wine64");
        command.arg(program).env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all");
        command.env("WINEDLLOVERRIDES", "mscoree,mshtml=;bcryptprimitives=n").stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// The agent as it was built, with its state where a test may look.
    pub(crate) fn agent(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.program);
        command.args(words);
        command
    }

    pub(crate) fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }
}
