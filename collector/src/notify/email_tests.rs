//! Mail against a small SMTP server that keeps what it is told.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;
use crate::{
    domain::record::PageKind,
    notify::outbox::tests::{page, words},
};

type Mails = Arc<Mutex<Vec<(String, String)>>>;

/// Speaks SMTP; answers RCPT with 550 for addresses that begin with `nobody` and 451 (once) for `later`.
async fn serve(stream: TcpStream, mails: Mails, mut later: bool) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink ESMTP\r\n").await.unwrap();
    let (mut recipient, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let verb = line.to_ascii_uppercase();
        let answer = if verb.starts_with("RCPT") {
            recipient = line.trim().to_owned();
            match () {
                () if line.contains("<nobody") => "550 no such user",
                () if line.contains("<later") && std::mem::take(&mut later) => "451 try later",
                () => "250 ok",
            }
        } else if verb.starts_with("DATA") {
            stream.write_all(b"354 go on\r\n").await.unwrap();
            let mut mail = String::new();
            while !mail.ends_with("\r\n.\r\n") {
                stream.read_line(&mut mail).await.unwrap();
            }
            mails.lock().unwrap().push((recipient.clone(), mail));
            "250 queued as 4711"
        } else if verb.starts_with("QUIT") {
            "221 bye"
        } else {
            "250 ok"
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

async fn sink() -> (u16, Mails, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, mails, mut tasks) = (listener.local_addr().unwrap().port(), Mails::default(), JoinSet::new());
    let kept = Arc::clone(&mails);
    tasks.spawn(async move {
        let (mut sessions, mut asked_later) = (JoinSet::new(), 0);
        while let Ok((stream, _)) = listener.accept().await {
            // The second connection is that of the recipient who is told later.
            asked_later += 1;
            sessions.spawn(serve(stream, Arc::clone(&kept), asked_later == 2));
        }
    });
    (port, mails, tasks)
}

fn email(port: u16, to: &[&str]) -> Email {
    let config = EmailConfig {
        server: "127.0.0.1".into(),
        port,
        encryption: Encryption::None,
        login: None,
        from: "Muster <muster@example.org>".parse().unwrap(),
        to: to.iter().map(|to| to.parse().unwrap()).collect(),
        ca: None,
    };
    Email::new("mail", config, words()).unwrap()
}

fn line<'a>(mail: &'a str, name: &str) -> &'a str {
    mail.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).expect(name).trim()
}

#[tokio::test]
async fn problem_and_recovery_stand_in_one_thread_with_ids_of_their_own() {
    let (port, mails, _tasks) = sink().await;
    let email = email(port, &["ada@example.org"]);
    let recovery = Page { kind: PageKind::Resolved, ..page(8, 1042, 2) };
    assert!(
        matches!(email.send(&page(7, 1042, 1)).await, Sent::Accepted { provider_id: Some(id) } if id.contains("4711"))
    );
    assert!(matches!(email.send(&recovery).await, Sent::Accepted { .. }));
    let mails = mails.lock().unwrap();
    let [(to, opened), (_, resolved)] = &mails[..] else { panic!("{mails:?}") };
    assert!(to.contains("<ada@example.org>"), "{to}");
    assert_eq!(line(opened, "Subject"), "[warning] web-1 is down");
    assert_eq!(line(resolved, "Subject"), "[resolved] web-1 is down");
    assert_eq!(line(opened, "Message-ID"), "<page_7@example.org>");
    assert_eq!(line(resolved, "Message-ID"), "<page_8@example.org>");
    assert_eq!(line(opened, "References"), line(resolved, "References"));
    assert_eq!(line(opened, "In-Reply-To"), line(opened, "References"));
    assert_eq!(line(opened, "Auto-Submitted"), "auto-generated");
    assert!(opened.contains("https://muster.example.org/incidents/1042"), "{opened}");
}

#[tokio::test]
async fn a_refused_recipient_keeps_nobody_else_from_being_told_and_nobody_is_told_twice() {
    let (port, mails, _tasks) = sink().await;
    let email = email(port, &["ada@example.org", "later@example.org", "nobody@example.org"]);
    assert!(matches!(email.send(&page(7, 1, 1)).await, Sent::Retry { error, .. } if error.contains("try later")));
    let sent = email.send(&page(7, 1, 1)).await;
    assert!(matches!(&sent, Sent::Accepted { provider_id: Some(id) } if id.contains("nobody@example.org")), "{sent:?}");
    let to: Vec<_> = mails.lock().unwrap().iter().map(|(to, _)| to.clone()).collect();
    assert_eq!(to.len(), 2, "{to:?}");
    assert!(to[0].contains("ada") && to[1].contains("later"), "{to:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert!(matches!(email(port, &["ada@example.org"]).send(&page(7, 1, 1)).await, Sent::Retry { .. }));
}

#[test]
fn hostile_titles_make_no_headers() {
    let hostile = Page { title: "web\r\nBcc: all@example.org\u{0}".into(), ..page(7, 1, 1) };
    let mail = email(25, &["ada@example.org"]);
    let (_, bytes) = letter(&hostile, &mail.config, &mail.config.to[0], &mail.words).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap();
    assert_eq!(line(head, "Subject"), "[warning] web  Bcc: all@example.org");
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
}
