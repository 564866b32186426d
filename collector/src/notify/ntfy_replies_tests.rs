//! The reply topic, against a server that speaks ntfy's stream and checks what it is asked.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

use super::*;
use crate::{
    clock::Clock,
    domain::{
        event::Event,
        ids::{IncidentNo, PageId},
        record::Page,
    },
    links::Links,
    mailbox::Mailbox,
    notify::{guard::Guard, outbox::tests::page, secret::Secret},
};

/// A reply topic's server, the engine's end, and the listener between them.
struct World {
    server: TcpListener,
    events: mpsc::Receiver<Event>,
    mailbox: Mailbox,
    links: Links,
    clock: Clock,
    _state: tempfile::TempDir,
    _stop: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

async fn world() -> World {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Guard::default().url(&format!("http://{}/push/on-call", server.local_addr().unwrap())).unwrap();
    let (root, topic) = NtfyConfig::parts(&url).unwrap();
    let replies = Some(Replies { topic: "on-call-replies".into(), token: None });
    let token = Some(Secret::new("tk_own"));
    let config = NtfyConfig { server: root, topic, token, replies, ca: None, guard: Guard::default() };
    let state = tempfile::tempdir().unwrap();
    let (links, clock) = (Links::open(state.path()).unwrap(), Clock::start());
    let ((mailbox, events), (stop, stopped)) = (Mailbox::new(), watch::channel(false));
    let ear =
        Ear { receiver: "phone".into(), mailbox: mailbox.clone(), clock: clock.clone(), links: links.clone(), stopped };
    let mut tasks = JoinSet::new();
    Listener::start(&config, ear, &mut tasks).unwrap();
    World { server, events, mailbox, links, clock, _state: state, _stop: stop, _tasks: tasks }
}

impl World {
    /// Takes the next connection and checks what it asks for; answers where it begins.
    async fn accept(&self) -> (TcpStream, String) {
        let (stream, _) = self.server.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let since = head[0].strip_prefix("GET /push/on-call-replies/json?since=").unwrap_or_else(|| panic!("{head:?}"));
        let since = since.strip_suffix(" HTTP/1.1").unwrap().to_owned();
        let token = head.iter().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(token, Some("Bearer tk_own"));
        (stream.into_inner(), since)
    }

    /// The answer's head and ntfy's first line.
    async fn stream(&self) -> (TcpStream, String) {
        let (mut stream, since) = self.accept().await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        say(&mut stream, r#"{"id":"o1","time":1795252440,"event":"open","topic":"on-call-replies"}"#).await;
        (stream, since)
    }

    /// What the button of a page posts.
    fn button(&self, id: i64, person: &str, decided: Timestamp) -> String {
        let page = Page { person: Some(person.into()), decided, ..page(id, 1_042, id) };
        self.links.path(&page).unwrap().strip_prefix("/act/").unwrap().to_owned()
    }

    /// The next command, answered so.
    async fn next(&mut self, answer: Answer) -> (String, String, Command) {
        loop {
            if let Event::Operator { by, command, reply } = self.events.recv().await.unwrap() {
                self.mailbox.answer(reply, answer);
                return (by.name, by.via, command);
            }
        }
    }
}

async fn say(stream: &mut TcpStream, line: &str) {
    stream.write_all(format!("{:x}\r\n{line}\n\r\n", line.len() + 1).as_bytes()).await.unwrap();
}

fn message(id: &str, time: i64, message: &str) -> String {
    let line = serde_json::json!({
        "id": id, "time": time, "expires": time + 43_200, "event": "message", "topic": "on-call-replies",
        "message": message,
    });
    line.to_string()
}

fn answer(page: i64, at_s: i64) -> String {
    let at = Timestamp::from_ms(at_s * 1_000);
    format!("{:?}", Command::Answer { incident: IncidentNo(1_042), page: PageId(page), at })
}

#[tokio::test]
async fn the_button_of_a_page_answers_for_its_person_and_nothing_else_does() {
    let mut world = world().await;
    let (mut stream, since) = world.stream().await;
    let a_day_ago = world.clock.now().ms() / 1_000 - 86_400;
    let since: i64 = since.parse().unwrap();
    assert!((a_day_ago - 60..=a_day_ago).contains(&since), "{since}: as long as links work");

    let now = world.clock.now();
    let ended = world.button(6, "ann", now.plus_ms(-86_400_000));
    let (ann, bob) = (world.button(7, "ann", now), world.button(8, "bob", now));
    let forged = format!("{}.{}", bob.split_once('.').unwrap().0, ann.split_once('.').unwrap().1);
    for nothing in ["", "hello", "1042 7 9999999999999 ann", ended.as_str(), forged.as_str()] {
        say(&mut stream, &message("junk", 1_795_252_441, nothing)).await;
    }
    say(&mut stream, "{not json").await;
    say(&mut stream, &"x".repeat(100_000)).await;
    say(&mut stream, r#"{"id":"k1","time":1795252442,"event":"keepalive","topic":"on-call-replies"}"#).await;
    say(&mut stream, &message("m1", 1_795_252_443, &format!("{ann}\n"))).await;
    let (who, via, command) = world.next(Answer::Done).await;
    assert_eq!((who.as_str(), via.as_str(), format!("{command:?}")), ("ann", "ntfy", answer(7, 1_795_252_443)));
    say(&mut stream, &message("m2", 1_795_252_444, &bob)).await;
    let (who, _, command) = world.next(Answer::Done).await;
    assert_eq!((who.as_str(), format!("{command:?}")), ("bob", answer(8, 1_795_252_444)));
}

#[tokio::test]
async fn what_was_posted_while_the_stream_was_away_is_fetched_with_the_next_one() {
    let mut world = world().await;
    let button = world.button(7, "ann", world.clock.now());
    let (mut stream, _) = world.stream().await;
    // A message that comes in two pieces.
    let line = message("m1", 1_795_252_443, &button) + "\n";
    let (first, rest) = line.split_at(40);
    stream.write_all(format!("{:x}\r\n{first}\r\n", first.len()).as_bytes()).await.unwrap();
    stream.write_all(format!("{:x}\r\n{rest}\r\n", rest.len()).as_bytes()).await.unwrap();
    world.next(Answer::Done).await;
    drop(stream);
    let (mut refused, since) = world.accept().await;
    assert_eq!(since, "m1", "from the last message on");
    refused.write_all(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let (mut stream, since) = world.stream().await;
    assert_eq!(since, "m1");
    say(&mut stream, &message("m2", 1_795_252_500, &button)).await;
    let (_, _, command) = world.next(Answer::Refused("it was answered already".into())).await;
    assert_eq!(format!("{command:?}"), answer(7, 1_795_252_500));
}

#[tokio::test]
async fn a_stream_without_a_sign_of_life_is_given_up() {
    let world = world().await;
    let (_held, first) = world.stream().await;
    let (_again, second) = world.stream().await;
    assert!(second.parse::<i64>().unwrap() >= first.parse::<i64>().unwrap(), "nothing was heard: asked for as before");
}

#[test]
fn lines_come_in_any_pieces_and_have_an_end() {
    let mut lines = Lines::default();
    assert_eq!(lines.of(b"a"), Vec::<Vec<u8>>::new());
    assert_eq!(lines.of(b"b\nc\n\nd"), [b"ab\n".to_vec(), b"c\n".to_vec(), b"\n".to_vec()]);
    let long = vec![b'x'; LINE_BYTES];
    assert_eq!(lines.of(&long), Vec::<Vec<u8>>::new());
    assert_eq!(lines.of(b"x\ne\n"), [b"e\n".to_vec()]);
}
