//! Does a machine answer echo requests? Through the kernel's ping sockets, else a raw one (icmp(7): ping_group_range).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout};

use crate::check::{Icmp, Outcome, Status, spell};

/// Echo requests and replies of ICMP and ICMPv6 (RFC 792, RFC 4443).
const REQUEST: [u8; 2] = [8, 128];
const REPLY: [u8; 2] = [0, 129];
/// Between requests.
const PAUSE: Duration = Duration::from_millis(200);

/// `seed` tells our requests from others'; `within` is the time for all of them.
pub(super) async fn run(check: &Icmp, seed: u16, within: Duration) -> Outcome {
    let found = lookup_host((check.address.as_str(), 0)).await.map(|mut found| found.next());
    let to = match found {
        Ok(Some(to)) => to,
        Ok(None) => return Outcome::new(Status::Critical, format!("{} has no address", check.address)),
        Err(error) => return Outcome::new(Status::Critical, format!("{}: {error}", check.address)),
    };
    match open(to) {
        Ok((socket, raw)) => answered(check, &socket, raw, to, seed, within).await,
        Err(error) => Outcome::new(
            Status::Unknown,
            format!("echo requests may not be sent: {error}; allow the agent's group in net.ipv4.ping_group_range"),
        ),
    }
}

async fn answered(check: &Icmp, socket: &UdpSocket, raw: bool, to: SocketAddr, seed: u16, within: Duration) -> Outcome {
    // Of the whole time each request gets its part, less the pauses.
    let part = within / (check.count + 1);
    let pause = PAUSE.min(part / 4);
    let each = part - pause;
    let mut took = Vec::new();
    let mut last_error = None;
    for sequence in 0..check.count {
        if sequence > 0 {
            tokio::time::sleep(pause).await;
        }
        match timeout(each, echo(socket, raw, to, seed, sequence as u16)).await {
            Ok(Ok(one)) => took.push(one),
            Ok(Err(error)) => last_error = Some(error),
            Err(_) => {}
        }
    }
    let name = if to.ip().to_string() == check.address {
        check.address.clone()
    } else {
        format!("{} ({})", check.address, to.ip())
    };
    let lost_percent = f64::from(check.count - took.len() as u32) * 100.0 / f64::from(check.count);
    if took.is_empty() {
        let why = last_error.map_or_else(String::new, |error| format!(": {error}"));
        return Outcome::new(Status::Critical, format!("{name} does not answer{why}")).with("pl", lost_percent, "%");
    }
    let mean = took.iter().sum::<Duration>() / took.len() as u32;
    let loss = if lost_percent > 0.0 { Status::Warning } else { Status::Ok };
    let status = loss.max(check.latency.judge(mean));
    Outcome::new(status, format!("{name} answers in {}, {lost_percent:.0} % are lost", spell(mean)))
        .with("rta", mean.as_secs_f64(), "s")
        .with("pl", lost_percent, "%")
}

/// A socket that sends echo requests, and whether it is a raw one.
fn open(to: SocketAddr) -> std::io::Result<(UdpSocket, bool)> {
    let (domain, protocol) = match to.ip() {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let ping = Socket::new(domain, Type::DGRAM, Some(protocol)).map(|socket| (socket, false));
    let (socket, raw) =
        ping.or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)).map(|socket| (socket, true)))?;
    socket.set_nonblocking(true)?;
    socket.connect(&to.into())?;
    Ok((UdpSocket::from_std(socket.into())?, raw))
}

async fn echo(socket: &UdpSocket, raw: bool, to: SocketAddr, seed: u16, sequence: u16) -> std::io::Result<Duration> {
    let begun = Instant::now();
    socket.send(&request(to.is_ipv4(), seed, sequence)).await?;
    let mut answer = [0; 256];
    loop {
        let count = socket.recv(&mut answer).await?;
        if is_reply(&answer[..count], raw, to.is_ipv4(), seed, sequence) {
            return Ok(begun.elapsed());
        }
    }
}

fn request(v4: bool, seed: u16, sequence: u16) -> Vec<u8> {
    let mut packet = vec![REQUEST[usize::from(!v4)], 0, 0, 0];
    packet.extend(seed.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    // A ping socket puts its own number where ours is: the payload tells our requests.
    packet.extend(seed.to_be_bytes());
    packet.extend(*b"muster");
    if v4 {
        // The kernel sums up ICMPv6, which has addresses in it, and ping sockets.
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

fn is_reply(bytes: &[u8], raw: bool, v4: bool, seed: u16, sequence: u16) -> bool {
    // A raw socket of IPv4 shows the header, whose length is in its first byte, in words of four bytes (RFC 791).
    let skipped = if raw && v4 { bytes.first().map_or(0, |first| usize::from(first & 0x0f) * 4) } else { 0 };
    let Some(packet) = bytes.get(skipped..) else { return false };
    packet.first() == Some(&REPLY[usize::from(!v4)])
        && packet.get(6..8) == Some(&sequence.to_be_bytes()[..])
        && packet.get(8..10) == Some(&seed.to_be_bytes()[..])
}

/// The complement of the sum in ones' complement (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from)).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_rfc_1071() {
        // The example of RFC 1071, 3: the sum of these is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&request(true, 0x1234, 7)), 0, "a packet with its sum sums up to nothing");
    }

    #[test]
    fn only_the_reply_to_our_request_is_one() {
        let mut reply = request(true, 7, 3);
        assert!(!is_reply(&reply, false, true, 7, 3), "the request itself");
        reply[0] = 0;
        assert!(is_reply(&reply, false, true, 7, 3));
        assert!(!is_reply(&reply, false, true, 8, 3) && !is_reply(&reply, false, true, 7, 4));
        let mut with_header = vec![0; 24];
        with_header[0] = 0x46;
        with_header.extend(&reply);
        assert!(is_reply(&with_header, true, true, 7, 3));
        assert!(!is_reply(&[], true, true, 7, 3) && !is_reply(&[0x4f], true, true, 7, 3));
    }
}
