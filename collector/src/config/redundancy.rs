//! `[[redundancy]]`: how many of some hosts or checks must be up.

use std::collections::BTreeSet;

use super::{
    oncall::{SEVERITY, name, severity},
    read::short_text,
    section::Section,
};
use crate::domain::{
    device::declared::Fleet,
    redundancy::{Group, Member, circles},
    severity::Severity,
};

/// Most groups.
pub(super) const MOST: usize = 500;
/// Most members or names of one.
const MEMBERS: usize = 500;
const MEMBER: &str = "the name of a host such as web-1, or HOST/CHECK such as web-1/http";
const NEEDS: &str = "all, any, or how many of the members";

/// Reads all groups; names that the fleet does not know are mistakes too, as far as it is known.
pub(super) fn read(sections: Vec<Section<'_, '_>>, fleet: Option<&Fleet>, devices: &[String]) -> Vec<Group> {
    let is_known = |name: &str| {
        let given = fleet.is_none_or(|fleet| fleet.knows(name)) || devices.iter().any(|device| device == name);
        if given { Ok(()) } else { Err("the name of a host or device that is known (muster-collector host list)") }
    };
    let (mut groups, mut read) = (Vec::<Group>::new(), Vec::new());
    for mut section in sections {
        let at = section.at("behind");
        let taken = |name: &str| groups.iter().any(|known| known.name == name);
        if let Some(group) = group(&mut section, taken, is_known) {
            groups.push(group);
            read.push((section, at));
        } else {
            section.finish();
        }
    }
    for at in circles(&groups) {
        let (section, place) = &read[at];
        let expected = "no circle: a member is behind the group itself, or behind one that is behind it".to_owned();
        section.wrong_at(*place, "behind", &groups[at].behind.join(", "), expected);
    }
    read.into_iter().for_each(|(section, _)| section.finish());
    groups
}

fn group(
    section: &mut Section<'_, '_>,
    taken: impl Fn(&str) -> bool,
    is_known: impl Fn(&str) -> Result<(), &'static str>,
) -> Option<Group> {
    let name = name(section, taken);
    let mut seen = BTreeSet::new();
    let members = section.required_texts("members", MEMBER, MEMBERS, |text| {
        let member = Member::from_words(text).ok_or(MEMBER)?;
        is_known(&member.host)?;
        if seen.insert(member.clone()) { Ok(member) } else { Err("each member once".to_owned()) }
    });
    let most = members.as_ref().map_or(MEMBERS, Vec::len);
    let mut needs = 1;
    section.amount("needs", NEEDS, |text| {
        needs = match text {
            "any" => 1,
            "all" => most,
            number => {
                let number = number.parse().ok().filter(|needs| (1..=most).contains(needs));
                number.ok_or_else(|| format!("{NEEDS}, 1 to {most}"))?
            }
        };
        Ok(0.0)
    });
    let behind = section.texts("behind", "the name of a host, with * and ?", MEMBERS, |text| {
        let text = short_text(text)?;
        if !text.contains(['*', '?']) {
            is_known(&text)?;
        }
        Ok(text)
    });
    let severity = section.text("severity", SEVERITY, severity).unwrap_or(Severity::Critical);
    Some(Group { name: name?, members: members?, needs, behind: behind.unwrap_or_default(), severity })
}
