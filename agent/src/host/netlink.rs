//! What the kernel says over netlink: one question, one answer in pieces. Interfaces with their counters, TCP sockets.

mod addresses;
#[cfg_attr(not(target_os = "linux"), path = "netlink/looked.rs")]
mod changes;
mod neighbours;

use std::borrow::Cow;
use std::sync::Mutex;

pub use addresses::Address;
pub use changes::Changes;
pub use neighbours::Neighbour;

use super::os::{Descriptor, Errno, netlink};
use super::rolled::Crowded;
use super::{Host, HostError, lock};
use crate::clock::Moment;

/// Largest piece of an answer that the kernel makes when asked with as much room (netlink_dump, net/netlink/af_netlink.c).
const PIECE_BYTES: usize = 32 * 1024;
/// Tries for a picture of all interfaces during which none came or went.
const TRIES: usize = 3;
/// Answer of interfaces held in memory: some 400 bytes each.
const LINKS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// IFLA_* (include/uapi/linux/if_link.h) that [`Link::parse`] reads. The kernel says three times as much: whatever is not
/// read is not kept.
const ATTRIBUTES_READ: [u16; 18] = [1, 2, 3, 4, 5, 13, 16, 17, LINKINFO, 20, 23, 27, 30, 33, 35, 47, 48, 61];
/// IFLA_LINKINFO, and in it IFLA_INFO_KIND.
const LINKINFO: u16 = 18;
const INFO_KIND: u16 = 1;

/// include/uapi/linux/netlink.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Numbers of errors (MAX_ERRNO, include/linux/err.h); 0 acknowledges what is not asked here.
const ERRORS: std::ops::RangeInclusive<i32> = 1..=4095;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const HEADER_BYTES: usize = 16;
const NLA_TYPE_MASK: u16 = 0x3fff;
/// include/uapi/linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
/// sizeof(struct ifinfomsg)
const IFINFO_BYTES: usize = 16;
/// include/uapi/linux/inet_diag.h: asks for IPv4 and IPv6 at once, unlike its successor SOCK_DIAG_BY_FAMILY.
const TCPDIAG_GETSOCK: u16 = 18;
/// sizeof(struct inet_diag_req), where its states stand, and all of them (TCPF_ALL of net/ipv4/tcp_diag.c's users).
const DIAG_REQUEST_BYTES: usize = 60;
const DIAG_STATES_AT: usize = 52;
const DIAG_STATES: u32 = 0xfff;
/// sizeof(struct inet_diag_msg) up to and with `idiag_wqueue`, and where both queues stand.
const DIAG_BYTES: usize = 64;
const DIAG_RQUEUE_AT: usize = 56;

/// Counters of struct rtnl_link_stats64 (include/uapi/linux/if_link.h), in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub enum Counter {
    RxPackets,
    TxPackets,
    RxBytes,
    TxBytes,
    RxErrors,
    TxErrors,
    RxDropped,
    TxDropped,
    Multicast,
    Collisions,
    RxLengthErrors,
    RxOverErrors,
    RxCrcErrors,
    RxFrameErrors,
    RxFifoErrors,
    RxMissedErrors,
    TxAbortedErrors,
    TxCarrierErrors,
    TxFifoErrors,
    TxHeartbeatErrors,
    TxWindowErrors,
    RxCompressed,
    TxCompressed,
    RxNohandler,
}

