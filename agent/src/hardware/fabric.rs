//! InfiniBand: how ports are, and what goes wrong on their links, from files of sysfs.

use super::text::Text;
use super::{Found, Look};

const SOURCE: &str = "infiniband";
const ADAPTERS: &str = "/sys/class/infiniband";
/// Adapters of one machine, and ports of one.
const ADAPTERS_MAX: usize = 32;
const PORTS_MAX: usize = 8;
/// Who an adapter is, how a port is, and its counters of the link (Documentation/ABI/stable/sysfs-class-infiniband).
const ADAPTER: [&str; 4] = ["node_guid", "board_id", "hca_type", "fw_ver"];
const PORT: [&str; 4] = ["state", "phys_state", "rate", "link_layer"];
const COUNTERS: [&str; 6] = [
    "symbol_error",
    "link_error_recovery",
    "link_downed",
    "port_rcv_errors",
    "local_link_integrity_errors",
    "excessive_buffer_overrun_errors",
];

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let host = look.host;
    let adapter = |name: &String| {
        let directory = format!("{ADAPTERS}/{name}");
        let mut text = Text::of(host);
        text.values(&directory, &ADAPTER);
        for port in host.list(&format!("{directory}/ports")).unwrap_or_default().iter().take(PORTS_MAX) {
            text.values(&format!("{directory}/ports/{port}"), &PORT);
            text.values(&format!("{directory}/ports/{port}/counters"), &COUNTERS);
        }
        text.found(SOURCE, name)
    };
    host.list(ADAPTERS).unwrap_or_default().iter().take(ADAPTERS_MAX).filter_map(adapter).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::testing::Machine;

    #[test]
    fn ports_say_how_they_are_and_what_went_wrong_on_their_links() {
        let mut machine = Machine::new();
        assert_eq!(machine.look("infiniband", 0), []);
        let port = "sys/class/infiniband/mlx5_0/ports/1";
        machine.file("sys/class/infiniband/mlx5_0/node_guid", "0001:0002:0003:0004\n");
        machine.file(&format!("{port}/state"), "4: ACTIVE\n");
        machine.file(&format!("{port}/counters/symbol_error"), "7\n");
        machine.file(&format!("{port}/counters/port_rcv_data"), "999\n");
        let found = machine.look("infiniband", 0);
        let Outcome::Read { payload, .. } = &found[0].outcome else { panic!("{found:?}") };
        let expected = format!(
            "/sys/class/infiniband/mlx5_0/node_guid:0001:0002:0003:0004\n/{port}/state:4: ACTIVE\n/{port}/counters/symbol_error:7\n"
        );
        assert_eq!((found[0].part.as_str(), String::from_utf8_lossy(payload).into_owned()), ("mlx5_0", expected));
    }
}
