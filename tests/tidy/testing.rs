//! Tests show something, run always, and wait for conditions instead of sleeping.

use super::source::{Complaint, Source};

/// What fails a test: an assertion, or a helper that is named for what it asserts.
const ASSERTIONS: &[&str] = &[
    "assert",
    "panic!",
    "expect(",
    "expect_err(",
    "unwrap_err(",
    "unreachable!",
    "check_",
    "check(",
    "eventually(",
    "never(",
];

/// The functions that are marked as tests: where the mark stands, and their body.
fn tests(source: &Source) -> Vec<(usize, &str)> {
    let marks = ["#[test]", "#[tokio::test]", "#[tokio::test("];
    let mut found: Vec<usize> =
        marks.iter().flat_map(|mark| source.code.match_indices(mark).map(|(at, _)| at)).collect();
    found.sort_unstable();
    let body = |at: usize| source.block_after(at + source.code[at..].find("fn ")?);
    found.into_iter().filter_map(|at| body(at).map(|(from, to)| (at, &source.code[from..to]))).collect()
}

/// A test without an assertion shows only that nothing panicked.
pub(crate) fn assertions(source: &Source) -> Vec<Complaint> {
    // Helpers of the same file that assert count for those who call them.
    let helpers: Vec<String> = source
        .words("fn")
        .filter_map(|at| {
            let (from, to) = source.block_after(at)?;
            let name: String = source.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let asserts = ASSERTIONS.iter().any(|word| source.code[from..to].contains(word));
            (asserts && !name.is_empty()).then(|| format!("{name}("))
        })
        .collect();
    tests(source)
        .into_iter()
        .filter(|(_, body)| !ASSERTIONS.iter().any(|word| body.contains(word)))
        .filter(|(_, body)| !helpers.iter().any(|helper| body.contains(helper.as_str())))
        .map(|(at, _)| {
            source.complain(source.line_of(at), "this test asserts nothing: say what must hold, or call a check_...")
        })
        .collect()
}

/// An ignored test is a test that nobody runs.
pub(crate) fn ignored(source: &Source) -> Vec<Complaint> {
    let advice = "no test is ignored: assert what holds now, or move it to tests/long";
    source.code.match_indices("#[ignore").map(|(at, _)| source.complain(source.line_of(at), advice)).collect()
}

/// Tests wait for what they need; only the harness sleeps between two looks.
pub(crate) fn sleeps(source: &Source) -> Vec<Complaint> {
    let harness = source.path.starts_with("tests/harness/") || source.path.starts_with("tests/src/");
    let is_file_of_tests =
        source.path.starts_with("tests/") || source.path.contains("/tests/") || source.path.ends_with("tests.rs");
    // On tokio's paused clock nothing waits for real.
    if harness || source.code.contains("start_paused") {
        return Vec::new();
    }
    let from = if is_file_of_tests { Some(0) } else { source.code.find("#[cfg(test)]") };
    let Some(from) = from else { return Vec::new() };
    let advice = "a test does not sleep: wait for the condition (harness: eventually, never), or give it the time";
    ["thread::sleep(", "time::sleep("]
        .iter()
        .flat_map(|word| source.code.match_indices(word))
        .filter(|(at, _)| *at >= from)
        .map(|(at, _)| source.complain(source.line_of(at), advice))
        .collect()
}