/// A network interface, as RTM_NEWLINK says it. What this kernel does not say is absent.
#[derive(Debug, Clone, Default)]
pub struct Link<'a> {
    /// Its number.
    pub index: u32,
    /// ARPHRD_*.
    pub kind: u16,
    /// IFF_*, the volatile ones included.
    pub flags: u32,
    name: &'a [u8],
    alias: &'a [u8],
    /// Hardware address.
    pub address: &'a [u8],
    /// Hardware address of broadcasts.
    pub broadcast: &'a [u8],
    /// IF_OPER_*.
    pub operational: u8,
    /// IF_LINK_MODE_*.
    pub link_mode: Option<u32>,
    /// Bytes of a packet.
    pub mtu: Option<u32>,
    /// Packets of the transmit queue.
    pub queue: Option<u32>,
    /// The group it belongs to.
    pub group: Option<u32>,
    /// The interface below it, where that is not itself.
    pub below: Option<u32>,
    /// Whether there is a carrier.
    pub carrier: Option<u32>,
    /// Changes of the carrier, up and down.
    pub carrier_changes: Option<u32>,
    /// Changes to up.
    pub carrier_up: Option<u32>,
    /// Changes to down.
    pub carrier_down: Option<u32>,
    /// How many want all packets.
    pub promiscuity: Option<u32>,
    /// How many want all multicast packets (Linux 6.0 and later).
    pub all_multicast: Option<u32>,
    /// The kind that it is one of so many of that they are said together.
    pub rolled_up: Option<&'a str>,
    virtual_kind: &'a [u8],
    counters: &'a [u8],
}

impl<'a> Link<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.name)
    }

    /// What an administrator calls it.
    #[must_use]
    pub fn alias(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.alias)
    }

    /// What made it: `veth`, `bridge`, `tun`, ...; nothing of hardware.
    #[must_use]
    pub fn virtual_kind(&self) -> Option<&'a str> {
        std::str::from_utf8(self.virtual_kind).ok().filter(|kind| !kind.is_empty())
    }

    /// One of its counters.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> Option<u64> {
        let at = counter as usize * 8;
        Some(u64::from_ne_bytes(self.counters.get(at..at + 8)?.try_into().ok()?))
    }

    /// struct ifinfomsg and its attributes.
    fn parse(message: &'a [u8]) -> Option<Self> {
        let (head, attributes) = message.split_at_checked(IFINFO_BYTES)?;
        let mut link =
            Self { kind: u16_at(head, 2)?, index: u32_at(head, 4)?, flags: u32_at(head, 8)?, ..Self::default() };
        for (kind, value) in Attributes(attributes) {
            let number = || u32_at(value, 0);
            // IFLA_*, include/uapi/linux/if_link.h
            match kind {
                1 => link.address = value,
                2 => link.broadcast = value,
                3 => link.name = without_nul(value),
                4 => link.mtu = number(),
                5 => link.below = number(),
                13 => link.queue = number(),
                16 => link.operational = value.first().copied().unwrap_or(0),
                17 => link.link_mode = value.first().copied().map(u32::from),
                LINKINFO => {
                    link.virtual_kind = Attributes(value)
                        .find(|(kind, _)| *kind == INFO_KIND)
                        .map_or(&[], |(_, kind)| without_nul(kind))
                }
                20 => link.alias = without_nul(value),
                23 => link.counters = value,
                27 => link.group = number(),
                30 => link.promiscuity = number(),
                33 => link.carrier = value.first().copied().map(u32::from),
                35 => link.carrier_changes = number(),
                47 => link.carrier_up = number(),
                48 => link.carrier_down = number(),
                61 => link.all_multicast = number(),
                _ => {}
            }
        }
        Some(link)
    }
}

/// A TCP socket, as the kernel's socket diagnosis says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// TCP_* of include/net/tcp_states.h.
    pub state: u8,
    /// Bytes received and not read; connections to be accepted where it listens.
    pub receive_queue: u32,
    /// Bytes not acknowledged; most connections to be accepted where it listens.
    pub send_queue: u32,
}

impl TcpSocket {
    fn parse(message: &[u8]) -> Option<Self> {
        let message = message.get(..DIAG_BYTES)?;
        Some(Self {
            state: *message.get(1)?,
            receive_queue: u32_at(message, DIAG_RQUEUE_AT)?,
            send_queue: u32_at(message, DIAG_RQUEUE_AT + 4)?,
        })
    }
}

/// The socket for interfaces, and its last answer.
#[derive(Default)]
pub(super) struct Links(Mutex<Answer>);

