//! InfiniBand, Fibre Channel and SAS: how ports are, and what goes wrong on their links, from files of sysfs.

use std::collections::BTreeMap;

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

const FC: &str = "fc-sysfs";
const SAS: &str = "sas-sysfs";
const FC_HOSTS: &str = "/sys/class/fc_host";
const SAS_PHYS: &str = "/sys/class/sas_phy";
/// Of a port of Fibre Channel, and its counters (drivers/scsi/scsi_transport_fc.c).
const FC_HOST: [&str; 4] = ["port_name", "port_state", "speed", "symbolic_name"];
const FC_COUNTERS: [&str; 7] = [
    "invalid_crc_count",
    "invalid_tx_word_count",
    "loss_of_sync_count",
    "loss_of_signal_count",
    "link_failure_count",
    "prim_seq_protocol_err_count",
    "error_frames",
];
/// Of a link of SAS (drivers/scsi/scsi_transport_sas.c), and its counters: those at nothing are left out, for there may be
/// hundreds of links.
const PHY: [&str; 2] = ["sas_address", "negotiated_linkrate"];
const PHY_COUNTERS: [&str; 4] =
    ["invalid_dword_count", "running_disparity_error_count", "loss_of_dword_sync_count", "phy_reset_problem_count"];
const PHYS_MAX: usize = 1_024;

/// Ports of Fibre Channel, and the SAS links of each adapter. An expander is asked for its counts, which costs more than a file.
pub(super) fn links(look: &mut Look<'_>) -> Vec<Found> {
    let host = look.host;
    let port = |name: &String| {
        let directory = format!("{FC_HOSTS}/{name}");
        let mut text = Text::of(host);
        text.values(&directory, &FC_HOST);
        text.values(&format!("{directory}/statistics"), &FC_COUNTERS);
        text.found(FC, name)
    };
    let mut found: Vec<Found> =
        host.list(FC_HOSTS).unwrap_or_default().iter().take(ADAPTERS_MAX).filter_map(port).collect();
    // `phy-0:3` of an adapter, `phy-0:1:12` of an expander behind it.
    let mut adapters: BTreeMap<String, Text<'_>> = BTreeMap::new();
    for phy in host.list(SAS_PHYS).unwrap_or_default().iter().take(PHYS_MAX) {
        let Some(adapter) = phy.strip_prefix("phy-").and_then(|rest| rest.split(':').next()) else { continue };
        let text = adapters.entry(format!("host{adapter}")).or_insert_with(|| Text::of(host));
        let directory = format!("{SAS_PHYS}/{phy}");
        text.values(&directory, &PHY);
        for name in PHY_COUNTERS {
            text.value(&directory, name, |count| count.trim() != "0");
        }
    }
    found.extend(adapters.into_iter().filter_map(|(adapter, text)| text.found(SAS, adapter)));
    found
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

    #[test]
    fn links_of_fibre_channel_and_sas_say_what_went_wrong_on_them() {
        let mut machine = Machine::new();
        assert_eq!(machine.look("links", 0), []);
        machine.file("sys/class/fc_host/host3/port_name", "0x1000000000000001\n");
        machine.file("sys/class/fc_host/host3/port_state", "Online\n");
        machine.file("sys/class/fc_host/host3/statistics/invalid_crc_count", "0x1f\n");
        machine.file("sys/class/fc_host/host3/statistics/tx_frames", "0x99\n");
        for (phy, count) in [("phy-0:3", "0"), ("phy-0:1:12", "17"), ("phy-4:0", "0")] {
            machine.file(&format!("sys/class/sas_phy/{phy}/negotiated_linkrate"), "12.0 Gbit\n");
            machine.file(&format!("sys/class/sas_phy/{phy}/invalid_dword_count"), &format!("{count}\n"));
        }
        let said: Vec<(String, String, String)> = machine
            .look("links", 0)
            .into_iter()
            .map(|found| {
                let Outcome::Read { payload, .. } = found.outcome else { panic!("{}", found.part) };
                (found.source.into_owned(), found.part, String::from_utf8(payload).unwrap())
            })
            .collect();
        let (fc, phy) = ("/sys/class/fc_host/host3", "/sys/class/sas_phy");
        let expected = [
            (
                "fc-sysfs",
                "host3",
                format!(
                    "{fc}/port_name:0x1000000000000001\n{fc}/port_state:Online\n{fc}/statistics/invalid_crc_count:0x1f\n"
                ),
            ),
            (
                "sas-sysfs",
                "host0",
                format!(
                    "{phy}/phy-0:1:12/negotiated_linkrate:12.0 Gbit\n{phy}/phy-0:1:12/invalid_dword_count:17\n\
                     {phy}/phy-0:3/negotiated_linkrate:12.0 Gbit\n"
                ),
            ),
            ("sas-sysfs", "host4", format!("{phy}/phy-4:0/negotiated_linkrate:12.0 Gbit\n")),
        ];
        assert_eq!(said, expected.map(|(source, part, text)| (source.to_owned(), part.to_owned(), text)));
    }
}
