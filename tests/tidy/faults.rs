//! The list of faults does not rot: each test that it names is there, and no fault is left out.

use super::source::{Complaint, Source};

/// The list.
const LIST: &str = "tests/faults.md";
/// So many faults are on it.
const FAULTS: usize = 41;
/// What a fault may be, and whether tests have to be named for it.
const STATES: [(&str, bool); 3] = [("held", true), ("partly", true), ("open", false)];
/// Shorter words in backticks are names of programs and files.
const SHORTEST_TEST: usize = 15;

/// Each fault stands in its place, has a state, and names tests that exist.
pub(crate) fn named(list: &Source, sources: &[Source]) -> Vec<Complaint> {
    if list.path != LIST {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let mut next = 1;
    for (number, line) in list.text.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, fault, _, _, state, by, _] = cells[..] else { continue };
        let Ok(fault) = fault.parse::<usize>() else { continue };
        let mut complain = |text: String| complaints.push(list.complain(number + 1, text));
        if fault != next {
            complain(format!("fault {next} is expected here, not {fault}"));
        }
        next = fault + 1;
        let Some((_, wants_tests)) = STATES.iter().find(|(known, _)| *known == state) else {
            complain(format!("`{state}` is none of held, partly, open"));
            continue;
        };
        let tests: Vec<&str> = by.split('`').skip(1).step_by(2).collect();
        if *wants_tests && tests.is_empty() {
            complain("names no test".to_owned());
        }
        let is_test = |name: &&&str| name.len() >= SHORTEST_TEST && !name.contains([' ', '/']);
        for test in tests.iter().filter(is_test).filter(|test| !exists(test, sources)) {
            complain(format!("there is no test {test}: name the one that holds it"));
        }
    }
    if next != FAULTS + 1 {
        complaints.push(list.complain(1, format!("{} faults are here, {FAULTS} are expected", next - 1)));
    }
    complaints
}

fn exists(test: &str, sources: &[Source]) -> bool {
    let function = format!("fn {test}(");
    sources.iter().any(|source| source.text.contains(&function))
}
