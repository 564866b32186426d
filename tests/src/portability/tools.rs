//! What another system's program is built with.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use muster_tests::process::root;
use tokio::process::Command;

use crate::WINDOWS;

/// What rustc of another system's std is made of; they conflict with an installed Rust, so they are only unpacked.
const PACKAGES: [&str; 6] =
    ["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.96", "rust-web-src", "rust-web-clippy", "libllvm22"];
/// What ring's C would be compiled with; a type-check links nothing.
const NO_COMPILER: &str = "#!/bin/sh\nfor word; do [ \"$last\" = -o ] && : > \"$word\"; last=$word; done\nexit 0\n";
/// A cold build of everything on two busy cores.
const BUILD: Duration = Duration::from_secs(5_400);

/// The unpacked toolchain.
pub(crate) struct Tools {
    home: PathBuf,
}

impl Tools {
    pub(crate) async fn at(home: &Path) -> Self {
        let (tree, rustc, clippy) = (home.join("toolchain"), home.join("rustc.sh"), home.join("clippy.sh"));
        if !rustc.exists() || !clippy.exists() {
            let packages = home.join("packages");
            std::fs::create_dir_all(&packages).expect("a directory of our own");
            fetch(&packages).await;
            for package in std::fs::read_dir(&packages).expect("just made").flatten() {
                must(Command::new("dpkg").arg("-x").arg(package.path()).arg(&tree)).await;
            }
            let lib = tree.join("usr/lib/x86_64-linux-gnu");
            let script = |program: &str| {
                let (lib, usr) = (lib.display(), tree.join("usr"));
                let usr = usr.display();
                format!("#!/bin/sh\nLD_LIBRARY_PATH={lib} SYSROOT={usr} exec {usr}/bin/{program} \"$@\"\n")
            };
            script_at(&home.join("no-compiler.sh"), NO_COMPILER);
            script_at(&clippy, &script("clippy-driver"));
            script_at(&rustc, &script("rustc"));
        }
        Self { home: home.to_path_buf() }
    }

    /// `fine`, or the last error.
    pub(crate) async fn cargo(&self, target: &str, words: &[&str]) -> String {
        self.ended(target, words, Command::new("cargo")).await
    }

    /// The same of what clippy finds, all of which is an error.
    pub(crate) async fn clippy(&self, target: &str) -> String {
        let mut cargo = Command::new("cargo");
        // What cargo-clippy sets for cargo-check.
        cargo.env("RUSTC_WORKSPACE_WRAPPER", self.home.join("clippy.sh")).env("CLIPPY_CONF_DIR", root());
        cargo.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
        self.ended(target, &["check", "--bins"], cargo).await
    }

    async fn ended(&self, target: &str, words: &[&str], mut cargo: Command) -> String {
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

/// The packages into a directory; the lists of what there is may be old, or none.
async fn fetch(into: &Path) {
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "download"]).args(PACKAGES).current_dir(into).stdin(Stdio::null());
        apt
    };
    if download().output().await.is_ok_and(|output| output.status.success()) {
        return;
    }
    must(Command::new("apt-get").args(["-q", "update"])).await;
    must(&mut download()).await;
}

/// A script that can be run.
pub(crate) fn script_at(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("a directory of our own");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
}

/// Runs a command that has to go well.
pub(crate) async fn must(command: &mut Command) {
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
