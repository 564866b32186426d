//! A balancer that passes connections on and opens none: Debian's haproxy.

use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, installed};

/// It listens within a second on an idle machine.
const START: Duration = Duration::from_secs(20);

/// A haproxy in mode tcp.
#[derive(Debug)]
pub struct Balancer {
    home: TempDir,
    /// Where it listens.
    pub address: String,
    process: Option<Process>,
}

impl Balancer {
    /// Starts one at `address` before these ports of this machine. It gives a connection up that is still for a minute, as
    /// those in clouds do at the soonest.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(address: &str, ports: &[u16]) -> Self {
        let servers: String =
            ports.iter().map(|port| format!("  server collector-{port} 127.0.0.1:{port} check inter 500\n")).collect();
        let lines = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             listen muster\n  bind {address}\n{servers}"
        );
        let mut balancer =
            Self { home: TempDir::new().expect("a directory"), address: address.to_owned(), process: None };
        std::fs::write(balancer.home.path().join("haproxy.cfg"), lines).expect("a file in a directory of our own");
        balancer.run().await;
        balancer
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn run(&mut self) {
        let mut command = Command::new(installed("haproxy", "haproxy"));
        command.arg("-db").arg("-f").arg(self.home.path().join("haproxy.cfg"));
        let mut process = Process::start("haproxy", &mut command, &self.home.path().join("out"));
        let address = &self.address;
        process.ready(START, || async { tokio::net::TcpStream::connect(address).await.ok() }).await;
        self.process = Some(process);
    }

    /// Kills it, and with it all that goes through it.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }
}
