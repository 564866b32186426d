//! `[inventory]`.

use super::*;
use crate::domain::os_support::Table;

#[test]
fn a_file_takes_the_place_of_the_table_and_its_mistakes_are_named() {
    assert_eq!(read("").unwrap().os_table, Table::built_in());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("os.csv");
    let with = |text: &str, more: &str| {
        std::fs::write(&file, text).unwrap();
        read(&format!("[inventory]\nos_support = {:?}\n{more}", file.display().to_string()))
    };
    let ours = "dated,2026-01-01\nhouse-os,3,,2030-01-01,2031-01-01,plus\n";
    let config = with(ours, "extended_support = [\"house-os\"]").unwrap();
    assert_eq!((config.os_table.cycles.len(), config.os_table.contracts), (1, vec!["house-os".to_owned()]));
    let wrong = with("dated,2026-01-01\nhouse-os,3\n", "").unwrap_err().to_string();
    assert!(wrong.contains("os_support") && wrong.contains("line 2"), "{wrong}");
    let wrong = with(ours, "extended_support = [\"ubuntu\"]").unwrap_err().to_string();
    assert!(wrong.contains("extended_support"), "{wrong}");
    let gone = read("[inventory]\nos_support = \"/nowhere/os.csv\"").unwrap_err().to_string();
    assert!(gone.contains("/nowhere/os.csv"), "{gone}");
}
