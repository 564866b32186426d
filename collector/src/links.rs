//! Signed links that let one person take one incident without signing in, or say that a test page came: written into pages,
//! opened on a phone at night.
//!
//! A link names incident, page, person and end; its signature is an HMAC with a key that never leaves the state directory.
//! Nothing is kept of these links: without the key none can be made, with another key all of them are void. Calendars and what
//! departments see have links that are signed with the same key, each for its own purpose.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};

use crate::domain::{
    ids::{IncidentNo, PageId},
    oncall::test_page::CONFIRMED_WITHIN_MS,
    record::{Page, PageKind},
    time::Timestamp,
};

/// The key's file in the state directory.
pub const KEY_FILE: &str = "links.key";
const KEY_BYTES: usize = 32;
/// A link works for so long after its page was decided, in milliseconds: a night and the morning after it.
pub const WORKS_MS: i64 = 24 * 3_600_000;
/// Signs only this purpose.
const PURPOSE: &str = "muster act 1";
/// And only this one: that a test page came.
const CONFIRMS: &str = "muster confirm 1";
/// Longest name in a link, in bytes.
const WHO_BYTES: usize = 128;

/// Makes and opens signed links. Cheap to clone.
#[derive(Clone)]
pub struct Links {
    key: Arc<hmac::Key>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which incident it takes; 0 in one that confirms a test.
    pub incident: IncidentNo,
    /// In which page it stood.
    pub page: PageId,
    /// When it ends.
    pub ends: Timestamp,
    /// For whom: a person, or a receiver that was told as such.
    pub who: String,
}

impl Links {
    /// With the key of this state directory; one is made where there is none.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds something else.
    pub fn open(state: &Path) -> io::Result<Self> {
        let path = state.join(KEY_FILE);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut key = Vec::new();
        match fs::File::open(&path) {
            Ok(file) => drop(file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key).map_err(named)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                key = vec![0; KEY_BYTES];
                let no_bytes = || io::Error::other("the operating system gives no random bytes");
                SystemRandom::new().fill(&mut key).map_err(|_| no_bytes())?;
                keep(state, &path, &key).map_err(named)?;
            }
            Err(error) => return Err(named(error)),
        }
        if key.len() != KEY_BYTES {
            let why = format!(
                "{} does not hold {KEY_BYTES} bytes: remove it, and links in old pages are void",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Self { key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &key)) })
    }

    /// The path of the link that stands in a page; only pages of trouble and tests of a person have one.
    #[must_use]
    pub fn path(&self, page: &Page) -> Option<String> {
        if page.kind == PageKind::Test {
            let ends = page.decided.plus_ms(CONFIRMED_WITHIN_MS);
            let link = Link { incident: IncidentNo(0), page: page.id, ends, who: page.person.clone()? };
            return Some(format!("/confirm/{}", self.sign(CONFIRMS, &link)));
        }
        let incident = page.incident.filter(|_| matches!(page.kind, PageKind::Opened | PageKind::Updated))?;
        let who = page.person.as_deref().unwrap_or(&page.receiver);
        let who = who[..who.floor_char_boundary(WHO_BYTES)].to_owned();
        let link = Link { incident, page: page.id, ends: page.decided.plus_ms(WORKS_MS), who };
        Some(format!("/act/{}", self.sign(PURPOSE, &link)))
    }

    fn sign(&self, purpose: &str, link: &Link) -> String {
        self.signed(purpose, &format!("{} {} {} {}", link.incident, link.page, link.ends.ms(), link.who))
    }

    fn signed(&self, purpose: &str, says: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{purpose} {says}").as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(says), URL_SAFE_NO_PAD.encode(tag))
    }

    /// What was signed for this purpose with our key.
    fn opened(&self, purpose: &str, text: &str) -> Option<String> {
        let (says, tag) = text.split_once('.')?;
        let (says, tag) = (URL_SAFE_NO_PAD.decode(says).ok()?, URL_SAFE_NO_PAD.decode(tag).ok()?);
        let says = String::from_utf8(says).ok()?;
        hmac::verify(&self.key, format!("{purpose} {says}").as_bytes(), &tag).ok()?;
        Some(says)
    }

    /// What a link says, if it is one of ours. Whether it has ended is the caller's business.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Link> {
        self.read_for(PURPOSE, text)
    }

    /// The same of a link that confirms a test.
    #[must_use]
    pub fn read_confirming(&self, text: &str) -> Option<Link> {
        self.read_for(CONFIRMS, text)
    }

    fn read_for(&self, purpose: &str, text: &str) -> Option<Link> {
        let says = self.opened(purpose, text)?;
        let mut parts = says.splitn(4, ' ');
        let mut number = || parts.next()?.parse::<i64>().ok();
        let (incident, page, ends) = (IncidentNo(number()?), PageId(number()?), Timestamp::from_ms(number()?));
        Some(Link { incident, page, ends, who: parts.next()?.to_owned() })
    }
}

/// Puts a new key on the disk, whole and under its name, before anything is signed with it: after a power cut it is there or not,
/// never half of it, which a person would have to remove.
fn keep(state: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    let beside = state.join(format!("{KEY_FILE}.new"));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(key)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    fs::File::open(state)?.sync_all()
}

