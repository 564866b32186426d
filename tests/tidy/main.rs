//! The house's habits, held by tests instead of by arguments in review.
//!
//! Each rule looks at one source and complains with file, line and what to do. The rules are tried on small wrong
//! sources too, so that a rule that has gone blind is noticed.

mod data_sheet;
mod faults;
mod house;
mod proofs;
mod shape;
mod source;
mod sql;
mod testing;

use source::{Complaint, Source, all_files, rust_files};

/// Fails with all complaints of `rule` over these sources.
fn check(sources: &[Source], rule: impl Fn(&Source) -> Vec<Complaint>) {
    let complaints: Vec<String> = sources.iter().flat_map(rule).map(|complaint| complaint.to_string()).collect();
    assert!(complaints.is_empty(), "\n{}\n{} in all\n", complaints.join("\n"), complaints.len());
    assert!(sources.len() > 5, "the sources are not where this test looks for them");
}

#[test]
fn imports_run_from_main_to_app_to_edges_to_domain() {
    check(&rust_files(), house::imports);
}

#[test]
fn only_the_doors_know_the_wire() {
    check(&rust_files(), house::wire);
}

#[test]
fn the_domain_touches_no_clock_no_file_and_no_socket() {
    check(&rust_files(), house::purity);
}

#[test]
fn the_data_sheet_for_reviewers_says_what_the_code_reads() {
    let sources = rust_files();
    let all = all_files();
    let sheet = all.iter().find(|file| file.path == data_sheet::SHEET).expect("the data sheet");
    let complaints: Vec<String> = data_sheet::agrees(sheet, &sources).iter().map(ToString::to_string).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn files_have_at_most_500_lines() {
    check(&rust_files(), shape::file_lines);
}

#[test]
fn functions_have_at_most_70_lines() {
    check(&rust_files(), shape::function_lines);
}

#[test]
fn public_items_have_docs_because_every_crate_takes_the_workspace_lints() {
    let workspace = all_files().into_iter().find(|file| file.path == "Cargo.toml").expect("the workspace's manifest");
    assert!(
        workspace.text.contains("missing_docs = \"warn\""),
        "Cargo.toml: [workspace.lints.rust] missing_docs = \"warn\""
    );
    let runner = all_files().into_iter().find(|file| file.path == "tests/run").expect("tests/run");
    assert!(runner.text.contains("-D warnings"), "tests/run: clippy denies warnings, else the lint is only advice");
    for manifest in all_files().into_iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        assert!(manifest.text.contains("[lints]\nworkspace = true"), "{}: add [lints] workspace = true", manifest.path);
    }
}

#[test]
fn every_test_asserts_something() {
    check(&rust_files(), testing::assertions);
}

#[test]
fn no_test_is_ignored() {
    check(&rust_files(), testing::ignored);
}

#[test]
fn no_test_sleeps_outside_the_harness() {
    check(&rust_files(), testing::sleeps);
}

#[test]
fn sql_keeps_to_what_sqlite_and_postgresql_share() {
    check(&all_files(), sql::subset);
}

#[test]
fn nothing_names_the_place_where_it_was_written() {
    check(&all_files(), house::places);
}

#[test]
fn every_proof_applies_and_names_tests_that_exist() {
    let (all, sources) = (all_files(), rust_files());
    check(&all, |file| proofs::named(file, &sources));
    check(&all, proofs::applies);
    assert!(
        all.iter().filter(|file| file.path.ends_with(".patch")).count() > 20,
        "the patches are not where they were"
    );
}

#[test]
fn every_fault_has_its_state_and_names_tests_that_exist() {
    let (all, sources) = (all_files(), rust_files());
    check(&all, |file| faults::named(file, &sources));
    let list = all.iter().find(|file| file.path == "tests/faults.md").expect("the list of faults");
    let changed = |from: &str, to: &str| {
        let list = Source::new(list.path.clone(), list.text.replacen(from, to, 1));
        faults::named(&list, &sources).len()
    };
    assert_eq!(changed("`ten_retries_after_a_lost_reply_make_one_host`", "`ten_retries_make_ten_hosts`"), 1);
    assert_eq!(changed("| 41 |", "| 42 |"), 2);
    assert_eq!(changed("| held |", "| well |"), 1);
}

