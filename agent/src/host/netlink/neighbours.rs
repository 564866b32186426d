//! Whom this machine has met on its networks, ARP and neighbour discovery alike: `RTM_GETNEIGH` of rtnetlink(7).

use std::net::IpAddr;

use super::super::os::Errno;
use super::addresses::{dump, ip};
use super::{Attributes, u32_at};

/// Message types and struct ndmsg (include/uapi/linux/rtnetlink.h, neighbour.h).
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NDMSG_BYTES: usize = 12;
/// Attributes.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// States in which nobody has answered (yet): NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP.
const UNANSWERED: u16 = 0x01 | 0x20 | 0x40;
/// This machine answers in the place of others.
const NTF_PROXY: u8 = 0x08;

/// One that this machine has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface's number.
    pub interface: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware's address.
    pub mac: [u8; 6],
}

impl Neighbour {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let (head, attributes) = message.split_at_checked(NDMSG_BYTES)?;
        let state = u16::from_ne_bytes([head[8], head[9]]);
        if state & UNANSWERED != 0 || head[10] & NTF_PROXY != 0 {
            return None;
        }
        let (mut address, mut mac) = (None, None);
        for (kind, value) in Attributes(attributes) {
            match kind {
                NDA_DST => address = ip(head[0], value),
                NDA_LLADDR => mac = <[u8; 6]>::try_from(value).ok(),
                _ => {}
            }
        }
        Some(Self { interface: u32_at(head, 4)?, address: address?, mac: mac? })
    }
}

pub(super) fn ask() -> Result<Vec<Neighbour>, Errno> {
    let mut found = Vec::new();
    dump(RTM_GETNEIGH, RTM_NEWNEIGH, &[0; NDMSG_BYTES], |body| found.extend(Neighbour::parse(body)))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_answered_is_a_neighbour_and_one_that_did_not_is_none() {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
            [&length.to_ne_bytes(), &kind.to_ne_bytes(), value, &padding].concat()
        };
        let message = |state: u16, flags: u8| {
            let head = [&[2, 0, 0, 0][..], &7_u32.to_ne_bytes(), &state.to_ne_bytes(), &[flags, 1]].concat();
            [head, attribute(NDA_DST, &[10, 0, 0, 1]), attribute(NDA_LLADDR, &[0, 27, 33, 0, 0, 1])].concat()
        };
        // NUD_STALE
        let met = Neighbour::parse(&message(0x04, 0)).unwrap();
        assert_eq!((met.interface, met.address, met.mac), (7, IpAddr::from([10, 0, 0, 1]), [0, 27, 33, 0, 0, 1]));
        for (state, flags) in [(0x01, 0), (0x20, 0), (0x40, 0), (0x04, NTF_PROXY)] {
            assert_eq!(Neighbour::parse(&message(state, flags)), None, "{state} {flags}");
        }
        assert_eq!(Neighbour::parse(&[2; 11]), None);
    }

    #[test]
    fn the_kernel_of_this_machine_is_asked() {
        assert!(ask().is_ok());
    }
}
