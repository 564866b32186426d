//! Services: read whole, and refused by line and key.

use super::*;
use crate::{
    config::{agreement_text, parse_agreements, parse_declaration},
    domain::{
        device::declared::Fleet,
        hold::Scope,
        sla::service::{Needs, Service},
    },
};

fn service(name: &str, needs: Needs, hosts: &[&str], services: Vec<Service>) -> Service {
    let scope = Scope { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..Scope::default() };
    Service { name: name.into(), needs, scope, checks: vec![], services }
}

const SHOP: &str = "[[service]]\nname = \"shop\"\nneeds = \"all\"\nhosts = [\"db-1\"]\nservices = [\"web\"]\n\
                    [[service]]\nname = \"web\"\nneeds = 2\nhosts = [\"web-*\"]\nchecks = [\"http\"]\n\
                    [[service]]\nname = \"mail\"\nneeds = \"any\"\nclass = \"server\"\nlabels = { service = \"mail\" }\n\
                    [[agreement]]\nname = \"a\"\ntarget = 99\nservices = [\"shop\", \"mail\"]\n";

#[test]
fn a_service_is_made_of_hosts_checks_and_services_and_an_agreement_knows_it_whole() {
    let config = read(SHOP).unwrap();
    let [agreement] = config.agreements.as_slice() else { panic!("{:?}", config.agreements) };
    assert_eq!((agreement.applies_to().as_str(), agreement.each()), ("services shop, mail", "service"));
    let web = Service { checks: vec!["http".into()], ..service("web", Needs::AtLeast(2), &["web-*"], vec![]) };
    assert_eq!(agreement.services[0], service("shop", Needs::All, &["db-1"], vec![web]));
    assert_eq!(agreement.services[1].scope.words(), "class server, service=mail");
    assert!(agreement.has_checks());
    let text = agreement_text(&[agreement]);
    let kept = parse_agreements(&text, Path::new("kept.toml")).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!((&kept[0], kept.len()), (agreement, 1), "what is kept of it has its services");
    // Another rule is another text, and so another version; a service that is not used is not.
    let other = |from: &str, to: &str| read(&SHOP.replace(from, to)).unwrap().agreements.remove(0);
    assert_ne!(agreement_text(&[&other("needs = 2", "needs = 3")]), text);
    let unused = format!("[[service]]\nname = \"unused\"\nneeds = \"any\"\nhosts = [\"x\"]\n{SHOP}");
    assert_eq!(agreement_text(&[&read(&unused).unwrap().agreements[0]]), text);
}

