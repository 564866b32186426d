//! That links, addresses or routes of this machine have changed, as the kernel tells whoever listens (rtnetlink(7)).

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Host;

/// RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR and _IPV6_ROUTE (include/uapi/linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// Nobody reads what the kernel says, only that it says something: what does not fit is dropped there.
const BUFFER_BYTES: usize = 4096;
/// Messages taken at once: more than fit into the buffer.
const TAKEN_MAX: usize = 64;
/// Who listens for changes. On a captured machine there never is one.
#[derive(Debug, Default)]
pub struct Changes(Option<AsyncFd<OwnedFd>>);

impl Changes {
    /// Waits until something has changed; all that has changed by then is one change. May be dropped and called again.
    pub async fn next(&mut self) {
        loop {
            let Some(socket) = &self.0 else { return std::future::pending().await };
            let told = match socket.readable().await {
                Ok(mut ready) => {
                    let told = drain(socket.get_ref());
                    ready.clear_ready();
                    Some(told)
                }
                Err(_) => None,
            };
            match told {
                Some(true) => return,
                Some(false) => {}
                None => self.0 = None,
            }
        }
    }
}

/// Takes what is there; whether anything was.
fn drain(socket: &OwnedFd) -> bool {
    let (mut told, mut byte) = (false, [0; 1]);
    for _ in 0..TAKEN_MAX {
        match recv(socket, &mut byte, RecvFlags::DONTWAIT) {
            // More was told than fits.
            Ok(_) | Err(Errno::NOBUFS) => told = true,
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    told
}

#[expect(deprecated, reason = "what takes its place is unsafe; an owned descriptor is open as long as it is watched")]
fn listen() -> Result<AsyncFd<OwnedFd>, std::io::Error> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, BUFFER_BYTES)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    AsyncFd::with_interest(socket, Interest::READABLE)
}

impl Host {
    /// Listens from now on. Where the kernel does not tell, or this is a captured machine, no change is ever seen.
    #[must_use]
    pub fn network_changes(&self) -> Changes {
        if !self.is_live() {
            return Changes::default();
        }
        let listening = listen();
        if let Err(error) = &listening {
            tracing::debug!(%error, "changes of the network are not told here");
        }
        Changes(listening.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_captured_machine_never_changes_and_a_live_one_can_be_listened_to() {
        let root = tempfile::tempdir().unwrap();
        let captured = Host::captured(root.path().into(), None);
        assert!(captured.network_changes().0.is_none());
        let socket = listen().unwrap();
        assert!(!drain(socket.get_ref()), "nothing has changed in this moment");
    }
}
