//! Who listens: TCP and UDP ports from `/proc/net`, whose sockets they are from `/proc/PID/fd`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

/// File, protocol, and the state in which it listens: TCP_LISTEN, and TCP_CLOSE for UDP that is not connected.
const TABLES: [(&str, &str, &str); 4] = [
    ("/proc/net/tcp", "tcp", "0A"),
    ("/proc/net/tcp6", "tcp", "0A"),
    ("/proc/net/udp", "udp", "07"),
    ("/proc/net/udp6", "udp", "07"),
];
/// From here the kernel gives ports to who asks for any, unless it says otherwise.
const EPHEMERAL: u16 = 32_768;

struct Listener {
    protocol: &'static str,
    address: IpAddr,
    port: u16,
    uid: String,
    inode: u64,
}

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let range = host.read_text("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let ephemeral = range.split_ascii_whitespace().next().and_then(|port| port.parse().ok()).unwrap_or(EPHEMERAL);
    let mut listeners = Vec::new();
    for (path, protocol, state) in TABLES {
        match host.read_text(path) {
            Ok(text) => {
                sheet.read_in(path);
                let lines = text.lines().skip(1).filter_map(|line| listener(protocol, state, line));
                // Whoever asks a name server has such a socket for a moment.
                listeners.extend(lines.filter(|one| one.protocol == "tcp" || one.port < ephemeral));
            }
            Err(HostError::NotPresent(_)) => {}
            Err(error) => sheet.fails(error),
        }
    }
    if listeners.is_empty() && !sheet.has_failed() && !host.exists(TABLES[0].0) {
        return Err(Unread::Absent("there is no /proc/net/tcp".to_owned()));
    }
    let owners = owners(host, &listeners, sheet);
    let passwd = host.read_text("/etc/passwd").unwrap_or_default();
    let name = |uid: &str| {
        let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(uid));
        line.and_then(|line| line.split(':').next()).unwrap_or(uid).to_owned()
    };
    let mut seen = BTreeSet::new();
    for one in &listeners {
        let Listener { protocol, address, port, .. } = one;
        let shown = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        let key = format!("{protocol}/{shown}:{port}");
        // Several sockets on one port share the work.
        if !seen.insert(key.clone()) {
            continue;
        }
        let row = Row::new(key)
            .durable("protocol", protocol)
            .durable("address", address)
            .durable("port", port)
            .durable("scope", if address.is_loopback() { "loopback" } else { "network" })
            .durable("user", name(&one.uid));
        sheet.row(match owners.get(&one.inode) {
            Some((pid, program)) => row.durable("program", program).latest("pid", pid),
            None => row,
        });
    }
    Ok(())
}

/// `sl local remote state queues timer retransmits uid timeout inode ...` (Documentation/networking/proc_net_tcp.rst).
fn listener(protocol: &'static str, state: &str, line: &str) -> Option<Listener> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if *words.get(3)? != state {
        return None;
    }
    let (address, port) = words.get(1)?.split_once(':')?;
    Some(Listener {
        protocol,
        address: ip(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        uid: (*words.get(7)?).to_owned(),
        inode: words.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits in this machine's order.
fn ip(digits: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(digits.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match digits.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (place, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(place * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Process and program of each socket that is wanted.
fn owners(host: &Host, listeners: &[Listener], sheet: &mut Sheet) -> BTreeMap<u64, (u32, String)> {
    let wanted: BTreeSet<u64> = listeners.iter().map(|one| one.inode).collect();
    let (mut owners, mut denied) = (BTreeMap::new(), false);
    let names = host.list("/proc").unwrap_or_default();
    let mut pids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    // The first process of several is the one that opened it.
    pids.sort_unstable();
    for pid in pids {
        if owners.len() == wanted.len() {
            break;
        }
        let directory = format!("/proc/{pid}/fd");
        let open = match host.list(&directory) {
            Ok(open) => open,
            Err(HostError::NotPresent(_)) => continue,
            Err(_) => {
                denied = true;
                continue;
            }
        };
        for number in open {
            let Ok(target) = host.link_target(&format!("{directory}/{number}")) else { continue };
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode.filter(|inode| wanted.contains(inode) && !owners.contains_key(inode)) {
                let program = host.read_text(&format!("/proc/{pid}/comm")).unwrap_or_default();
                owners.insert(inode, (pid, program));
            }
        }
    }
    if denied && owners.len() < wanted.len() {
        sheet.lacks("the programs of other users' sockets: reading /proc/PID/fd takes CAP_SYS_PTRACE");
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    #[test]
    fn listeners_say_address_port_user_and_program() {
        let machine = Machine::new();
        let line = |local: &str, state: &str, uid: u32, inode: u32| {
            format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1\n"
            )
        };
        let tcp = [
            line("00000000:0016", "0A", 0, 11),
            line("0100007F:0CEA", "0A", 101, 12),
            line("00000000:0016", "01", 0, 13),
            line("00000000:0016", "0A", 0, 14),
        ];
        machine.file("proc/net/tcp", HEAD.to_owned() + &tcp.concat());
        machine.file("proc/net/tcp6", HEAD.to_owned() + &line("00000000000000000000000001000000:1F90", "0A", 7, 15));
        let udp = [line("00000000:0044", "07", 0, 16), line("00000000:D431", "07", 0, 17)];
        machine.file("proc/net/udp", HEAD.to_owned() + &udp.concat());
        machine.file("etc/passwd", "root:x:0:0::/:/bin/sh\nmysql:x:101:1::/:/bin/false\n");
        for (pid, program, inode) in [(200, "mysqld", 12), (9, "sshd", 11)] {
            machine.file(&format!("proc/{pid}/comm"), format!("{program}\n"));
            machine.link(&format!("proc/{pid}/fd/3"), &format!("socket:[{inode}]"));
        }
        assert_eq!(
            machine.lines("listening_ports"),
            [
                "tcp/0.0.0.0:22: address=0.0.0.0 port=22 program=sshd protocol=tcp scope=network user=root | pid=9",
                "tcp/127.0.0.1:3306: address=127.0.0.1 port=3306 program=mysqld protocol=tcp scope=loopback user=mysql \
                 | pid=200",
                "tcp/[::1]:8080: address=::1 port=8080 protocol=tcp scope=loopback user=7",
                "udp/0.0.0.0:68: address=0.0.0.0 port=68 protocol=udp scope=network user=root",
            ]
        );
        assert_eq!(Machine::new().section("listening_ports").status, Status::Absent);
    }
}
