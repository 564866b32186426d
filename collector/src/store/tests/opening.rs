//! Whoever waits for the records to be opened hears what is done to them and how far it is.

use super::*;
use crate::store::{
    faults::NoFaults,
    migrations::FACTS,
    opening::{Doing, Watcher},
};

#[derive(Debug, Default)]
struct Listening(Mutex<Vec<Doing>>);

impl Watcher for Listening {
    fn hear(&self, doing: Doing) {
        self.0.lock().unwrap().push(doing);
    }
}

/// What was heard of `facts.db` while it was opened.
fn heard(directory: &Path) -> Vec<Doing> {
    let listening = Listening::default();
    drop(Store::open_with(directory, NOW, Arc::new(NoFaults), &listening).unwrap());
    let all = listening.0.into_inner().unwrap();
    all.into_iter().filter(|doing| doing.what.starts_with("facts.db")).collect()
}

#[test]
fn a_file_of_a_schema_before_is_told_of_by_pages_and_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("facts.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, &FACTS[..5], &NoWatcher).unwrap();
    let rows = "
        INSERT INTO item VALUES (1, 1, x'01', '[]');
        INSERT INTO holding VALUES (1, 1, 1, 1, 1, NULL, NULL, NULL), (2, 1, 1, 1, 1, NULL, NULL, NULL), (3, 1, 1, 1, 1, 5, NULL, NULL);";
    connection.execute_batch(rows).unwrap();
    drop(connection);
    let heard = heard(directory.path());
    let whole = heard.iter().position(|doing| doing.what.contains("is read whole")).unwrap();
    let copied = heard.iter().rposition(|doing| doing.what == "facts.db is copied to facts.db.before-6 first").unwrap();
    assert!(whole < copied && heard[copied].done == heard[copied].of && heard[copied].of > 10, "{heard:#?}");
    // Two indexes over three holdings, then a sum over three holdings with their item.
    let said: Vec<String> = heard[copied + 1..].iter().map(ToString::to_string).collect();
    let expected = [0, 3, 6].map(|done| format!("facts.db is brought from schema 5 to 6: {done} of 10 rows"));
    assert_eq!(said, expected);
}

#[test]
fn of_a_fresh_file_and_of_one_that_is_up_to_date_nothing_is_told_that_takes_long() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let heard = heard(directory.path());
        assert!(heard.iter().all(|doing| doing.what.contains("is read whole")), "{heard:#?}");
    }
}
