//! The patches of `tests/proofs` do not rot: each applies and names tests that exist. What they prove takes an hour and
//! is shown by `tests/long proofs`.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use muster_tests::measure::proof::{Proof, Test};

use super::source::{Complaint, Source};

/// A patch has a head, is short, and names tests that are there.
pub(crate) fn named(patch: &Source, sources: &[Source]) -> Vec<Complaint> {
    if !is_patch(patch) {
        return Vec::new();
    }
    match Proof::parse(&patch.path, &patch.text) {
        Err(error) => vec![patch.complain(1, error)],
        Ok(proof) => proof
            .red
            .iter()
            .filter(|test| !exists(test, sources))
            .map(|test| {
                let text = format!("there is no test {} below {}: name the one that holds it", test.path, test.place());
                patch.complain(1, text)
            })
            .collect(),
    }
}

/// A patch applies to the checkout as it is.
pub(crate) fn applies(patch: &Source) -> Vec<Complaint> {
    if !is_patch(patch) {
        return Vec::new();
    }
    match git_apply_check(&patch.text) {
        Ok(said) if said.status.success() => Vec::new(),
        Ok(said) => {
            let error = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            vec![patch.complain(1, format!("does not apply any more, make its diff anew: {error}"))]
        }
        Err(error) => vec![patch.complain(1, format!("git is needed to look at it: {error}"))],
    }
}

fn git_apply_check(patch: &str) -> std::io::Result<Output> {
    let mut git = Command::new("git")
        .current_dir(muster_tests::process::root())
        .args(["apply", "--check", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = git.stdin.take() {
        input.write_all(patch.as_bytes())?;
    }
    git.wait_with_output()
}

fn is_patch(source: &Source) -> bool {
    source.path.starts_with("tests/proofs/") && source.path.ends_with(".patch")
}

fn exists(test: &Test, sources: &[Source]) -> bool {
    let (place, function) = (test.place(), format!("fn {}(", test.function()));
    sources.iter().any(|source| source.path.starts_with(&place) && source.text.contains(&function))
}
