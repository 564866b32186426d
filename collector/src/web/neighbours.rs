//! What agents have met that nobody manages, for views and for the API, and who says whose it is.

use super::{Web, access::Caller, problem::Problem};
use crate::{
    domain::{
        inventory::{
            neighbours::{self, ACTION, Known, Mark, Neighbour, Row, SECTION, identity},
            planned,
        },
        record::Row as Recorded,
    },
    store::{AuditOf, inventory::search::Search},
};

/// Rows read of the fleet's neighbours; those of more hosts are not looked at.
const ROWS: usize = 500_000;
/// Marks that are read.
const MARKS: usize = 100_000;

/// One that is neither host nor device, and what somebody said of it.
#[derive(Debug, Clone)]
pub(super) struct Stranger {
    pub(super) neighbour: Neighbour,
    pub(super) mark: Option<Mark>,
}

impl Stranger {
    pub(super) fn is_foreign(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.is_foreign)
    }
}

/// What was met, and whether that is all.
pub(super) struct Met {
    pub(super) strangers: Vec<Stranger>,
    pub(super) is_all: bool,
}

impl Web {
    /// All that agents have met and that is neither host nor device.
    pub(super) async fn neighbours(&self) -> Result<Met, Problem> {
        let (snapshot, store) = (self.snapshot(), &self.context.store);
        let mut known = Known::default();
        for rows in store.inventory_of_all("interfaces").await?.values() {
            rows.iter().for_each(|row| known.interface(row));
        }
        for host in snapshot.hosts.values() {
            let device = host.device.as_ref().and_then(|view| view.device.address.parse().ok());
            let site = host.profile.site.as_deref();
            host.peer.into_iter().chain(device).for_each(|address| known.place(site, address));
            known.name(&host.profile.name);
        }
        let (mut hits, mut after) = (Vec::new(), None);
        let is_all = loop {
            let section = SECTION.to_owned();
            let (name, fields, from, to) = (None, Vec::new(), None, None);
            let page = store.inventory_search(Search { section, name, fields, from, to, after, limit: ROWS }).await?;
            hits.extend(page.rows);
            after = page.next;
            if after.is_none() || hits.len() >= ROWS {
                break after.is_none();
            }
        };
        let rows = hits.iter().map(|hit| {
            let site = snapshot.hosts.get(&hit.host).and_then(|host| host.profile.site.as_deref());
            Row { host: hit.host, site, since: hit.first, durable: &hit.durable }
        });
        let unknown = neighbours::unknown(rows, &known);
        let of = AuditOf { action: Some(ACTION.to_owned()), ..AuditOf::default() };
        let mut marks = neighbours::marks(&store.audit_of(of, MARKS).await?);
        let stranger = |neighbour: Neighbour| Stranger { mark: marks.remove(&neighbour.identity), neighbour };
        Ok(Met { strangers: unknown.into_iter().map(stranger).collect(), is_all })
    }

    /// Somebody says whose a neighbour is, and why; the audit log has it.
    pub(super) async fn mark(&self, caller: &Caller, mac: &str, is_foreign: bool, text: &str) -> Result<(), Problem> {
        let expected = "an address of hardware such as 00:1b:21:00:00:01, or name/NAME";
        let known = identity(mac).ok_or_else(|| Problem::invalid("mac", mac, expected))?;
        let reason = planned::reason(text).map_err(|expected| Problem::invalid("reason", text, &expected))?;
        let audit = caller.audit(self.now(), ACTION, &known, neighbours::detail(is_foreign, &reason));
        self.context.store.commit(vec![Recorded::Audit(audit)]).await?;
        Ok(())
    }
}
