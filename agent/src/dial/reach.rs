//! EDGE: a TCP connection to whichever address of a name answers first.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::sleep;

use super::{PathWatch, watch_path};
use crate::platform;

/// An address is tried so long after the one before it, which goes on being tried (RFC 8305, 5).
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// Of the addresses of a name so many are tried.
const ADDRESSES_MAX: usize = 8;
/// The largest segment of a narrow path: the least packet that IPv6 allows (RFC 8200, 5), without its head and TCP's.
#[cfg(unix)]
const NARROW_BYTES: u32 = 1_280 - 60;

/// A watched TCP connection.
pub(super) async fn socket_to(address: &str, path: PathWatch) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host(address).await?.take(ADDRESSES_MAX).collect();
    let stream = first_of(&addresses, path.narrow).await?;
    stream.set_nodelay(true)?;
    watch_path(&platform::duplicate(&stream)?, path)?;
    Ok(stream)
}

/// One address of a name may answer nothing at all: none waits for the end of another.
async fn first_of(addresses: &[SocketAddr], narrow: bool) -> io::Result<TcpStream> {
    let later = addresses.iter().zip(0..);
    let mut tries: Vec<Pin<Box<_>>> = later
        .map(|(address, n)| {
            Box::pin(async move {
                sleep(NEXT_AFTER * n).await;
                connect(*address, narrow).await
            })
        })
        .collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    std::future::poll_fn(|cx| {
        let mut n = 0;
        while let Some(one) = tries.get_mut(n) {
            match one.as_mut().poll(cx) {
                Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                Poll::Ready(Err(error)) => {
                    last = error;
                    drop(tries.remove(n));
                }
                Poll::Pending => n += 1,
            }
        }
        match tries.is_empty() {
            true => Poll::Ready(Err(std::mem::replace(&mut last, io::ErrorKind::NotFound.into()))),
            false => Poll::Pending,
        }
    })
    .await
}

async fn connect(address: SocketAddr, narrow: bool) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    if narrow {
        // It binds both sides: ours by what is sent, the other by what we say to take.
        socket2::SockRef::from(&socket).set_tcp_mss(NARROW_BYTES)?;
    }
    #[cfg(not(unix))]
    let _ = narrow;
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: PathWatch = PathWatch {
        keep_alive: Duration::from_secs(1),
        probes: 3,
        user_timeout: Duration::from_secs(3),
        narrow: false,
    };

    /// An address where nobody answers: the queue of those who wait to be accepted is full there.
    fn silent() -> (std::net::TcpListener, Vec<std::net::TcpStream>, SocketAddr) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let listener = std::net::TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let moment = Duration::from_millis(50);
        let waiting = std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&address, moment).ok()).collect();
        (listener, waiting, address)
    }

    #[tokio::test]
    async fn of_several_addresses_the_first_that_answers_is_taken_whatever_those_before_it_do() {
        let (_listener, _waiting, silent) = silent();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for addresses in [&[good][..], &[silent, good], &[refusing, good], &[silent, refusing, good]] {
            let reached = tokio::time::timeout(Duration::from_secs(10), first_of(addresses, false)).await;
            let stream = reached.expect("the good one is not waited for in vain").unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good, "{addresses:?}");
        }
        let refused = first_of(&[refusing, refusing], false).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(first_of(&[], false).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_narrow_connection_carries_packets_of_at_most_1280_bytes_either_way() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        for (narrow, is_small) in [(true, true), (false, false)] {
            let near = socket_to(&address, PathWatch { narrow, ..PATH }).await.unwrap();
            let (far, _) = listener.accept().await.unwrap();
            for end in [&near, &far] {
                let most = socket2::SockRef::from(end).tcp_mss().unwrap();
                assert_eq!(most <= NARROW_BYTES, is_small, "{most} bytes, narrow: {narrow}");
            }
        }
    }
}