#[derive(Default)]
struct Answer {
    socket: Option<Descriptor>,
    bytes: Vec<u8>,
    /// The collection it was asked for; `None` when it is not whole.
    at: Option<Moment>,
    /// Kinds of which there are so many that they are said together.
    crowded: Crowded,
}

impl Host {
    /// Calls `visit` with each network interface of this machine. It is asked once per collection, however many want to
    /// know. A captured machine has none: its `sys/class/net` is read instead.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn links(&self, now: Moment, mut visit: impl FnMut(&Link<'_>)) -> Result<(), HostError> {
        if !self.is_live() {
            return Err(HostError::NotPresent("rtnetlink".to_owned()));
        }
        let mut answer = lock(&self.links.0);
        if answer.at != Some(now) {
            answer.ask().map_err(|errno| HostError::from_errno("rtnetlink", errno))?;
            answer.at = Some(now);
            answer.look_for_crowds(self.crowding.interfaces_per_kind);
        }
        for mut link in links(&answer.bytes) {
            link.rolled_up = link.virtual_kind().filter(|kind| answer.crowded.holds(kind));
            visit(&link);
        }
        Ok(())
    }

    /// The addresses of this machine's interfaces. Not of a captured machine.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn addresses(&self) -> Result<Vec<Address>, HostError> {
        if !self.is_live() {
            return Err(HostError::NotPresent("rtnetlink".to_owned()));
        }
        addresses::ask().map_err(|errno| HostError::from_errno("rtnetlink", errno))
    }

    /// Whom this machine has met on its networks. Not of a captured machine.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn neighbours(&self) -> Result<Vec<Neighbour>, HostError> {
        if !self.is_live() {
            return Err(HostError::NotPresent("rtnetlink".to_owned()));
        }
        neighbours::ask().map_err(|errno| HostError::from_errno("rtnetlink", errno))
    }

    /// Calls `visit` with each TCP socket of this network namespace, IPv4 and IPv6. Not on a captured machine.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn tcp_sockets(&self, mut visit: impl FnMut(TcpSocket)) -> Result<(), HostError> {
        if !self.is_live() {
            return Err(HostError::NotPresent("socket diagnosis".to_owned()));
        }
        let mut request = [0; DIAG_REQUEST_BYTES];
        request[DIAG_STATES_AT..DIAG_STATES_AT + 4].copy_from_slice(&DIAG_STATES.to_ne_bytes());
        let mut ask = || {
            let socket = netlink::diagnosis()?;
            netlink::send(&socket, &question(TCPDIAG_GETSOCK, &request))?;
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            loop {
                piece.clear();
                receive(&socket, &mut piece)?;
                for message in Messages(&piece) {
                    match message?.ended()? {
                        Some(body) => TcpSocket::parse(body).into_iter().for_each(&mut visit),
                        None => return Ok(()),
                    }
                }
            }
        };
        ask().map_err(|errno: Errno| HostError::from_errno("socket diagnosis", errno))
    }
}

/// How many interfaces and sockets are in these bytes, taken for an answer: `tests/long fuzz` has no kernel that lies.
#[doc(hidden)]
#[must_use]
pub fn count_in(bytes: &[u8]) -> usize {
    let count = |message: Message<'_>| {
        let link = Link::parse(message.body);
        let texts = link.as_ref().map(|link| (link.name(), link.alias(), link.counter(Counter::RxNohandler)));
        let socket = message.ended().ok().flatten().and_then(TcpSocket::parse);
        usize::from(texts.is_some()) + usize::from(socket.is_some())
    };
    Messages(bytes).map_while(Result::ok).map(count).sum()
}

/// The interfaces in an answer.
fn links(answer: &[u8]) -> impl Iterator<Item = Link<'_>> {
    let messages = Messages(answer).flatten().filter(|message| message.kind == RTM_NEWLINK);
    messages.filter_map(|message| Link::parse(message.body))
}

impl Answer {
    fn look_for_crowds(&mut self, limit: usize) {
        self.crowded.begin();
        for kind in links(&self.bytes).filter_map(|link| link.virtual_kind()) {
            self.crowded.count(kind);
        }
        self.crowded.decide(limit);
    }

