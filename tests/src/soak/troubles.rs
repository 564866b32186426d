//! Troubles at a multiple of the rate that a fleet has on a bad day: checks that fail and are well again, incidents from
//! outside, labels that people change.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_tests::measure::alerts::Alerts;
use muster_tests::process::free_port;
use muster_tests::wait::pass;
use muster_tests::{Collector, Webhook};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One each five minutes: what a few hundred hosts bring on a bad day.
pub(crate) const USUAL_PER_HOUR: f64 = 12.0;
/// Services that fail in turn, each once in 12 minutes at 100 times the rate: none of them flaps (`domain/flapping.rs`), and an
/// agent takes up to 256 checks.
const SERVICES: usize = 250;
/// Each trouble lasts for so long: longer than a page of the normal watch level waits (30 s).
const LASTS: Duration = Duration::from_secs(60);
/// A service is looked at this often, twice while it fails.
const CHECKED_EVERY_S: u64 = 30;

/// Services of this process that fail in turn.
pub(crate) struct Troubles {
    between: Duration,
    services: Vec<Service>,
    hook: Webhook,
    made: Arc<AtomicU64>,
}

/// A port that takes connections, or does not.
struct Service {
    port: u16,
    task: JoinSet<()>,
}

impl Troubles {
    /// At `rate` times the usual rate.
    pub(crate) async fn prepare(rate: f64) -> Result<Self> {
        let mut services = Vec::new();
        for _ in 0..SERVICES {
            let mut service = Service { port: free_port(), task: JoinSet::new() };
            service.open().await?;
            services.push(service);
        }
        let between = Duration::from_secs_f64(3_600.0 / (USUAL_PER_HOUR * rate));
        Ok(Self { between, services, hook: Webhook::start().await, made: Arc::default() })
    }

    /// Lines of `collector.toml`: who is paged.
    pub(crate) fn receiver(&self) -> String {
        self.hook.receiver()
    }

    /// Lines of `agent.toml`: the checks of the services.
    pub(crate) fn checks(&self) -> String {
        let check = |(n, service): (usize, &Service)| {
            format!(
                "[[check]]\nname = \"soak-{n}\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\ninterval = \"{CHECKED_EVERY_S}s\"\n\
                 timeout = \"2s\"\nattempts = 1\n",
                service.port
            )
        };
        self.services.iter().enumerate().map(check).collect()
    }

    /// How many troubles were made so far.
    pub(crate) fn made(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.made)
    }

    /// Makes them until it is dropped; `host` is the name of the host that the agent is on.
    pub(crate) async fn go_on(mut self, collector: Arc<Collector>, host: String) -> Result<()> {
        let alerts = Alerts::to(&collector).await;
        let lasting = (LASTS.as_secs_f64() / self.between.as_secs_f64()).ceil().max(1.0) as usize;
        for n in 0_usize.. {
            let name = |n: usize| format!("Soak{n}");
            self.services[n % SERVICES].task.shutdown().await;
            alerts.fire(&[name(n)], "warning").await?;
            collector.cli(&["host", "label", &host, &format!("soak={n}")]).await;
            if let Some(over) = n.checked_sub(lasting) {
                self.services[over % SERVICES].open().await?;
                alerts.end(&name(over), "warning").await?;
            }
            self.made.store(n as u64 + 1, Ordering::Relaxed);
            pass(self.between).await;
        }
        Ok(())
    }
}

impl Service {
    async fn open(&mut self) -> Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let listener = TcpListener::bind(address).await.context("its port is taken")?;
        self.task.spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
        Ok(())
    }
}
