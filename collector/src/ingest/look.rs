//! EDGE. Looks at a host that fell silent: does anything at its address still answer?
//!
//! One ICMP echo where this process may send one, and TCP connects to ports that answered before. A refusal is an
//! answer: some kernel sent it. What answers is learnt while a host is up; where nothing ever answers, silence says
//! nothing.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpStream, UdpSocket},
    task::JoinSet,
    time::timeout,
};

use crate::domain::event::Look;

/// Looks made at the same time when getting acquainted.
pub const AT_ONCE: usize = 16;
/// Addresses whose habits are remembered; the one used longest ago is forgotten first.
pub const ADDRESSES: usize = 4_096;
/// Ports remembered of one address.
const PORTS: usize = 3;
/// Ports tried where nothing is known: ssh, and what Windows listens on (RPC, SMB).
const USUAL_PORTS: [u16; 3] = [22, 135, 445];

/// What answers at which address.
#[derive(Debug, Default)]
pub struct Habits {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    uses: u64,
    addresses: HashMap<IpAddr, Habit>,
}

#[derive(Debug, Clone, Default)]
struct Habit {
    used: u64,
    /// Whether anything has ever answered.
    answers: bool,
    ports: Vec<u16>,
}

impl Habits {
    /// Whether this address has been looked at while its host was up.
    #[must_use]
    pub fn knows(&self, address: IpAddr) -> bool {
        self.locked().addresses.contains_key(&address)
    }

    fn of(&self, address: IpAddr) -> Option<Habit> {
        let mut known = self.locked();
        known.uses += 1;
        let uses = known.uses;
        let habit = known.addresses.get_mut(&address)?;
        habit.used = uses;
        Some(habit.clone())
    }

    fn note(&self, address: IpAddr, answer: Option<Source>) {
        let mut known = self.locked();
        known.uses += 1;
        if !known.addresses.contains_key(&address) && known.addresses.len() >= ADDRESSES {
            let oldest = known.addresses.iter().min_by_key(|(_, habit)| habit.used).map(|(address, _)| *address);
            oldest.map(|oldest| known.addresses.remove(&oldest));
        }
        let used = known.uses;
        let habit = known.addresses.entry(address).or_default();
        habit.used = used;
        habit.answers |= answer.is_some();
        if let Some(Source::Port(port)) = answer {
            habit.ports.retain(|known| *known != port);
            habit.ports.insert(0, port);
            habit.ports.truncate(PORTS);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Echo,
    Port(u16),
}

/// How one try went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    Answered(Source),
    Nothing,
    Impossible,
}

/// Looks at `peer`, shared by `sharing` hosts that are up, for at most `within`.
pub async fn look(peer: IpAddr, sharing: usize, within: Duration, habits: &Habits) -> Look {
    let peer = peer.to_canonical();
    // Behind one address several hosts answer for each other; on loopback it is this very kernel that answers.
    if sharing > 1 && !peer.is_loopback() {
        return Look::CannotTell;
    }
    let habit = habits.of(peer);
    let never_answers = habit.as_ref().is_some_and(|habit| !habit.answers);
    let ports = habit.map(|habit| habit.ports).filter(|ports| !ports.is_empty());
    match first_answer(peer, ports.as_deref().unwrap_or(&USUAL_PORTS), within).await {
        Tried::Answered(source) => {
            habits.note(peer, Some(source));
            Look::Answers
        }
        Tried::Nothing if never_answers => Look::CannotTell,
        Tried::Nothing => Look::Silent,
        Tried::Impossible => Look::CannotTell,
    }
}

/// Learns what answers at the address of a host that is up.
pub async fn acquaint(peer: IpAddr, within: Duration, habits: &Habits) {
    let peer = peer.to_canonical();
    match first_answer(peer, &USUAL_PORTS, within).await {
        Tried::Answered(source) => habits.note(peer, Some(source)),
        Tried::Nothing => habits.note(peer, None),
        Tried::Impossible => {}
    }
}

async fn first_answer(peer: IpAddr, ports: &[u16], within: Duration) -> Tried {
    let mut tries = JoinSet::new();
    tries.spawn(async move { timeout(within, echo(peer)).await.unwrap_or(Tried::Nothing) });
    for port in ports.iter().copied() {
        tries.spawn(async move { timeout(within, knock(peer, port)).await.unwrap_or(Tried::Nothing) });
    }
    let mut seen = Tried::Impossible;
    while let Some(tried) = tries.join_next().await {
        match tried.unwrap_or(Tried::Impossible) {
            // The other tries end with the set.
            answered @ Tried::Answered(_) => return answered,
            Tried::Nothing => seen = Tried::Nothing,
            Tried::Impossible => {}
        }
    }
    seen
}

async fn knock(peer: IpAddr, port: u16) -> Tried {
    match TcpStream::connect(SocketAddr::new(peer, port)).await {
        Ok(_) => Tried::Answered(Source::Port(port)),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Tried::Answered(Source::Port(port)),
            io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => Tried::Nothing,
            // Our own network is gone, or we may not.
            _ => Tried::Impossible,
        },
    }
}