    fn ask(&mut self) -> Result<(), Errno> {
        self.at = None;
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => netlink::route()?,
        };
        for _ in 0..TRIES {
            self.bytes.clear();
            netlink::send(&socket, &question(RTM_GETLINK, &[0; IFINFO_BYTES]))?;
            if self.receive_all(&socket)? {
                break;
            }
        }
        // Only a socket whose answer was read to its end may be asked again.
        self.socket = Some(socket);
        Ok(())
    }

    /// Whether nothing came or went meanwhile.
    fn receive_all(&mut self, socket: &Descriptor) -> Result<bool, Errno> {
        let (mut steady, mut piece) = (true, Vec::new());
        loop {
            piece.clear();
            receive(socket, &mut piece)?;
            for message in Messages(&piece) {
                let message = message?;
                steady &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.ended()? {
                    Some(body) => keep_what_is_read(message.kind, body, &mut self.bytes),
                    None => return Ok(steady),
                }
            }
            if self.bytes.len() > LINKS_BYTES_MAX {
                return Err(Errno::TOOBIG);
            }
        }
    }
}

/// Appends a message about an interface without the attributes that nobody reads.
fn keep_what_is_read(kind: u16, body: &[u8], into: &mut Vec<u8>) {
    let Some((head, attributes)) = body.split_at_checked(IFINFO_BYTES).filter(|_| kind == RTM_NEWLINK) else { return };
    let at = into.len();
    into.extend_from_slice(&[0; HEADER_BYTES]);
    into.extend_from_slice(head);
    for (kind, value) in Attributes(attributes).filter(|(kind, _)| ATTRIBUTES_READ.contains(kind)) {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        into.extend_from_slice(&length.to_ne_bytes());
        into.extend_from_slice(&kind.to_ne_bytes());
        into.extend_from_slice(value);
        into.resize(into.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(into.len() - at).unwrap_or(u32::MAX);
    into[at..at + 4].copy_from_slice(&length.to_ne_bytes());
    into[at + 4..at + 6].copy_from_slice(&kind.to_ne_bytes());
}

fn question(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    // Sequence number and port: one question at a time on a socket of its own needs neither.
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(body);
    bytes
}

/// Appends one piece of an answer.
fn receive(socket: &Descriptor, into: &mut Vec<u8>) -> Result<(), Errno> {
    let from = into.len();
    into.reserve(PIECE_BYTES);
    let whole = netlink::receive(socket, into)?;
    if whole > into.len() - from { Err(Errno::MSGSIZE) } else { Ok(()) }
}

/// A netlink message.
struct Message<'a> {
    kind: u16,
    flags: u16,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Its body; `None` at the end of the answer.
    fn ended(&self) -> Result<Option<&'a [u8]>, Errno> {
        match self.kind {
            NLMSG_DONE => Ok(None),
            NLMSG_ERROR => {
                let code = u32_at(self.body, 0).map_or(0, |code| code.cast_signed().saturating_neg());
                Err(if ERRORS.contains(&code) { Errno::from_raw_os_error(code) } else { Errno::BADMSG })
            }
            _ => Ok(Some(self.body)),
        }
    }
}

/// The messages in a piece of an answer; an error where it is cut off.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let cut_off = Some(Err(Errno::BADMSG));
        let bytes = std::mem::take(&mut self.0);
        let header = (u32_at(bytes, 0), u16_at(bytes, 4), u16_at(bytes, 6));
        let (Some(length), Some(kind), Some(flags)) = header else { return cut_off };
        let length = length as usize;
        let Some(body) = bytes.get(HEADER_BYTES..length) else { return cut_off };
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Message { kind, flags, body }))
    }
}

/// The attributes of a message: type and value. One that is cut off ends them.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        let (length, kind) = (usize::from(u16_at(bytes, 0)?), u16_at(bytes, 2)?);
        let value = bytes.get(4..length)?;
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & NLA_TYPE_MASK, value))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn without_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
