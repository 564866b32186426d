//! A virtual machine (qemu, emulated in software) whose hardware can be made to fail: Debian's kernel and tools, a shell
//! for the story, and nothing that it did not ask for.
//!
//! Kernel and tree are made once and kept under `MUSTER_TEST_CACHE`; what a run writes goes with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::container::{debootstrapped, must};
use crate::process::{Process, Said, installed};

/// This machine, seen from the virtual one: qemu(1), "-netdev user".
pub const OUTSIDE: &str = "10.0.2.2";
/// Besides the smallest Debian.
const PACKAGES: &str = "smartmontools,mdadm,ipmitool,kmod,busybox-static";
/// The name changes with what is in it.
const SYSTEM: &str = "bookworm-machine-1";
/// The modules that the kernel finds its disks with; ext4 asks for the checksum only when it is mounted.
const EARLY_MODULES: &str = "virtio_pci virtio_blk crc32c_generic ext4";
/// Those loaded at each boot, and those that a story may load.
const BOOT_MODULES: &str = "virtio_console virtio_net nvme ahci sd_mod raid1 ipmi_si ipmi_devintf";
const STORY_MODULES: &str = "scsi_debug i2c_stub lm75 dm_mod dm_flakey loop";
/// It boots within 15 s on an idle machine with two cores.
const BOOT: Duration = Duration::from_secs(180);
/// Longest that a command in it may take.
const COMMAND: Duration = Duration::from_secs(60);

/// What a virtual machine boots from, in the cache.
#[derive(Debug)]
pub struct System(PathBuf);

