//! Debian's collectd with the plugins of its default configuration and some more of the same kind, sending over the
//! network, and who receives it.

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;

/// Where Debian's collectd-core puts it.
const PROGRAM: &str = "/usr/sbin/collectd";
/// Those that Debian's collectd.conf loads, without the ones that log, keep files or need what servers do not have; and
/// more that read what `node_exporter` reads by default.
const PLUGINS: [&str; 17] = [
    "conntrack",
    "contextswitch",
    "cpu",
    "df",
    "disk",
    "entropy",
    "fhcount",
    "interface",
    "irq",
    "load",
    "memory",
    "processes",
    "protocols",
    "swap",
    "uptime",
    "users",
    "vmem",
];
/// Longest packet of its binary protocol (`MaxPacketSize` of collectd.conf(5)).
const PACKET_BYTES: usize = 65_536;
/// The part of a packet that holds values, and where it says how many (Binary protocol, collectd.org/wiki).
const VALUES: u16 = 6;
const PART_HEAD: usize = 4;

/// What it has sent so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Received {
    /// Payload of UDP.
    pub bytes: f64,
    /// Values of one collection: the most that came between two pauses.
    pub values_at_once: usize,
    now: usize,
}

/// A running collectd; killed when dropped.
#[derive(Debug)]
pub struct Collectd {
    process: Process,
    received: Arc<Mutex<Received>>,
    _home: TempDir,
}

impl Collectd {
    /// Starts it, where it is installed.
    ///
    /// # Panics
    /// When it is there and cannot be started.
    #[must_use]
    pub fn start(every: Duration) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            super::figures::progress(
                "collectd is not installed: apt-get install --no-install-recommends collectd-core",
            );
            return None;
        }
        let home = TempDir::new().expect("a directory");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("a bound port").port();
        let configuration = home.path().join("collectd.conf");
        std::fs::write(&configuration, configured(home.path(), every, port)).expect("a file in a directory of our own");
        let mut command = Command::new(PROGRAM);
        command.args(["-f", "-C"]).arg(&configuration);
        let process = Process::start("collectd", &mut command, &home.path().join("log"));
        let received = Arc::new(Mutex::new(Received::default()));
        let counted = Arc::clone(&received);
        // It ends with this program.
        std::thread::spawn(move || receive(&socket, &counted));
        Some(Self { process, received, _home: home })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// What it has sent so far.
    #[must_use]
    pub fn received(&self) -> Received {
        *self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn configured(home: &Path, every: Duration, port: u16) -> String {
    let mut text = format!(
        "Hostname \"measured\"\nFQDNLookup false\nInterval {}\nBaseDir \"{}\"\nPIDFile \"{}\"\nTypesDB \"/usr/share/collectd/types.db\"\n",
        every.as_secs(),
        home.display(),
        home.join("pid").display()
    );
    for plugin in PLUGINS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "LoadPlugin {plugin}");
    }
    let _ = write!(text, "LoadPlugin network\n<Plugin network>\n  Server \"127.0.0.1\" \"{port}\"\n</Plugin>\n");
    text
}

/// Counts packets until the socket breaks. A pause of a second ends a collection.
fn receive(socket: &UdpSocket, counted: &Mutex<Received>) {
    let mut packet = vec![0; PACKET_BYTES];
    let _ = socket.set_read_timeout(Some(Duration::from_secs(1)));
    loop {
        let came = socket.recv(&mut packet);
        let mut received = counted.lock().unwrap_or_else(PoisonError::into_inner);
        match came {
            Ok(length) => {
                received.bytes += length as f64;
                received.now += values_in(&packet[..length]);
                received.values_at_once = received.values_at_once.max(received.now);
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                received.now = 0;
            }
            Err(_) => return,
        }
    }
}

/// How many values are in a packet: parts of type, length and content, numbers big endian.
fn values_in(packet: &[u8]) -> usize {
    let mut rest = packet;
    let mut values = 0;
    while let Some(head) = rest.get(..PART_HEAD) {
        let (kind, length) =
            (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
        if kind == VALUES
            && let Some(count) = rest.get(PART_HEAD..PART_HEAD + 2)
        {
            values += usize::from(u16::from_be_bytes([count[0], count[1]]));
        }
        rest = rest.get(length.max(PART_HEAD)..).unwrap_or_default();
    }
    values
}