/// One echo and its reply.
async fn echo(peer: IpAddr) -> Tried {
    let Ok((socket, raw)) = echo_socket(peer) else { return Tried::Impossible };
    // The kernel replaces the identifier on its own sockets and keeps it on raw ones.
    let identifier = (std::process::id() as u16).to_be_bytes();
    let request = echo_request(peer, identifier);
    match socket.send(&request).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::HostUnreachable => return Tried::Nothing,
        Err(_) => return Tried::Impossible,
    }
    let mut buffer = [0u8; 256];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(size) if is_reply(&buffer[..size], peer, raw.then_some(identifier)) => {
                return Tried::Answered(Source::Echo);
            }
            Ok(_) => {}
            Err(_) => return Tried::Nothing,
        }
    }
}

/// An unprivileged ping socket (`net.ipv4.ping_group_range`), else a raw one (`CAP_NET_RAW`); whether it is raw.
fn echo_socket(peer: IpAddr) -> io::Result<(UdpSocket, bool)> {
    use socket2::{Domain, Protocol, Socket, Type};
    let (domain, protocol) = match peer {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let (socket, raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => (socket, false),
        Err(_) => (Socket::new(domain, Type::RAW, Some(protocol))?, true),
    };
    socket.set_nonblocking(true)?;
    socket.connect(&SocketAddr::new(peer, 0).into())?;
    Ok((UdpSocket::from_std(socket.into())?, raw))
}

/// Echo request (RFC 792, RFC 4443) with eight bytes of data.
fn echo_request(peer: IpAddr, identifier: [u8; 2]) -> [u8; 16] {
    let mut packet = [0u8; 16];
    packet[0] = if peer.is_ipv4() { 8 } else { 128 };
    packet[4..6].copy_from_slice(&identifier);
    packet[7] = 1;
    packet[8..].copy_from_slice(b"muster??");
    if peer.is_ipv4() {
        // ICMPv6 checksums are the kernel's business.
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The internet checksum (RFC 1071).
fn checksum(packet: &[u8; 16]) -> u16 {
    let mut sum: u32 = packet.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Whether this is an echo reply, to us where the socket is shared with others (`identifier`).
fn is_reply(packet: &[u8], peer: IpAddr, identifier: Option<[u8; 2]>) -> bool {
    // Raw IPv4 sockets deliver the IP header too; its length is in its first byte, in words of four bytes.
    let header = match (identifier, packet.first()) {
        (Some(_), Some(first)) if peer.is_ipv4() => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    let Some(packet) = packet.get(header..).filter(|packet| packet.len() >= 8) else { return false };
    let reply = if peer.is_ipv4() { 0 } else { 129 };
    packet[0] == reply && identifier.is_none_or(|identifier| packet[4..6] == identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const WITHIN: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn the_kernel_of_this_machine_answers_even_for_several_hosts() {
        let habits = Habits::default();
        assert_eq!(look(HERE, 3, WITHIN, &habits).await, Look::Answers);
        assert!(habits.knows(HERE));
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_answer() {
        let listener = tokio::net::TcpListener::bind((HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(knock(HERE, port).await, Tried::Answered(Source::Port(port)));
    }

    #[tokio::test]
    async fn a_shared_address_cannot_be_told() {
        let shared = "192.0.2.1".parse().unwrap();
        assert_eq!(look(shared, 2, WITHIN, &Habits::default()).await, Look::CannotTell);
    }

    #[test]
    fn habits_are_bounded_and_the_oldest_goes_first() {
        let habits = Habits::default();
        for n in 0..=ADDRESSES as u32 {
            habits.note(IpAddr::from(n.to_be_bytes()), Some(Source::Port(22)));
        }
        assert_eq!(habits.locked().addresses.len(), ADDRESSES);
        assert!(!habits.knows(IpAddr::from([0, 0, 0, 0])));
        assert!(habits.knows(IpAddr::from([0, 0, 0, 1])));
    }

    #[test]
    fn ports_that_answered_last_are_tried_first() {
        let habits = Habits::default();
        [22, 80, 443, 9, 22].into_iter().for_each(|port| habits.note(HERE, Some(Source::Port(port))));
        assert_eq!(habits.of(HERE).unwrap().ports, [22, 9, 443]);
    }

    #[test]
    fn only_an_echo_reply_to_us_counts() {
        let mut packet = echo_request(HERE, [1, 2]);
        assert_eq!(checksum(&packet), 0, "a packet with its checksum sums up to nothing");
        assert!(!is_reply(&packet, HERE, None), "our own request");
        packet[0] = 0;
        assert!(is_reply(&packet, HERE, None));
        let raw: Vec<u8> = [0x45].into_iter().chain([0; 19]).chain(packet).collect();
        assert!(is_reply(&raw, HERE, Some([1, 2])));
        assert!(!is_reply(&raw, HERE, Some([9, 9])), "somebody else's");
        assert!(!is_reply(&raw[..10], HERE, Some([1, 2])), "cut short");
        assert!(!is_reply(&[], HERE, None));
    }
}
