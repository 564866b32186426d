//! What the programs are made of, as whoever reviews them gets it.

use std::collections::BTreeSet;

use muster_tests::process::{root, run};
use serde_json::Value;
use tokio::process::Command;

#[tokio::test]
async fn the_list_of_libraries_is_that_of_cargo_with_licences_and_hashes() {
    for program in ["muster-agent", "muster-collector"] {
        let sbom = || async { run(Command::new(root().join("deploy/sbom")).arg(program)).await };
        let said = sbom().await;
        assert_eq!(said.code, 0, "{}", said.all());
        assert_eq!(sbom().await.out, said.out, "the same sources give the same list");
        let list: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
        assert_eq!(list["metadata"]["component"]["name"], program);
        let components = list["components"].as_array().expect("a list");
        let mut listed = BTreeSet::new();
        for one in components {
            let name = one["name"].as_str().expect("a name");
            listed.insert(format!("{name} v{}", one["version"].as_str().expect("a version")));
            assert!(one["licenses"][0]["expression"].is_string(), "{one}");
            let hash = one["hashes"][0]["content"].as_str();
            assert!(name.starts_with("muster-") || hash.is_some_and(|hash| hash.len() == 64), "{one}");
        }
        // `name v1.2.3`, and behind it where it lies and `(proc-macro)`; each at its depth.
        let mut tree = Command::new("cargo");
        tree.args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "depth", "-p", program, "--no-dedupe"]);
        let told = run(tree.current_dir(root())).await;
        assert_eq!(told.code, 0, "{}", told.all());
        let (mut wanted, mut below) = (BTreeSet::new(), usize::MAX);
        for line in told.out.lines() {
            let at = line.find(|sign: char| !sign.is_ascii_digit()).expect("a name");
            let depth: usize = line[..at].parse().expect("a depth");
            if depth > below {
                continue;
            }
            // What macros need runs in the compiler.
            below = if line.contains("(proc-macro)") { depth } else { usize::MAX };
            if below == usize::MAX && depth > 0 {
                wanted.insert(line[at..].split(" (").next().expect("a name").to_owned());
            }
        }
        assert!(wanted.len() > 80, "{}", told.out);
        assert_eq!(listed, wanted, "{program}");
    }
}

#[tokio::test]
async fn a_program_that_is_none_of_ours_is_named() {
    let said = run(Command::new(root().join("deploy/sbom")).arg("bash")).await;
    assert!(said.code == 64 && said.err.contains("muster-agent or muster-collector"), "{}", said.all());
}
