//! Keeps the board of the fleet's hardware: of each host of which there is news, what became of asking its parts, and what
//! they came to.

use std::{collections::BTreeSet, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::House;
use crate::{
    bell::Bell,
    board::Board,
    clock::Clock,
    domain::{
        ids::HostNo,
        rules::hardware::{
            sheet::{LOG_MS, sheets},
            summary::Summary,
        },
    },
    store::{Store, StoreError},
};

/// Between two looks at hosts with findings: what the kernel said holds for a day.
const AGAIN: Duration = Duration::from_secs(900);

/// Keeps it.
pub(super) struct Boarding {
    store: Store,
    board: Board,
    clock: Clock,
    news: Bell,
    failing: bool,
}

impl Boarding {
    pub(super) fn of(house: &House) -> Self {
        Self {
            store: house.store.clone(),
            board: house.board.clone(),
            clock: house.clock.clone(),
            news: house.hardware.beside(),
            failing: false,
        }
    }

    /// Works until `stop` turns true.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.work() => {}
            _ = stop.changed() => {}
        }
    }

    async fn work(&mut self) {
        match self.store.hosts_with_hardware().await {
            Ok(hosts) => self.write(hosts).await,
            Err(error) => self.told(Some(&error)),
        }
        loop {
            tokio::select! {
                () = self.news.rung() => self.write(self.news.take()).await,
                () = sleep(AGAIN) => self.write(self.board.troubled()).await,
            }
        }
    }

    async fn write(&mut self, hosts: BTreeSet<HostNo>) {
        for host in hosts {
            match self.summary(host).await {
                Ok(summary) => {
                    self.board.put(host, summary);
                    self.told(None);
                }
                Err(error) => self.told(Some(&error)),
            }
        }
    }

    /// Says once that evidence cannot be read: what the board says stands as it was.
    fn told(&mut self, error: Option<&StoreError>) {
        if let Some(error) = error.filter(|_| !self.failing) {
            tracing::warn!(error.type = error.kind(), "the board of the hardware cannot be kept: {error}");
        }
        self.failing = error.is_some();
    }

    async fn summary(&self, host: HostNo) -> Result<Summary, StoreError> {
        let (found, told) = self.store.told(host, self.clock.now().plus_ms(-LOG_MS)).await?;
        let summed = tokio::task::spawn_blocking(move || {
            let asked = found.iter().map(|one| (one.source.as_str(), one.outcome.as_str(), one.why(), one.at));
            Summary::of(asked, sheets(&told))
        });
        Ok(summed.await.unwrap_or_default())
    }
}