impl System {
    /// The one in the cache, made when it is not there (two minutes, and a Debian mirror to be reached).
    ///
    /// # Errors
    /// When it cannot be made; names the remedy.
    pub fn find() -> Result<Self, String> {
        debootstrapped(SYSTEM, PACKAGES, |root| {
            std::fs::write(root.join("root/tree.sh"), include_str!("machine/tree.sh")).map_err(|e| e.to_string())?;
            // The mirror is found by name.
            let _ = std::fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf"));
            let later = format!("{BOOT_MODULES} {STORY_MODULES}");
            let mut script = std::process::Command::new("chroot");
            must(script.arg(root).args(["sh", "/root/tree.sh", EARLY_MODULES, &later]))?;
            let made = root.with_file_name("system");
            std::fs::create_dir(&made).map_err(|error| error.to_string())?;
            for name in ["vmlinuz", "initrd"] {
                std::fs::rename(root.join("boot").join(name), made.join(name)).map_err(|error| error.to_string())?;
            }
            image(root, &made.join("image"), 512)?;
            Ok(made)
        })
        .map(Self)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

/// A disk with an ext4 file system of a directory.
fn image(from: &Path, to: &Path, size_mib: u64) -> Result<(), String> {
    let mut command = std::process::Command::new(installed("mke2fs", "e2fsprogs"));
    must(command.args(["-q", "-t", "ext4", "-d"]).arg(from).arg(to).arg(format!("{size_mib}M")))
}

/// A running virtual machine; killed when dropped, and when the thread that booted it ends.
#[derive(Debug)]
pub struct Machine {
    process: Process,
    home: TempDir,
    control: Mutex<()>,
}

impl Machine {
    /// Boots it with these further arguments of qemu; `files` are put on its disk `/mnt`.
    ///
    /// # Panics
    /// When it does not boot.
    pub async fn boot(system: &System, home: TempDir, arguments: &[String], files: &[(&str, PathBuf)]) -> Self {
        let own = home.path().join("own");
        std::fs::create_dir(&own).expect("a directory of our own");
        let mut bytes = 0;
        for (name, file) in files {
            bytes += std::fs::copy(file, own.join(name)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
        std::fs::write(own.join("modules"), BOOT_MODULES).expect("a directory of our own");
        let init = own.join("init");
        std::fs::write(&init, include_str!("machine/init.sh")).expect("a directory of our own");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&init, executable).expect("a file of our own");
        image(&own, &home.path().join("own.img"), 16 + bytes * 5 / 4 / (1 << 20)).expect("a disk of our own");

        let at = |name: &str| home.path().join(name).display().to_string();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(installed("qemu-system-x86_64", "qemu-system-x86"));
        // KVM hangs on nested virtual machines; emulation is slow and sure.
        command.args(["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"]);
        command.args(["-nodefaults", "-no-reboot", "-display", "none"]);
        command.args(["-kernel", &system.file("vmlinuz"), "-initrd", &system.file("initrd")]);
        command.args(["-append", "console=ttyS0 panic=1", "-serial", &format!("file:{}", at("console"))]);
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp"))]);
        for (name, file) in [("system", system.file("image")), ("own", at("own.img"))] {
            command.args(["-drive", &format!("file={file},if=none,id={name},format=raw,snapshot=on")]);
            command.args(["-device", &format!("virtio-blk-pci,drive={name}")]);
        }
        command.args(["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]);
        command.args(["-chardev", &format!("socket,id=story,path={},server=on,wait=off", at("story"))]);
        command.args(["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=story,name=story"]);
        command.args(arguments);
        let process = Process::start("the virtual machine", &mut command, &home.path().join("log"));
        let mut machine = Self { process, home, control: Mutex::new(()) };
        let (home, booted) = (machine.home.path().to_owned(), Duration::from_secs(3));
        let answers = || async { say(&home, "true", booted).await.filter(|said| said.code == 0) };
        machine.process.ready(BOOT, answers).await;
        machine
    }

    /// Runs a script of its shell as root; both outputs are in `out`.
    ///
    /// # Panics
    /// When there is no answer within a minute.
    pub async fn run(&self, script: &str) -> Said {
        let _one_at_a_time = self.control.lock().await;
        let said = say(self.home.path(), script, COMMAND).await;
        said.unwrap_or_else(|| panic!("the machine does not answer to: {script}\n{}", self.console()))
    }

    /// Runs a script of its shell as root and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn must(&self, script: &str) -> String {
        let said = self.run(script).await;
        assert_eq!(said.code, 0, "{script}: {}", said.out);
        said.out.trim().to_owned()
    }

    /// Sets a property of a device (`qom-set` of qemu's machine protocol).
    ///
    /// # Panics
    /// When it cannot be set.
    pub async fn set(&self, device: &str, property: &str, value: Value) {
        let path = format!("/machine/peripheral/{device}");
        let arguments = json!({"path": path, "property": property, "value": value});
        let said = self.ask(&json!({"execute": "qom-set", "arguments": arguments})).await;
        assert!(said.is_ok(), "{path} {property}: {said:?}");
    }

    /// Asks qemu itself.
    async fn ask(&self, question: &Value) -> Result<Value, String> {
        let _one_at_a_time = self.control.lock().await;
        let asked = async {
            let mut stream = BufReader::new(UnixStream::connect(self.home.path().join("qmp")).await?);
            let mut line = String::new();
            // Its greeting.
            stream.read_line(&mut line).await?;
            let mut last = Value::Null;
            for question in [&json!({"execute": "qmp_capabilities"}), question] {
                stream.write_all(format!("{question}\n").as_bytes()).await?;
                last = answer(&mut stream).await?;
            }
            std::io::Result::Ok(last)
        };
        let last = tokio::time::timeout(COMMAND, asked).await.map_err(|_| "no answer".to_owned())?;
        let last = last.map_err(|error| error.to_string())?;
        if last["error"].is_null() { Ok(last["return"].clone()) } else { Err(last["error"].to_string()) }
    }

    /// What its kernel and its first process printed.
    #[must_use]
    pub fn console(&self) -> String {
        std::fs::read_to_string(self.home.path().join("console")).unwrap_or_default()
    }
}

/// The next answer of qemu; what else it tells is passed over.
async fn answer(stream: &mut BufReader<UnixStream>) -> std::io::Result<Value> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        if said.get("return").is_some() || said.get("error").is_some() {
            return Ok(said);
        }
    }
}

/// Runs a script in the machine of this home.
async fn say(home: &Path, script: &str, within: Duration) -> Option<Said> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let said = async {
        let mut stream = BufReader::new(UnixStream::connect(home.join("story")).await.ok()?);
        let line = format!("{number} {}\n", STANDARD.encode(script));
        stream.write_all(line.as_bytes()).await.ok()?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let mut words = line.split_whitespace();
            // The answer to a question that nobody waits for any more has another number.
            if words.next()?.parse() == Ok(number) {
                let code = words.next()?.parse().ok()?;
                let out = STANDARD.decode(words.next().unwrap_or_default()).ok()?;
                let out = String::from_utf8_lossy(&out).into_owned();
                return Some(Said { code, out, err: String::new() });
            }
        }
    };
    tokio::time::timeout(within, said).await.ok().flatten()
}
