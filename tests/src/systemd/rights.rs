//! The example of a drop-in that gives the agent rights for evidence of the hardware: what its process has then.

use muster_tests::process::root;

use super::Story;

const EXAMPLE: &str = "muster-agent.service.d/hardware.conf";
/// Capabilities by their numbers (include/uapi/linux/capability.h), of those that the example names in use and the unit's own.
const NAMES: [(u32, &str); 5] = [
    (2, "CAP_DAC_READ_SEARCH"),
    (12, "CAP_NET_ADMIN"),
    (17, "CAP_SYS_RAWIO"),
    (21, "CAP_SYS_ADMIN"),
    (34, "CAP_SYSLOG"),
];

impl Story {
    pub(crate) async fn rights(&mut self) {
        self.equal("capabilities of the agent as shipped", "CAP_DAC_READ_SEARCH", self.capabilities().await);
        let example = std::fs::read_to_string(root().join("deploy/systemd").join(EXAMPLE)).expect("a shipped file");
        let alone: Vec<&str> = example.lines().filter(|line| !line.starts_with("CapabilityBoundingSet=")).collect();
        self.drop_in(&alone.join("\n")).await;
        let seen = self.capabilities().await;
        self.equal("  with AmbientCapabilities= alone", "CAP_DAC_READ_SEARCH", seen);
        self.drop_in(&example).await;
        let expected = "CAP_DAC_READ_SEARCH CAP_SYS_RAWIO CAP_SYS_ADMIN CAP_SYSLOG";
        self.equal("  with the example of a drop-in", expected, self.capabilities().await);
    }

    /// Puts a drop-in in place and starts the agent with it.
    async fn drop_in(&self, text: &str) {
        let file = self.machine.root().join("etc/systemd/system").join(EXAMPLE);
        std::fs::create_dir_all(file.parent().expect("it has a directory")).expect("a tree of our own");
        std::fs::write(&file, text).expect("a tree of our own");
        self.machine.must(&["systemctl", "daemon-reload"]).await;
        self.machine.must(&["systemctl", "restart", "muster-agent"]).await;
    }

    /// What the agent's process gives to the tools that it starts.
    async fn capabilities(&self) -> String {
        let pid = self.machine.property("muster-agent", "MainPID").await;
        let status = self.machine.must(&["cat", &format!("/proc/{pid}/status")]).await;
        let line = status.lines().find_map(|line| line.strip_prefix("CapAmb:")).unwrap_or_default();
        let set = u64::from_str_radix(line.trim(), 16).unwrap_or_default();
        let names = NAMES.iter().filter(|(number, _)| set >> number & 1 == 1).map(|(_, name)| *name);
        names.collect::<Vec<_>>().join(" ")
    }
}
