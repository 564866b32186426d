//! The addresses of interfaces, `RTM_GETADDR` of rtnetlink(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::os::{Errno, netlink};
use super::{Attributes, Messages, PIECE_BYTES, question, receive, u32_at};

/// Message types and struct ifaddrmsg (include/uapi/linux/rtnetlink.h, if_addr.h).
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFADDRMSG_BYTES: usize = 8;
/// Attributes.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
/// Flags.
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_PERMANENT: u32 = 0x80;
/// Address families.
const INET: u8 = 2;
const INET6: u8 = 10;

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub interface: u32,
    /// The address itself.
    pub address: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    /// It has no end: nobody leased or advertised it.
    pub permanent: bool,
    /// Made for privacy and soon replaced (RFC 8981).
    pub temporary: bool,
}

impl Address {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let (head, attributes) = message.split_at_checked(IFADDRMSG_BYTES)?;
        let (mut local, mut address, mut flags) = (None, None, u32::from(head[2]));
        for (kind, value) in Attributes(attributes) {
            match kind {
                IFA_LOCAL => local = ip(head[0], value),
                IFA_ADDRESS => address = ip(head[0], value),
                IFA_FLAGS => flags = u32_at(value, 0).unwrap_or(flags),
                _ => {}
            }
        }
        Some(Self {
            interface: u32_at(head, 4)?,
            // Of a point-to-point link the other one is the far end.
            address: local.or(address)?,
            prefix: head[1],
            permanent: flags & IFA_F_PERMANENT != 0,
            temporary: flags & IFA_F_TEMPORARY != 0 && head[0] == INET6,
        })
    }
}

/// An address of a family, as its bytes.
pub(super) fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

pub(super) fn ask() -> Result<Vec<Address>, Errno> {
    let mut addresses = Vec::new();
    dump(RTM_GETADDR, RTM_NEWADDR, &[0; IFADDRMSG_BYTES], |body| addresses.extend(Address::parse(body)))?;
    Ok(addresses)
}

/// Asks for all of a kind and visits each message of the answer.
pub(super) fn dump(asked: u16, answered: u16, head: &[u8], mut visit: impl FnMut(&[u8])) -> Result<(), Errno> {
    let socket = netlink::route()?;
    netlink::send(&socket, &question(asked, head))?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        piece.clear();
        receive(&socket, &mut piece)?;
        for message in Messages(&piece) {
            let message = message?;
            match message.ended()? {
                Some(body) if message.kind == answered => visit(body),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_near_end_of_its_link() {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
        };
        let head = |family: u8, flags: u8| [&[family, 24, flags, 0][..], &7_u32.to_ne_bytes()].concat();
        let message =
            [head(INET, 0x80), attribute(IFA_ADDRESS, &[10, 0, 0, 2]), attribute(IFA_LOCAL, &[10, 0, 0, 1])].concat();
        let address = Address::parse(&message).unwrap();
        assert_eq!((address.address, address.prefix, address.interface), (IpAddr::from([10, 0, 0, 1]), 24, 7));
        assert!(address.permanent && !address.temporary);
        let message = [head(INET6, 0), attribute(IFA_ADDRESS, &[1; 16]), attribute(IFA_FLAGS, &1_u32.to_ne_bytes())];
        let address = Address::parse(&message.concat()).unwrap();
        assert!(address.temporary && !address.permanent);
        assert_eq!(Address::parse(&[2, 24, 0]), None);
        assert_eq!(Address::parse(&head(INET, 0)), None);
    }

    #[test]
    fn this_machine_has_its_loopback_address() {
        let addresses = ask().unwrap();
        assert!(addresses.iter().any(|one| one.address.is_loopback()), "{addresses:?}");
    }
}
