use std::sync::Arc;

use super::super::Note;
use super::super::table::{Names, Section};
use super::super::testing::{ask, lines, machine};
use super::*;

/// What is said of these files in `/tf`, but nothing about when they were written; and the notes.
fn said(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let files: Vec<(String, &str)> = files.iter().map(|(name, text)| (format!("tf/{name}"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let (_root, host) = machine(&files);
    let host = host.with_textfiles(&["/tf/".to_owned()]);
    let mut section = Section::new("textfile", Arc::default());
    let (notes, outcome) = ask(read, &host, &mut section);
    outcome.unwrap();
    let mut lines = lines(&section);
    lines.retain(|line| !line.starts_with("node_textfile_mtime_seconds"));
    (lines, notes.iter().map(told).collect())
}

fn told(note: &Note) -> String {
    format!("{}: {}", note.part, note.error)
}

#[test]
fn without_directories_there_is_no_error_and_nothing_else() {
    let (_root, host) = machine(&[]);
    let mut section = Section::new("textfile", Arc::default());
    assert_eq!(ask(read, &host, &mut section), (Vec::new(), Ok(())));
    assert_eq!(lines(&section), ["node_textfile_scrape_error 0"]);
}

#[test]
fn values_are_taken_with_their_type_help_and_labels() {
    let text = "# HELP backup_age_seconds How old it is, in \\\\ seconds\\n\n# TYPE backup_age_seconds gauge\n\
                backup_age_seconds{job=\"a \\\"b\\\" \\\\c\",empty=\"\" , } 1.5e3\n\n  # words\n\
                backup_age_seconds +Inf\nother\t7\nlast NaN \n";
    let (lines, notes) = said(&[("a.prom", text), ("b.txt", "ignored 1\n")]);
    let expected = [
        r#"backup_age_seconds{job="a \"b\" \\c"} 1500"#,
        "backup_age_seconds inf",
        "last NaN",
        "other 7",
        "node_textfile_scrape_error 0",
    ];
    assert_eq!((lines, notes), (expected.map(str::to_owned).to_vec(), Vec::new()));
}

#[test]
fn a_definition_is_said_as_the_file_has_it() {
    let (_root, host) = machine(&[
        ("tf/a.prom", "# HELP x Its help.\n# TYPE x counter\nx 1\ny 1\n"),
        ("tf/b.prom", "y{b=\"1\"} 1\nx{b=\"1\"} 1\n"),
    ]);
    let host = host.with_textfiles(&["/tf".to_owned()]);
    let mut section = Section::new("textfile", Arc::default());
    let (notes, _) = ask(read, &host, &mut section);
    let family = |name: &str| section.samples().find(|(family, ..)| &*family.name == name).unwrap().0.clone();
    assert_eq!((family("x").kind, &*family("x").help), (Kind::Counter, "Its help."));
    assert_eq!((family("y").kind, &*family("y").help), (Kind::Untyped, "Metric read from /tf/a.prom, /tf/b.prom"));
    // In the second file x has no type, which is another one.
    assert_eq!(
        notes.iter().map(told).collect::<Vec<_>>(),
        ["textfile/tf/b.prom: x has another type in an earlier file and is left out"]
    );
    let written: Vec<String> = lines(&section).into_iter().filter(|line| line.contains("mtime")).collect();
    assert_eq!(written.len(), 2);
    assert!(written[0].starts_with("node_textfile_mtime_seconds{file=\"/tf/a.prom\"} "), "{written:?}");
}

#[test]
fn a_file_with_a_mistake_is_left_out_whole_and_its_line_is_told() {
    for (text, told) in [
        ("good 1\nbad line here\n", "line 2: expected float as value, got \"line\""),
        ("good 1\nstamped 1 1700000000000\n", "line 2: a timestamp: what a script leaves is as old as its file"),
        ("good 1\nno_end 1", "line 2: unexpected end of input stream"),
        ("good 1\n1digit 1\n", "line 2: invalid metric name"),
        ("x{1=\"a\"} 1\n", "line 1: invalid label name for metric \"x\""),
        ("x{__name__=\"a\"} 1\n", "line 1: label name \"__name__\" is reserved"),
        ("x{a=\"1\",a=\"2\"} 1\n", "line 1: duplicate label names for metric \"x\""),
        ("x{a} 1\n", "line 1: expected '=' after label name"),
        ("x{a=b} 1\n", "line 1: expected '\"' at start of label value"),
        ("x{a=\"b} 1\n", "line 1: unexpected end of label value"),
        ("x{a=\"b\" c=\"d\"} 1\n", "line 1: unexpected end of label value"),
        ("x{a=\"\\t\"} 1\n", "line 1: invalid escape sequence '\\t'"),
        ("x 1\n# TYPE x gauge\n", "line 2: second TYPE line for metric name \"x\", or TYPE reported after samples"),
        ("# HELP x a\n# HELP x b\n", "line 2: second HELP line for metric name \"x\""),
        ("# TYPE x stateset\n", "line 1: unknown metric type \"stateset\""),
        ("# TYPE x-y gauge\n", "line 1: invalid metric name in comment"),
        ("# TYPE h histogram\nh_bucket{le=\"many\"} 1\n", "line 2: expected float as value for \"le\", got \"many\""),
        ("x 0x10\n", "line 1: expected float as value, got \"0x10\""),
    ] {
        let (lines, notes) = said(&[("a.prom", text), ("b.prom", "fine 1\n")]);
        assert_eq!(lines, ["fine 1", "node_textfile_scrape_error 1"], "{text}");
        assert_eq!(notes, [format!("textfile/tf/a.prom: {told}")]);
    }
}

#[test]
fn comments_that_define_nothing_and_families_without_values_are_no_mistake() {
    let (lines, notes) = said(&[("a.prom", "#\n# HELP\n# TYPE x\n# HELP y why\n#TYPE x gauge\nx 1\n")]);
    assert_eq!((lines.len(), notes.len()), (2, 0), "{lines:?} {notes:?}");
}

#[test]
fn histograms_and_summaries_are_said_whole() {
    let text = "# TYPE h histogram\nh_bucket{a=\"1\",le=\"0.50\"} 1\nh_bucket{le=\"1e1\",a=\"1\"} 3\nh_sum{a=\"1\"} 9\n\
                h_count{a=\"1\"} 4\n# TYPE s summary\ns{quantile=\"0.90\"} 5\ns_sum 6\ns_count 7\nh 3\ns_bucket 8\n";
    let (lines, notes) = said(&[("a.prom", text)]);
    let expected = [
        "h_sum 0",
        "h_count 0",
        "h_bucket{le=\"+Inf\"} 0",
        "h_sum{a=\"1\"} 9",
        "h_count{a=\"1\"} 4",
        "h_bucket{a=\"1\",le=\"0.5\"} 1",
        "h_bucket{a=\"1\",le=\"10\"} 3",
        "h_bucket{a=\"1\",le=\"+Inf\"} 4",
        "s_sum 6",
        "s_count 7",
        "s{quantile=\"0.9\"} 5",
        "s_bucket 8",
        "node_textfile_scrape_error 0",
    ];
    assert_eq!((lines, notes), (expected.map(str::to_owned).to_vec(), Vec::new()));
}

#[test]
fn of_two_definitions_the_first_counts() {
    let first = "# HELP x one\n# TYPE x gauge\nx 1\nx 2\n";
    let (lines, notes) = said(&[("a.prom", first), ("b.prom", "# HELP x two\n# TYPE x gauge\nx{b=\"1\"} 1\ny 1\n")]);
    assert_eq!(lines, ["x 1", "y 1", "node_textfile_scrape_error 1"]);
    assert_eq!(
        notes,
        [
            "textfile/tf/a.prom: x has a series twice; the first one counts",
            "textfile/tf/b.prom: x has another help text in an earlier file and is left out",
        ]
    );
}

#[test]
fn what_another_source_says_is_not_taken_from_a_script() {
    let (_root, host) = machine(&[("tf/a.prom", "node_load1 99\nown 1\n"), ("proc/loadavg", "1 2 3 1/2 3\n")]);
    let host = host.with_textfiles(&["/tf".to_owned()]);
    let names = Arc::new(Names::default());
    let (mut load, mut section) =
        (Section::new("loadavg", Arc::clone(&names)), Section::new("textfile", Arc::clone(&names)));
    // Nobody says it yet; then somebody does, while the file stays as it is.
    ask(read, &host, &mut section).1.unwrap();
    assert!(lines(&section).contains(&"node_load1 99".to_owned()));
    ask(super::super::system::load, &host, &mut load).1.unwrap();
    let (notes, _) = ask(read, &host, &mut section);
    assert_eq!(lines(&load)[0], "node_load1 1");
    assert!(lines(&section).iter().any(|line| line == "own 1"));
    assert!(lines(&section).iter().all(|line| !line.starts_with("node_load1")), "{:?}", lines(&section));
    assert_eq!(told(&notes[0]), "textfile/tf/a.prom: node_load1 is said by the source loadavg and not taken from here");
}

#[test]
fn files_that_do_not_change_are_not_read_again_and_those_that_do_are() {
    let (root, host) = machine(&[("tf/a.prom", "# HELP x one\nx 1\n")]);
    let host = host.with_textfiles(&["/tf".to_owned()]);
    let mut section = Section::new("textfile", Arc::default());
    let mut again = || {
        ask(read, &host, &mut section).1.unwrap();
        let help = section.samples().find(|(family, ..)| &*family.name == "x").map(|(family, ..)| family.help.clone());
        (section.version(), help.unwrap_or_default(), lines(&section))
    };
    let (first, same) = (again(), again());
    assert_eq!(first, same);
    std::fs::write(root.path().join("tf/a.prom"), "# HELP x another\nx 1\n").unwrap();
    let (version, help, _) = again();
    assert!(version > first.0 && &*help == "another", "{version} {help}");
    std::fs::remove_file(root.path().join("tf/a.prom")).unwrap();
    assert_eq!(again().2, ["node_textfile_scrape_error 0"]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let (root, host) = machine(&[("tf/sub.prom/x", ""), ("tf/raw.prom", "")]);
    std::fs::write(root.path().join("tf/raw.prom"), b"x 1\nx{a=\"\xff\"} 1\n").unwrap();
    let host = host.with_textfiles(&["/none".to_owned(), "/tf".to_owned()]);
    let mut section = Section::new("textfile", Arc::default());
    let (notes, _) = ask(read, &host, &mut section);
    assert_eq!(lines(&section), ["node_textfile_scrape_error 1"]);
    let told: Vec<String> = notes.iter().map(told).collect();
    assert_eq!((told.len(), &*told[0]), (3, "textfile/none: /none is not present"));
    assert_eq!(told[1], "textfile/tf/raw.prom: line 2: not UTF-8");
    assert!(told[2].starts_with("textfile/tf/sub.prom: "), "{told:?}");
}

#[test]
fn too_many_files_are_left_out_and_said() {
    let names: Vec<String> = (0..=FILES_MAX).map(|number| format!("tf/{number:04}.prom")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x 1\n")).collect();
    let (_root, host) = machine(&files[..]);
    let folder = Folder::list(&host.with_textfiles(&["/tf".to_owned()]));
    assert_eq!((folder.files.len(), folder.errored, folder.troubles.len()), (FILES_MAX, true, 1));
}