#[test]
fn a_proof_that_has_rotted_is_noticed() {
    let sources = [Source::new("agent/src/gather/tests.rs".into(), "fn holds() {}\nfn more() {}".into())];
    let patch = |head: &str, lines: usize| {
        let diff = "diff --git a/agent/nowhere.rs b/agent/nowhere.rs\n--- a/agent/nowhere.rs\n+++ b/agent/nowhere.rs\n";
        let text = format!("{head}\n{diff}@@ -1,{lines} +0,0 @@\n{}", "-gone\n".repeat(lines));
        Source::new("tests/proofs/x.patch".into(), text)
    };
    let head = "Cure: a\nWhy: b\nRed: muster_agent gather::tests::holds\n";
    assert!(proofs::named(&patch(head, 20), &sources).is_empty());
    let wrong = [
        (String::new(), 1, "before the diff"),
        (head.replace("Cure: a\n", ""), 1, "before the diff"),
        (head.replace("Red", "Green"), 1, "no line `Red"),
        (head.replace("muster_agent", "agent"), 1, "is no target"),
        (head.replace("holds", "held"), 1, "no test gather::tests::held below agent/src/gather"),
        (head.to_owned(), 21, "21 changed lines, at most 20"),
        (head.to_owned(), 0, "no diff"),
    ];
    for (head, lines, problem) in wrong {
        let complaints = proofs::named(&patch(&head, lines), &sources);
        let [complaint] = &complaints[..] else { panic!("{problem}: {complaints:?}") };
        assert!(complaint.to_string().contains(problem), "{complaint}");
    }
    let complaints = proofs::applies(&patch(head, 1));
    assert!(complaints.iter().any(|complaint| complaint.to_string().contains("does not apply")), "{complaints:?}");
}

#[test]
fn rules_notice_what_they_are_there_for() {
    let seen = |rule: fn(&Source) -> Vec<Complaint>, path: &str, text: &str| {
        let complaints = rule(&Source::new(path.to_owned(), text.to_owned()));
        assert_eq!(complaints.len(), 1, "{path}: {text}: {complaints:?}");
    };
    seen(house::imports, "collector/src/domain/x.rs", "use crate::{clock, domain::ids};");
    seen(house::imports, "collector/src/notify/x.rs", "fn f() { crate::ingest::go(); }");
    seen(house::imports, "collector/src/web/api/x.rs", "use super::super::super::notify::Outbox;");
    seen(house::wire, "collector/src/web/x.rs", "use muster_proto::Hello;");
    seen(house::purity, "collector/src/domain/x.rs", "use std::time::Instant;");
    seen(shape::file_lines, "agent/src/x.rs", &"\n".repeat(501));
    let long = format!("fn f() {{\n{}}}", "g();\n".repeat(69));
    seen(shape::function_lines, "agent/src/x.rs", &long);
    seen(testing::assertions, "agent/src/x.rs", "#[test]\nfn nothing() { let _ = 1; }");
    seen(testing::ignored, "agent/src/x.rs", "#[ignore]\n#[test]\nfn f() { assert!(true) }");
    seen(testing::sleeps, "tests/e2e/x.rs", "fn f() { std::thread::sleep(SECOND); }");
    seen(sql::subset, "collector/src/store/x.rs", "const Q: &str = \"SELECT a FROM b WHERE c = ?\";");
    seen(sql::subset, "collector/src/store/x.sql", "CREATE TABLE a (b INTEGER PRIMARY KEY AUTOINCREMENT);");
}

#[test]
fn rules_pass_over_comments_and_strings() {
    let text =
        "// use crate::web;\n/* Instant */ const A: &str = \"crate::web { tokio\"; const B: char = '{';\nfn f<'a>() {}";
    let source = Source::new("collector/src/domain/x.rs".into(), text.into());
    assert!(house::imports(&source).is_empty() && house::purity(&source).is_empty());
    assert_eq!(source.literals[0].text, "crate::web { tokio");
}
