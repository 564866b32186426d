//! Pages by mail, to a real mail server.

use muster_tests::smtp::MailServer;
use muster_tests::{Agent, Collector};

use crate::s;

#[tokio::test]
async fn an_outage_and_its_end_are_two_mails_in_one_thread() {
    let server = MailServer::start().await;
    let collector = Collector::start(&server.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;

    agent.kill().await;
    let mails = server.wait(1, s(30)).await;
    assert!(mails[0].contains(&agent.name), "{}", mails[0]);

    agent.run();
    let mails = server.wait(2, s(60)).await;
    assert!(mails.iter().any(|mail| mail.contains("In-Reply-To:") || mail.contains("References:")), "{mails:#?}");
    assert!(mails.iter().all(|mail| mail.contains("oncall@example.org")));
}
