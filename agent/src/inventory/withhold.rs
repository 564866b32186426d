//! PURE: taking out of a section what is withheld of this machine.
//!
//! A section that lacks such fields says which, and that they are switched off, so that nobody takes them for absent. Where what
//! is withheld is a row's key, a stand-in tells the rows apart: it is the same as long as the machine is, and nobody learns from
//! it what it stands for.

use ring::hmac;

use super::{Section, Status};
use crate::withheld::Withheld;

impl Withheld {
    /// Takes out of a section what is withheld. `secret` is what this machine alone knows.
    pub fn clean(self, section: &mut Section, secret: &[u8]) {
        let names: Vec<&str> = self.families().flat_map(|family| family.fields_of(&section.name)).copied().collect();
        if names.is_empty() || section.rows.is_empty() {
            return;
        }
        for row in &mut section.rows {
            for fields in [&mut row.durable, &mut row.latest] {
                for (_, value) in fields.iter().filter(|(name, _)| names.contains(&name.as_ref())) {
                    if row.key.contains(value.as_str()) {
                        row.key = row.key.replace(value.as_str(), &stand_in(value, secret));
                    }
                }
                fields.retain(|(name, _)| !names.contains(&name.as_ref()));
            }
        }
        section.rows.sort_by(|one, other| one.key.cmp(&other.key));
        let told = format!("switched off by [collect] off in agent.toml: {}", names.join(", "));
        section.reason = if section.reason.is_empty() { told } else { format!("{told}; {}", section.reason) };
        if section.status == Status::Complete {
            section.status = Status::Partial;
        }
    }
}

/// Bytes of a stand-in's number: one of 2^32 for the few parts of a machine.
const STAND_IN_BYTES: usize = 4;

fn stand_in(value: &str, secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, value.as_bytes());
    let digits: String = tag.as_ref()[..STAND_IN_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("off-{digits}")
}
