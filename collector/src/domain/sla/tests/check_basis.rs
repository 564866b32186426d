//! What a check's ledger has to be for a report of it to be reckoned again.

use super::*;
use crate::domain::{
    host::{
        check_ledger::{CheckSpanRow, Counted},
        checks::Status,
    },
    ids::HostNo,
    sla::{
        check_basis::{CheckBasis, KeptCheck, Stood, check},
        verification::{Difference, Trouble},
    },
};

/// A check that failed from 300 on.
fn failing() -> Stood {
    Stood { from: ms(300), status: Status::Critical, said: "refused".into() }
}

/// Three entries until then.
fn stated(open: Option<Stood>) -> CheckBasis {
    let (host_amendments, host_false_alarms) = (vec![], vec![]);
    CheckBasis { name: "http".into(), n: 3, hash: "ff".into(), open, host_amendments, host_false_alarms }
}

fn kept(next: Option<Stood>) -> KeptCheck {
    let next = next.map(|Stood { from, status, said }| {
        let (host, check, to, learned) = (HostNo(1), "http".to_owned(), ms(400), ms(450));
        CheckSpanRow { host, check, from, to, status, said, gone: false, learned }
    });
    KeptCheck { first: Some((1, ms(100))), hash: Some("ff".into()), next, ..KeptCheck::default() }
}

/// What is said of it, five minutes after its last entry.
fn said(basis: &CheckBasis, kept: &KeptCheck, present: Option<Counted>) -> String {
    match check(("inputs.subjects[0]", "web-1/http", basis), kept, present.as_ref(), window(0, 900_000), ms(300_300)) {
        Ok(()) => "fine".into(),
        Err(Trouble::Cannot(why)) => why,
        Err(Trouble::Differs(Difference { path, .. })) => path,
    }
}

#[test]
fn an_open_end_is_what_came_of_it_or_what_it_still_is() {
    let ok = Stood { from: ms(300), status: Status::Ok, said: String::new() };
    let later = Stood { from: ms(300_301), ..ok.clone() };
    let open = stated(Some(failing()));
    assert_eq!(said(&open, &kept(None), Some(failing().counted())), "fine");
    assert_eq!(said(&open, &kept(Some(failing())), Some(later.counted())), "fine");
    let forged = said(&open, &kept(Some(ok.clone())), Some(later.counted()));
    assert!(forged.contains("web-1/http was critical (refused)") && forged.contains("has it ok"), "{forged}");
    let other_words = said(&open, &kept(Some(Stood { said: "timed out".into(), ..failing() })), None);
    assert!(other_words.contains("has it critical (timed out)"), "{other_words}");
    assert!(said(&open, &kept(None), None).contains("has it not there"));
    let soon =
        check(("inputs.subjects[0]", "web-1/http", &open), &kept(Some(ok)), None, window(0, 900_000), ms(60_300));
    assert_eq!(soon, Ok(()), "it turned out never to have been");
    let none = stated(None);
    assert_eq!(said(&none, &kept(None), None), "fine", "there is no such check any more");
    assert_eq!(said(&none, &kept(None), Some(later.counted())), "fine", "there is one again");
    let was_there = said(&none, &kept(None), Some(failing().counted()));
    assert!(was_there.contains("was not there") && was_there.contains("has it critical"), "{was_there}");
}

#[test]
fn a_ledger_is_the_same_only_if_its_chain_is() {
    let (open, present) = (stated(Some(failing())), || Some(failing().counted()));
    let broken = said(&open, &KeptCheck { broken: Some(2), ..kept(None) }, present());
    assert!(broken.contains("web-1/http's ledger is broken at entry 2"), "{broken}");
    let gone = said(&open, &KeptCheck { hash: None, ..kept(None) }, present());
    assert!(gone.contains("entry 3 of web-1/http's ledger") && gone.contains("not in the records"), "{gone}");
    let other = said(&open, &KeptCheck { hash: Some("fe".into()), ..kept(None) }, present());
    assert_eq!(other, "inputs.subjects[0].check.hash");
    let forgotten = said(&open, &KeptCheck { first: Some((2, ms(150))), ..kept(None) }, present());
    assert!(forgotten.contains("kept from entry 2 on"), "{forgotten}");
    let none_yet = CheckBasis { n: 0, hash: String::new(), ..open };
    assert_eq!(said(&none_yet, &KeptCheck { hash: None, first: None, ..kept(None) }, present()), "fine");
}
