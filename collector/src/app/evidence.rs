//! What hosts' hardware said last, read from the store for whoever writes pages of it.

use crate::{
    bell::Bell,
    domain::ids::HostNo,
    exposition::{Evidence, Said},
    store::{
        Store, StoreError,
        hardware::{Found, Of},
    },
};

/// Parts of sources whose text a page shows.
const SHOWN: &str = "smartctl-json";

/// Evidence of this store, of which the bell tells the news.
pub(super) fn evidence(store: &Store, bell: &Bell) -> Evidence {
    let (store, bell) = (store.clone(), bell.clone());
    Evidence::new(
        move |host| bell.rings(host),
        move |host| {
            let store = store.clone();
            Box::pin(async move { said(&store, host).await.ok() })
        },
    )
}

async fn said(store: &Store, host: HostNo) -> Result<Vec<Said>, StoreError> {
    let mut said = Vec::new();
    for found in store.hardware(host, Of::AllParts).await? {
        let last = store.last_read(host, &found).await?;
        let payload = |found: &Found| if found.source == SHOWN { found.payload() } else { Vec::new() };
        said.push(Said {
            last: last.map(|last| (last.at, payload(&last))),
            why: found.why().to_owned(),
            source: found.source,
            part: found.part,
            outcome: found.outcome,
        });
    }
    Ok(said)
}
