use std::io::Read as _;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::clock::Moment;
use crate::gather::Gathered;
use crate::probe::{Kind, Scratch, Section, Sink, Table};

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_secs(60);
const MUCH: Patience = Patience { head: LONG, connection: LONG };
const TEXT: &str = "# HELP node_load1 Load.\n# TYPE node_load1 gauge\nnode_load1 0.5\n";
const TEXT_TYPE: &str = "content-type: text/plain; version=0.0.4; charset=utf-8";

fn gathered() -> Gathered {
    let mut section = Section::new("loadavg", Arc::default());
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
    sink.single("node_load1", Kind::Gauge, "Load.", 0.5);
    sink.finish(Ok(())).1.unwrap();
    Gathered { table: Table { sections: vec![Arc::new(section)] }, at: Moment::default(), sources: Vec::new() }
}

/// Answers everybody.
fn readings(tasks: &mut JoinSet<()>) -> mpsc::Sender<Ask> {
    let (asks, mut asked) = mpsc::channel::<Ask>(1);
    tasks.spawn(async move {
        while let Some(ask) = asked.recv().await {
            drop(ask.send(gathered()));
        }
    });
    asks
}

/// A connection with a pipe that holds more than any answer.
fn connection(tasks: &mut JoinSet<()>, asks: mpsc::Sender<Ask>, is_near: bool) -> DuplexStream {
    let (client, server) = duplex(65_536);
    tasks.spawn(speak(server, is_near, MUCH, asks));
    client
}

/// Head and body of the answer.
async fn ask(request: &str, is_near: bool) -> (String, Vec<u8>) {
    let mut tasks = JoinSet::new();
    let asks = readings(&mut tasks);
    let mut client = connection(&mut tasks, asks, is_near);
    client.write_all(format!("{request}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[tokio::test]
async fn metrics_are_text_unless_openmetrics_is_wanted_more() {
    let (head, body) = ask("GET /metrics?collect[]=cpu HTTP/1.1\r\nhost: a", true).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains(TEXT_TYPE), "{head}");
    assert!(head.contains("vary: Accept, Accept-Encoding") && head.contains("connection: close"), "{head}");
    assert!(head.contains("server: muster-agent/") && !head.contains("content-encoding"), "{head}");
    assert_eq!(String::from_utf8(body).unwrap(), TEXT);
    let open = "GET /metrics HTTP/1.1\r\nhost: a\r\naccept: text/plain;q=0.5, application/openmetrics-text";
    let (head, body) = ask(open, true).await;
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    assert_eq!(String::from_utf8(body).unwrap(), format!("{TEXT}# EOF\n"));
}

#[tokio::test]
async fn a_page_is_compressed_for_who_asks_from_afar() {
    let request = "GET /metrics HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip";
    let (head, body) = ask(request, false).await;
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, TEXT);
    assert_eq!(ask(request, true).await.1, TEXT.as_bytes());
}

#[tokio::test]
async fn there_is_a_page_that_leads_to_the_metrics_and_nothing_else() {
    let (head, body) = ask("GET / HTTP/1.1\r\nhost: a", true).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("<a href=\"/metrics\">"));
    for (request, status) in [
        ("GET /metrics/ HTTP/1.1", "404 "),
        ("GET /etc/passwd HTTP/1.1", "404 "),
        ("POST /anything HTTP/1.1", "404 "),
        ("POST /metrics HTTP/1.1", "405 "),
        ("DELETE / HTTP/1.1", "405 "),
    ] {
        let (head, _) = ask(&format!("{request}\r\nhost: a"), true).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {head}");
        assert_eq!(head.contains("allow: GET, HEAD"), status == "405 ", "{head}");
    }
    let (head, body) = ask("HEAD /metrics HTTP/1.1\r\nhost: a", true).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(TEXT_TYPE), "{head}");
    assert!(head.contains(&format!("content-length: {}\r\n", TEXT.len())) && body.is_empty(), "{head}");
}

#[tokio::test]
async fn without_readings_it_says_so() {
    let mut tasks = JoinSet::new();
    let (asks, asked) = mpsc::channel(1);
    drop(asked);
    let mut client = connection(&mut tasks, asks, true);
    client.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("there are no readings now"), "{answer}");
}

#[tokio::test]
async fn who_asks_slowly_or_never_reads_is_let_go() {
    const LITTLE: Duration = Duration::from_millis(50);
    let mut tasks = JoinSet::new();
    let asks = readings(&mut tasks);
    let (mut slow, server) = duplex(65_536);
    slow.write_all(b"GET /metrics HTTP/1.1\r\nhost: ").await.unwrap();
    let ended = speak(server, true, Patience { head: LITTLE, connection: LONG }, asks.clone());
    tokio::time::timeout(LONG / 6, ended).await.expect("half a head is not waited for");

    // A pipe that holds less than the answer, and is never emptied.
    let (mut deaf, server) = duplex(64);
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let ended = speak(server, true, Patience { head: LONG, connection: LITTLE }, asks);
    tokio::time::timeout(LONG / 6, ended).await.expect("nobody is waited for who does not read");
    let mut cut = String::new();
    deaf.read_to_string(&mut cut).await.unwrap();
    assert_eq!(cut.len(), 64, "{cut}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (head, _) = ask(&format!("GET /metrics HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(2 * HEAD_BYTES)), true).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let mut tasks = JoinSet::new();
    let asks = readings(&mut tasks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(serve_on(listener, asks));
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let mut late = tokio::net::TcpStream::connect(address).await.unwrap();
    late.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let waits = tokio::time::timeout(Duration::from_millis(100), late.read_to_string(&mut answer)).await;
    assert!(waits.is_err(), "{answer}");
    drop(silent.pop());
    late.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(TEXT), "{answer}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = ListenError::new(address, TcpListener::bind(address).await.unwrap_err());
    let expected = format!("cannot listen on {address}: port {} is taken by another program", address.port());
    assert_eq!(error.to_string(), expected);
    assert!(error.remedy().contains("prometheus-node-exporter") && error.remedy().contains("[exporter]"), "{error:?}");
    // 192.0.2.0/24 is nobody's (RFC 5737).
    let foreign = "192.0.2.1:9100".parse().unwrap();
    let error = ListenError::new(foreign, TcpListener::bind(foreign).await.unwrap_err());
    assert!(error.remedy().contains("an address of this machine"), "{error}");
}

#[tokio::test]
async fn an_address_that_becomes_free_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { listen(address, Duration::from_millis(5)).await.local_addr().unwrap() });
    let waits = tokio::time::timeout(Duration::from_millis(50), tasks.join_next()).await;
    assert!(waits.is_err(), "{waits:?}");
    drop(taken);
    let taken = tokio::time::timeout(LONG / 6, tasks.join_next()).await.expect("it is tried again");
    assert_eq!(taken.unwrap().unwrap(), address);
}

#[test]
fn only_loopback_addresses_are_near() {
    for (address, near) in [
        ("127.0.0.1:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
    ] {
        assert_eq!(is_loopback(address.parse().unwrap()), near, "{address}");
    }
}