#[test]
fn a_definition_in_a_file_of_its_own_brings_its_services_along() {
    let text = "name = \"a\"\ntarget = 99\nservices = [\"pair\"]\n[[service]]\nname = \"pair\"\nneeds = \"any\"\nhosts = [\"a\", \"b\"]\n";
    let (read, defined) = parse_declaration(text, Path::new("a.toml")).unwrap();
    let pair = service("pair", Needs::Any, &["a", "b"], vec![]);
    assert_eq!((read.services.as_slice(), defined.as_slice()), (&[pair.clone()][..], &[pair][..]));
    let said = parse_declaration("name = \"a\"\ntarget = 99\nservices = [\"b\"]\n", Path::new("a.toml")).unwrap_err();
    assert!(
        said.to_string().contains("a.toml:3: services = \"b\": expected the name of a [[service]] of this file"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_a_service_is_refused_by_line_and_key() {
    let text = "[[service]]\nname = \"pair\"\nhosts = [\"a\", \"b\"]\nneeds = 3\n\
                [[service]]\nname = \"pair\"\nhosts = [\"a\"]\nneeds = 0\n\
                [[service]]\nname = \"twice\"\nhosts = [\"a\"]\nneeds = \"any\"\n\
                [[service]]\nname = \"twice\"\nhosts = [\"a\"]\nneeds = \"any\"\n\
                [[service]]\nname = \"none\"\nneeds = \"all\"\n\
                [[service]]\nname = \"one\"\nservices = [\"two\"]\nneeds = \"any\"\n\
                [[service]]\nname = \"two\"\nservices = [\"three\"]\nneeds = \"any\"\n\
                [[service]]\nname = \"three\"\nhosts = [\"a\"]\nservices = [\"one\"]\nneeds = \"any\"\n\
                [[service]]\nname = \"self\"\nservices = [\"self\"]\nneeds = \"any\"\n\
                [[service]]\nname = \"lost\"\nservices = [\"twice\", \"nowhere\"]\n\
                [[service]]\nname = \"much\"\nhosts = [\"web-*\"]\nneeds = \"most\"\n\
                [[agreement]]\nname = \"a\"\ntarget = 99\nservices = [\"nowhere\"]\n\
                [[agreement]]\nname = \"b\"\ntarget = 99\nservices = [\"twice\"]\nhosts = [\"*\"]\n\
                [[agreement]]\nname = \"c\"\ntarget = 99\n";
    let said = mistakes(text);
    let needs = "expected all, any, or how many of the members, such as 2";
    let expected = [
        format!("collector.toml:4: service[1].needs = 3: {needs}, from 1 to 2"),
        format!("collector.toml:8: service[2].needs = 0: {needs}, from 1 to 1"),
        "collector.toml:14: service[4].name = \"twice\": expected a name that no other has".into(),
        "collector.toml:17: service[5].hosts: expected hosts, sites, class or labels, or services: a service without members".into(),
        "collector.toml:22: service[6].services = \"two\": expected no circle: one is made of two is made of three is made of one".into(),
        "collector.toml:26: service[7].services = \"three\": expected no circle: two is made of three".into(),
        "collector.toml:31: service[8].services = \"one\": expected no circle: three is made of one".into(),
        "collector.toml:35: service[9].services = \"self\": expected no circle: self is made of self".into(),
        format!("collector.toml:37: service[10].needs: {needs}"),
        format!("collector.toml:43: service[11].needs = \"most\": {needs}"),
        "agreement[1].services = \"nowhere\": expected the name of a [[service]] of this file".into(),
        "agreement[2].services = \"twice\": expected services alone, without hosts".into(),
        "agreement[3].hosts: expected hosts, sites, class or labels, or services: an agreement without subjects".into(),
    ];
    for part in &expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    let lost = "[[service]]\nname = \"lost\"\nneeds = \"any\"\nservices = [\"nowhere\"]\n";
    let said = mistakes(lost);
    assert_eq!(
        said,
        ["collector.toml:4: service[1].services = \"nowhere\": expected the name of a [[service]] of this file"]
    );
}

#[test]
fn a_service_that_grows_without_measure_is_refused() {
    let pair = |no: i32| {
        let below =
            if no == 0 { "hosts = [\"a\"]".to_owned() } else { format!("services = [\"l{0}\", \"r{0}\"]", no - 1) };
        ["l", "r"].map(|side| format!("[[service]]\nname = \"{side}{no}\"\nneeds = \"any\"\n{below}\n")).concat()
    };
    let text: String = (0..9).map(pair).collect();
    let said = mistakes(&text);
    assert!(said[0].contains("expected at most 200 services that it is made of"), "{said:#?}");
    assert!(read(&(0..6).map(pair).collect::<String>()).is_ok());
}

#[test]
fn hosts_that_nobody_knows_yet_are_worth_a_word() {
    let text = "[[service]]\nname = \"shop\"\nneeds = \"any\"\nhosts = [\"web-9\", \"web-*\"]\n";
    let known = |_: &Path| Some(Fleet::default());
    let config = super::super::read::document(text, Path::new("collector.toml"), known).unwrap();
    let expected = "collector.toml:4: service[1].hosts: no host or device is called \"web-9\" (muster-collector host list): it is \
                    no member until there is one";
    assert_eq!(config.warnings, [expected]);
    assert_eq!(read(text).unwrap().warnings, Vec::<String>::new());
}
