use std::time::Duration;

use tokio::net::TcpListener;

use super::*;
use crate::dial::PathWatch;

const PATH: PathWatch =
    PathWatch { keep_alive: Duration::from_secs(5), probes: 3, user_timeout: Duration::from_secs(5), narrow: false };
const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy that says these pieces once it has heard the order, then hangs up; what it heard, and what the agent got.
async fn asked(user: &str, pieces: &[&[u8]]) -> (String, Result<Vec<u8>, Trouble>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::parse(&format!("http://{user}{}", listener.local_addr().unwrap())).unwrap();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(stream.read_u8().await.unwrap());
        }
        for piece in pieces {
            // What the agent refuses early it does not read to its end.
            let _ = stream.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        String::from_utf8(heard).unwrap()
    };
    let ask = async {
        let mut stream = through(&proxy, "muster.example.org:7460", PATH).await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        Ok(rest)
    };
    tokio::join!(serve, ask)
}

async fn trouble(user: &str, answer: &[u8]) -> String {
    asked(user, &[answer]).await.1.unwrap_err().to_string()
}

#[tokio::test]
async fn the_order_names_the_collector_and_whoever_asks_and_nothing_else() {
    let (heard, got) = asked("", &[OPEN]).await;
    assert_eq!(got.unwrap(), b"");
    let version = env!("CARGO_PKG_VERSION");
    let plain = format!(
        "CONNECT muster.example.org:7460 HTTP/1.1\r\nHost: muster.example.org:7460\r\nUser-Agent: muster-agent/{version}\r\n"
    );
    assert_eq!(heard, format!("{plain}\r\n"));
    // base64 of `me:p@:/ss`, by coreutils' base64(1).
    let (heard, _) = asked("me:p%40%3A%2Fss@", &[OPEN]).await;
    assert_eq!(heard, format!("{plain}Proxy-Authorization: Basic bWU6cEA6L3Nz\r\n\r\n"));
}

#[tokio::test]
async fn what_the_collector_says_right_behind_the_answer_is_not_lost() {
    for pieces in [
        &[&[OPEN, b"\x16\x03abc"].concat()[..]][..],
        &[b"HTTP/1.1 1", b"00 Continue\r\n\r\nHTTP/1.1 200", b"\r\n\r", b"\n\x16\x03ab", b"c"],
        &[b"H", b"TTP/1.0 200 ", b"OK\r\nX: y\r\n", b"\r\n", b"\x16\x03", b"abc"],
    ] {
        assert_eq!(asked("", pieces).await.1.unwrap(), b"\x16\x03abc");
    }
    let long = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 9_000], b"\r\n\r\n\x16\x03abc".to_vec()].concat();
    assert_eq!(asked("", &[&long[..5_000], &long[5_000..]]).await.1.unwrap(), b"\x16\x03abc");
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let asks = b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    assert!(trouble("", asks).await.contains("asks for a user and a password (407 Who?)"));
    let wrong = trouble("me:secret@", asks).await;
    assert!(wrong.contains("does not take this user and password") && !wrong.contains("secret"), "{wrong}");
    let windows =
        trouble("me:x@", b"HTTP/1.1 407 \r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n");
    assert!(windows.await.contains("takes only NTLM, Negotiate; the agent speaks Basic"));
    // tinyproxy 1.11.1 at a wrong password, and where nobody listens at the collector's.
    let other = b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"Tinyproxy\"\r\n\r\n";
    assert!(trouble("me:x@", other).await.contains("does not take this user and password (401 Unauthorized)"));
    assert!(trouble("", b"HTTP/1.1 500 Unable to connect\r\n\r\n").await.contains("cannot reach the collector"));
    for (answer, told) in [
        (&b"HTTP/1.1 403 Forbidden\r\n\r\n<html>"[..], "refuses (403 Forbidden); let its owner allow CONNECT"),
        (b"HTTP/1.1 503\r\n\r\n", "cannot reach the collector (503)"),
        (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "does not know CONNECT"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n", "sends one to http://portal.example/"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Sign in</html>", "a page of its own"),
        (b"<html>Sign in</html>", "no HTTP proxy (it says \"<html>Sign in</html>\")"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP proxy"),
        (b"HTTP/1.1 200", "no HTTP proxy"),
        (b"", "closes the connection without an answer"),
    ] {
        let text = trouble("", answer).await;
        assert!(text.contains(told), "{answer:?}: {text}");
    }
    let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 40_000]].concat();
    assert!(trouble("", &endless).await.contains("longer than 16 KiB"));
}

#[tokio::test]
async fn nobody_there_and_somebody_who_says_nothing_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::parse(&format!("http://{free}")).unwrap();
    let text = through(&proxy, "a:1", PATH).await.unwrap_err().to_string();
    assert!(text.contains("the proxy cannot be reached"), "{text}");

    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::parse(&format!("http://{}", mute.local_addr().unwrap())).unwrap();
    let (asked, _held) = tokio::join!(through(&proxy, "a:1", PATH), mute.accept());
    let text = asked.unwrap_err().to_string();
    assert!(text.contains("does not answer within 10 s"), "{text}");
}

#[tokio::test]
async fn a_password_in_a_file_is_read_anew_each_time_and_its_absence_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("password");
    let proxy = Proxy::parse("http://me@proxy:3128").unwrap().with_password_file(&file).unwrap();
    let authorization = || proxy.authorization().map(Option::unwrap);
    assert!(authorization().unwrap_err().to_string().starts_with(&file.display().to_string()));
    std::fs::write(&file, "first\n").unwrap();
    // base64 of `me:first` and `me:second`.
    assert_eq!(authorization().unwrap(), "Basic bWU6Zmlyc3Q=");
    std::fs::write(&file, "second").unwrap();
    assert_eq!(authorization().unwrap(), "Basic bWU6c2Vjb25k");
    for wrong in ["", "\n", "two\nlines\n"] {
        std::fs::write(&file, wrong).unwrap();
        assert!(authorization().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_proxy_is_an_address_with_a_user_or_without_and_never_shows_its_password() {
    for (text, address) in [
        ("http://proxy.example.org:3128", "proxy.example.org:3128"),
        ("HTTP://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
        ("http://me:secret@10.0.0.1:1", "10.0.0.1:1"),
        ("http://me:sec@ret@10.0.0.1:1", "10.0.0.1:1"),
    ] {
        let proxy = Proxy::parse(text).unwrap();
        assert_eq!(proxy.address(), address);
        assert_eq!(format!("{proxy} {proxy:?}"), format!("{address} {address}"));
    }
    for wrong in [
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://proxy",
        "http://proxy:0",
        "http://proxy:3128/path",
        "http://me:secret%@proxy:3128",
        "http://me:secret%zz@proxy:3128",
        "http://me:secret%0d%0a@proxy:3128",
        "http://m%3Ae:secret@proxy:3128",
        "http://:secret@proxy:3128",
        "http://",
        "",
    ] {
        let told = Proxy::parse(wrong).unwrap_err();
        assert!(told.starts_with("expected ") && !told.contains("secret"), "{wrong}: {told}");
    }
    assert!(Proxy::parse(&format!("http://me:{}@a:1", "x".repeat(2_000))).is_err());
}