/// Whose turns a calendar shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// Of which rotation; none: of all.
    pub rotation: Option<String>,
    /// Of which person; none: of everybody.
    pub person: Option<String>,
}

/// Signs addresses of calendars: they show turns, take nothing, and work as long as the key is there.
const CALENDAR: &str = "muster calendar 1";

impl Links {
    /// The signed name of a calendar.
    #[must_use]
    pub fn calendar(&self, whose: &Whose) -> String {
        let part = |name: &Option<String>| name.clone().unwrap_or_default();
        self.signed(CALENDAR, &format!("{} {}", part(&whose.rotation), part(&whose.person)))
    }

    /// Whose turns a signed name shows, if it is one of ours.
    #[must_use]
    pub fn read_calendar(&self, text: &str) -> Option<Whose> {
        let says = self.opened(CALENDAR, text)?;
        let (rotation, person) = says.split_once(' ')?;
        let part = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        Some(Whose { rotation: part(rotation), person: part(person) })
    }
}

/// Signs links that show some agreements: which, until when, and whether they still work stands in the store.
const SHARE: &str = "muster share 1";

impl Links {
    /// The signed name of a link that shows some agreements, by its number.
    #[must_use]
    pub fn share(&self, no: i64) -> String {
        self.signed(SHARE, &no.to_string())
    }

    /// The number of such a link, if it is one of ours.
    #[must_use]
    pub fn read_share(&self, text: &str) -> Option<i64> {
        self.opened(SHARE, text)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link { incident: IncidentNo(7), page: PageId(9), ends: Timestamp::from_ms(1_000), who: "Ann B. ♥".into() }
    }

    #[test]
    fn a_calendars_name_is_read_back_and_is_no_link_that_takes_anything() {
        let state = tempfile::tempdir().unwrap();
        let links = Links::open(state.path()).unwrap();
        for (rotation, person) in [(Some("ops"), None), (None, Some("ann")), (Some("ops"), Some("ann"))] {
            let whose = Whose { rotation: rotation.map(str::to_owned), person: person.map(str::to_owned) };
            let text = links.calendar(&whose);
            assert_eq!((links.read_calendar(&text), links.read(&text)), (Some(whose), None));
            let other = tempfile::tempdir().unwrap();
            assert_eq!(Links::open(other.path()).unwrap().read_calendar(&text), None);
        }
        assert_eq!(links.read_calendar(&links.sign(PURPOSE, &link())), None);
    }

    #[test]
    fn a_link_of_agreements_is_read_back_and_opens_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let links = Links::open(state.path()).unwrap();
        let text = links.share(7);
        assert_eq!(links.read_share(&text), Some(7));
        assert_eq!((links.read(&text), links.read_confirming(&text), links.read_calendar(&text)), (None, None, None));
        let whose = Whose { rotation: Some("7".to_owned()), person: None };
        assert_eq!(links.read_share(&links.calendar(&whose)), None);
        let forged = format!("{}.{}", URL_SAFE_NO_PAD.encode("8"), text.split_once('.').unwrap().1);
        assert_eq!(links.read_share(&forged), None);
        let other = tempfile::tempdir().unwrap();
        assert_eq!(Links::open(other.path()).unwrap().read_share(&text), None, "another collector's key");
    }

    #[test]
    fn a_link_says_what_was_signed_also_after_a_restart_and_nothing_else_does() {
        let state = tempfile::tempdir().unwrap();
        let text = Links::open(state.path()).unwrap().sign(PURPOSE, &link());
        let links = Links::open(state.path()).unwrap();
        assert_eq!(links.read(&text), Some(link()));
        assert_eq!(links.read_confirming(&text), None, "for another purpose");
        assert!(!text.contains(['/', '+', '=', '&', '?']), "{text}");
        let other = tempfile::tempdir().unwrap();
        assert_eq!(Links::open(other.path()).unwrap().read(&text), None, "another collector's key");
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(links.read(&String::from_utf8(damaged).unwrap()), None, "character {at}");
        }
        let forged = format!("{}.{}", URL_SAFE_NO_PAD.encode("8 9 1000 Ann"), text.split_once('.').unwrap().1);
        assert_eq!(links.read(&forged), None);
        for nothing in ["", ".", "x", "a.b", "é.é"] {
            assert_eq!(links.read(nothing), None);
        }
    }

    #[test]
    fn half_a_key_that_a_power_cut_left_is_made_anew_and_none_is_left_under_its_name() {
        use std::os::unix::fs::PermissionsExt as _;

        let state = tempfile::tempdir().unwrap();
        let beside = state.path().join("links.key.new");
        fs::write(&beside, "half of a key, and then more than a whole one has").unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
        let text = Links::open(state.path()).unwrap().sign(PURPOSE, &link());
        assert_eq!(Links::open(state.path()).unwrap().read(&text), Some(link()));
        let names: Vec<_> = fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [KEY_FILE]);
        let meta = fs::metadata(state.path().join(KEY_FILE)).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (32, 0o600));
    }

    #[test]
    fn a_key_that_is_none_is_named_with_the_remedy() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(KEY_FILE), "short").unwrap();
        let said = Links::open(state.path()).unwrap_err().to_string();
        assert!(said.contains(KEY_FILE) && said.contains("remove it"), "{said}");
    }
}
