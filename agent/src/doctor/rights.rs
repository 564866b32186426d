//! How the agent is given a right that its shipped unit does not have.

/// Where all such lines stand together, with what each is for.
const EXAMPLE: &str = "deploy/systemd/muster-agent.service.d/hardware.conf has all such lines";

/// How the privileged helper is switched on.
const HELPER: &str = "`systemctl enable --now muster-helper.socket` lets the agent ask through its privileged helper";

/// The helper first, which can do it without more rights for the agent.
pub(super) fn or_helper(other: &str) -> String {
    format!("{HELPER}; or {other}")
}

/// The drop-in with these capabilities. They have to stand in two lines: the unit bounds what its processes may have.
pub(super) fn drop_in(capabilities: &str, more: &str) -> String {
    format!(
        "`systemctl edit muster-agent`, below `[Service]` the lines {more}`AmbientCapabilities={capabilities}` and \
         `CapabilityBoundingSet={capabilities}`, then `systemctl restart muster-agent`; {EXAMPLE}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_has_the_rights_that_its_remedy_stands_for_and_its_socket_the_name() {
        let unit = include_str!("../../../deploy/systemd/muster-helper@.service");
        let bound = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap_or_default();
        assert_eq!(bound, "CAP_SYS_RAWIO CAP_SYS_ADMIN CAP_SYSLOG");
        let socket = include_str!("../../../deploy/systemd/muster-helper.socket");
        assert!(socket.lines().any(|line| line == "ListenStream=/run/muster/helper.sock"));
        assert!(or_helper("x").starts_with("`systemctl enable --now muster-helper.socket`"));
        assert_eq!(crate::helper::SOCKET, "/run/muster/helper.sock");
        assert!(unit.lines().any(|line| line == "RuntimeDirectory=muster-helper"));
        assert_eq!(crate::helper::LOCKS, "/run/muster-helper");
    }

    /// Of each capability that the example gives, both lines stand in it, in use or not.
    #[test]
    fn the_example_has_both_lines_for_every_capability_that_a_remedy_names() {
        let example = include_str!("../../../deploy/systemd/muster-agent.service.d/hardware.conf");
        let has = |line: &str| example.lines().any(|known| known.trim_start_matches('#') == line);
        for capability in ["CAP_SYS_RAWIO", "CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE"] {
            let remedy = drop_in(capability, "");
            for setting in ["AmbientCapabilities", "CapabilityBoundingSet"] {
                let line = format!("{setting}={capability}");
                assert!(has(&line) && remedy.contains(&format!("`{line}`")), "{line}");
            }
        }
        assert!(has("SupplementaryGroups=disk"));
    }
}
