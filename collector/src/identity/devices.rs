//! Hosts without an agent: they get a number, an id and a name like any other, and never a certificate.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{Identity, enrol::new_uuid};
use crate::{
    domain::{
        ids::HostId,
        labels::{Admission, Class, Facts, Profile},
        layers::{Layer, Layers},
        record::AuditRow,
        time::Timestamp,
    },
    store::{
        self, StoreError,
        identity_rows::{self, SessionRecord},
    },
};

impl Identity {
    /// Makes a device with this name; nothing where a host is called so already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn make_device(&self, name: &str, by: AuditRow, now: Timestamp) -> Result<Option<Profile>, StoreError> {
        let (name, id, profiles) = (name.to_owned(), HostId(new_uuid(now)?), self.store.profiles());
        let write = move |connection: &Connection| {
            if identity_rows::is_name_taken(connection, &name)? {
                return Ok(None);
            }
            let mut profile = Profile {
                no: identity_rows::next_host_no(connection)?,
                id,
                name: name.clone(),
                class: Class::Device,
                site: None,
                watch: Class::Device.default_watch(),
                labels: BTreeMap::new(),
                layers: Layers::default(),
                admission: Admission::Active,
                facts: Facts::default(),
            };
            let says = [("class".to_owned(), Class::Device.word().to_owned())].into();
            profile.relabel(Layers::default().with(Layer::Person, &says));
            let session = SessionRecord { generation: 0, fingerprint: "{}".into() };
            identity_rows::put_host_with_session(connection, &profile, &session)?;
            identity_rows::append_audit(connection, &by)?;
            Ok(Some(profile))
        };
        let committed = move |made: &Option<Profile>| {
            if let Some(profile) = made {
                store::remember(&profiles, profile.clone());
            }
        };
        self.store.write(write, committed).await
    }
}
