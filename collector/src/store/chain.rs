//! Hash chains: an entry carries SHA-256 over the hash of the one before and its own fields, so that nothing in
//! between can be changed or taken out unseen.

use ring::digest;

/// What the first entry of a chain follows.
pub(super) const START: [u8; 32] = [0; 32];

/// The hash of an entry. Fields are preceded by their length, so that no two lists of fields read the same.
pub(super) fn link(previous: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(previous);
    for field in fields {
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field);
    }
    context.finish().as_ref().to_vec()
}
