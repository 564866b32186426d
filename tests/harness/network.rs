//! A network of its own for an agent, joined to this machine by one cable that can be cut in silence. Needs root.

use std::sync::atomic::{AtomicU16, Ordering};

use tokio::process::Command;

use crate::path::{Carrier, Path};
use crate::process::{Said, installed, run};

/// Numbers of networks, and of places that they move to.
static NEXT: AtomicU16 = AtomicU16::new(1);

/// A network namespace with one address, and its cable.
#[derive(Debug)]
pub struct Network {
    /// The namespace's name.
    pub name: String,
    number: u16,
    /// The number of its addresses, another one once it has moved.
    place: u16,
    /// This machine's address, as it is dialled from inside.
    here: String,
    /// What its cable does to packets, if anything.
    carrier: Option<Carrier>,
}

impl Network {
    /// Makes one.
    ///
    /// # Panics
    /// When this may not be done here.
    pub async fn make() -> Self {
        let mut network = Self::new();
        network.here = network.address(1);
        let (name, cable) = (network.name.clone(), network.cable());
        let (here, there) = (network.address(1), network.address(2));
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {cable} type veth peer name eth0 netns {name}"),
            format!("ip addr add {here}/30 dev {cable}"),
            format!("ip link set {cable} up"),
            format!("ip -n {name} addr add {there}/30 dev eth0"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} route add default via {here}"),
        ] {
            done(&line).await;
        }
        network
    }

    /// Makes one that is reached only through `router`, which passes on what is not for itself.
    ///
    /// # Panics
    /// When this may not be done here.
    pub async fn behind(router: &Self) -> Self {
        let mut network = Self::new();
        network.here.clone_from(&router.here);
        let (name, cable, before) = (network.name.clone(), network.cable(), router.name.clone());
        let (near, far, via) = (network.address(1), network.address(2), router.address(2));
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        let said = run(Command::new("ip").args(["netns", "exec", &before, "sh", "-c", forward])).await;
        assert_eq!(said.code, 0, "{forward}: {}", said.err);
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {cable} netns {before} type veth peer name eth0 netns {name}"),
            format!("ip -n {before} addr add {near}/30 dev {cable}"),
            format!("ip -n {before} link set {cable} up"),
            format!("ip -n {name} addr add {far}/30 dev eth0"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} route add default via {near}"),
            format!("ip route add {far}/32 via {via}"),
        ] {
            done(&line).await;
        }
        network
    }

    /// Makes one whose cable does this to what goes over it.
    ///
    /// # Panics
    /// When this may not be done here.
    pub async fn over(path: Path) -> Self {
        let mut network = Self::new();
        network.here = network.address(1);
        let (name, cable) = (network.name.clone(), network.cable());
        let (here, there) = (network.address(1), network.address(2));
        for line in [
            format!("ip netns add {name}"),
            format!("ip tuntap add dev {cable} mode tun"),
            format!("ip -n {name} tuntap add dev eth0 mode tun"),
        ] {
            done(&line).await;
        }
        network.carrier = Some(Carrier::start(&cable, &name, path).await);
        for line in [
            format!("ip addr add {here}/30 dev {cable}"),
            format!("ip link set {cable} up"),
            format!("ip -n {name} addr add {there}/30 dev eth0"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} route add default via {here}"),
        ] {
            done(&line).await;
        }
        network
    }

    /// Makes one in which there is no other address than of IPv6.
    ///
    /// # Panics
    /// When this may not be done here.
    pub async fn of_six_alone() -> Self {
        let mut network = Self::new();
        let (here, there) = (network.address_of_six(1), network.address_of_six(2));
        network.here = format!("[{here}]");
        let (name, cable) = (network.name.clone(), network.cable());
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {cable} type veth peer name eth0 netns {name}"),
            format!("ip addr add {here}/64 dev {cable} nodad"),
            format!("ip link set {cable} up"),
            format!("ip -n {name} addr add {there}/64 dev eth0 nodad"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} route add default via {here}"),
        ] {
            done(&line).await;
        }
        network
    }

    /// From the next packet on its cable does this.
    ///
    /// # Panics
    /// When it is an ordinary one.
    pub fn turn(&self, path: Path) {
        self.carrier.as_ref().expect("a cable with a carrier").turn(path);
    }

    /// The names that are known inside from now on, to programs started after the first call, as lines of hosts(5). Nobody else is
    /// asked there.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn name(&self, hosts: &str) {
        let folder = self.files();
        std::fs::create_dir_all(&folder).expect("the folder of ip-netns(8)");
        for (file, lines) in [("hosts", hosts), ("nsswitch.conf", "hosts: files\n"), ("resolv.conf", "")] {
            std::fs::write(folder.join(file), lines).expect("a file in a folder of our own");
        }
    }

    /// Gives it an address of IPv6 too, from which nothing comes through to anybody; nobody is told.
    ///
    /// # Panics
    /// When packets cannot be dropped here.
    pub async fn dead_six(&self, address: &str) {
        done(&format!("ip -n {} addr add {address}/64 dev eth0 nodad", self.name)).await;
        let rules = "add table ip6 dead; add chain ip6 dead out { type filter hook output priority 0; policy drop; }";
        let nft = installed("nft", "nftables");
        let said = run(Command::new("ip").args(["netns", "exec", &self.name]).arg(nft).arg(rules)).await;
        assert_eq!(said.code, 0, "the dead way: {}", said.err);
    }

    fn new() -> Self {
        let _ = installed("ip", "iproute2");
        let _ = installed("nft", "nftables");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            name: format!("muster-{}-{number}", std::process::id()),
            number,
            place: number,
            here: String::new(),
            carrier: None,
        }
    }

    /// Drops every packet both ways from now on; nobody is told.
    ///
    /// # Panics
    /// When packets cannot be dropped here.
    pub async fn cut(&self) {
        let rules = "add table inet cut; \
             add chain inet cut in { type filter hook input priority 0; policy drop; }; \
             add chain inet cut through { type filter hook forward priority 0; policy drop; }; \
             add chain inet cut out { type filter hook output priority 0; policy drop; }";
        let nft = installed("nft", "nftables");
        let said = run(Command::new("ip").args(["netns", "exec", &self.name]).arg(nft).arg(rules)).await;
        assert_eq!(said.code, 0, "the cut: {}", said.err);
    }

    /// Lets nothing out from now on but what goes to this port, wherever it is; nobody is told.
    ///
    /// # Panics
    /// When packets cannot be dropped here.
    pub async fn only_to(&self, port: u16) {
        let rules = format!(
            "add table inet only; add chain inet only out {{ type filter hook output priority 0; policy drop; }}; \
             add rule inet only out oifname lo accept; add rule inet only out tcp dport {port} accept"
        );
        let nft = installed("nft", "nftables");
        let said = run(Command::new("ip").args(["netns", "exec", &self.name]).arg(nft).arg(rules)).await;
        assert_eq!(said.code, 0, "the only way out: {}", said.err);
    }

    /// Lets packets pass again.
    ///
    /// # Panics
    /// When it was not cut.
    pub async fn heal(&self) {
        let said = command(&format!("ip netns exec {} nft delete table inet cut", self.name)).await;
        assert_eq!(said.code, 0, "the end of the cut: {}", said.err);
    }

    /// Takes its address away: whoever asks for it is answered by nobody.
    ///
    /// # Panics
    /// When it has none.
    pub async fn lose_address(&self) {
        done(&format!("ip -n {} addr del {}/30 dev eth0", self.name, self.inside())).await;
    }

    /// Gives it its address again.
    ///
    /// # Panics
    /// When it has it.
    pub async fn regain_address(&self) {
        let (name, address, way) = (&self.name, self.inside(), self.address(1));
        done(&format!("ip -n {name} addr add {address}/30 dev eth0")).await;
        done(&format!("ip -n {name} route replace default via {way}")).await;
    }

    /// Moves it to another place on the same cable: another address and another way out, and those before are gone. This machine
    /// stays where it is dialled.
    ///
    /// # Panics
    /// When it has no address.
    pub async fn move_on(&mut self) {
        let before = self.inside();
        self.place = NEXT.fetch_add(1, Ordering::Relaxed);
        let (name, cable, here, there) = (&self.name, self.cable(), self.address(1), self.address(2));
        for line in [
            format!("ip addr add {here}/30 dev {cable}"),
            format!("ip -n {name} addr add {there}/30 dev eth0"),
            format!("ip -n {name} route replace default via {here}"),
            format!("ip -n {name} addr del {before}/30 dev eth0"),
        ] {
            done(&line).await;
        }
    }

    /// How this machine is dialled from inside.
    #[must_use]
    pub fn outside(&self, port: u16) -> String {
        format!("{}:{port}", self.here)
    }

    /// Its own address.
    #[must_use]
    pub fn inside(&self) -> String {
        self.address(2)
    }

    /// The address `end` of the cable: 1 here, 2 inside. TEST-NET-1 to 3 are too small; 198.18.0.0/15 is for benches
    /// (RFC 2544), which is room for 127 networks of one process.
    fn address(&self, end: u16) -> String {
        let (half, place) = (18 + self.place / 64, self.place % 64 * 4 + end);
        format!("198.{half}.{}.{place}", std::process::id() % 250)
    }

    /// The same of IPv6, from a network of this process's own (RFC 4193).
    fn address_of_six(&self, end: u16) -> String {
        format!("fd4d:7573:{:x}:{:x}::{end}", std::process::id() % 0x1_0000, self.place)
    }

    /// What ip-netns(8) puts in the place of files in /etc for those it starts inside.
    fn files(&self) -> std::path::PathBuf {
        std::path::Path::new("/etc/netns").join(&self.name)
    }

    fn cable(&self) -> String {
        format!("m{}-{}", std::process::id() % 1_000_000, self.number)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cable goes with the namespace once nothing runs in it any more; its near end is removed by name.
        let _ = std::process::Command::new("ip").args(["link", "del", &self.cable()]).output();
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.name]).output();
        let _ = std::fs::remove_dir_all(self.files());
    }
}

async fn done(line: &str) {
    let said = command(line).await;
    assert_eq!(said.code, 0, "{line}: {}", said.err);
}

async fn command(line: &str) -> Said {
    let mut words = line.split_whitespace();
    run(Command::new(words.next().expect("a command has a name")).args(words)).await
}
