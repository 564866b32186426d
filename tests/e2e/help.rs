//! What help tells people to type exists: each command and each flag, in the real programs.

use muster_tests::process::{program, root, run};
use tokio::process::Command;

/// The command lines of our programs in fenced blocks, up to what is a shell's own.
fn commands() -> Vec<String> {
    let pages = std::fs::read_dir(root().join("collector/help")).expect("the pages of help");
    let mut found = Vec::new();
    for page in pages.flatten() {
        let text = std::fs::read_to_string(page.path()).expect("a page");
        let mut fenced = false;
        for line in text.lines() {
            fenced ^= line.starts_with("```");
            if fenced && line.starts_with("muster-") {
                let end = [" <", " >", " #", " |"].iter().filter_map(|shell| line.find(shell)).min();
                found.push(line[..end.unwrap_or(line.len())].trim_end().to_owned());
            }
        }
    }
    found
}

#[tokio::test]
async fn every_command_in_help_is_known_to_the_program_with_its_flags() {
    let (mut wrong, mut programs) = (Vec::new(), std::collections::BTreeSet::new());
    for line in commands() {
        let words: Vec<&str> = line.split(' ').collect();
        programs.insert(words[0].to_owned());
        let until = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
        let said = run(Command::new(program(words[0])).args(&words[1..until]).arg("--help")).await;
        if said.code != 0 {
            wrong.push(format!("{line}: {}", said.all()));
        }
        let missing = words.iter().filter(|word| word.starts_with("--") && !said.out.contains(**word));
        wrong.extend(missing.map(|flag| format!("{line}: {flag} is not in --help")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(programs.into_iter().collect::<Vec<_>>(), ["muster-agent", "muster-collector"]);
}

#[tokio::test]
async fn the_manual_and_completions_are_written_without_a_collector() {
    let directory = tempfile::tempdir().expect("a directory");
    let said = run(Command::new(program("muster-collector")).arg("man").arg(directory.path())).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let pages: Vec<_> = std::fs::read_dir(directory.path()).expect("the pages").flatten().collect();
    assert!(pages.len() > 60, "{} pages", pages.len());
    let page = std::fs::read_to_string(directory.path().join("muster-collector-backup.8")).expect("a page");
    assert!(page.contains("passphrase"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let said = run(Command::new(program("muster-collector")).args(["completions", shell])).await;
        assert!(said.code == 0 && said.out.contains("muster-collector"), "{shell}: {}", said.all());
    }
}
