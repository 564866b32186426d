//! HTTP proxies on the way to the collector: Debian's tinyproxy, one that answers whatever a story wants, and one that opens TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, free_port, installed};

/// It listens within a second on an idle machine.
const START: Duration = Duration::from_secs(20);
/// Who is in the middle; nothing of the story waits longer for a peer that says nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tinyproxy that lets `me` through, to some ports.
#[derive(Debug)]
pub struct Tinyproxy {
    home: TempDir,
    /// Where it listens, on all addresses.
    pub port: u16,
    process: Option<Process>,
}

impl Tinyproxy {
    /// Starts one that opens the way to `ports` for `me` with `password`.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(password: &str, ports: &[u16]) -> Self {
        let mut proxy = Self { home: TempDir::new().expect("a directory"), port: free_port(), process: None };
        let (own, log) = (proxy.port, proxy.home.path().join("tinyproxy.log"));
        let ways: String = ports.iter().map(|port| format!("ConnectPort {port}\n")).collect();
        let lines = format!(
            "Port {own}\nListen 0.0.0.0\nTimeout 600\nMaxClients 20\nLogLevel Info\nLogFile \"{}\"\n\
             BasicAuth me {password}\n{ways}",
            log.display()
        );
        std::fs::write(proxy.home.path().join("tinyproxy.conf"), lines).expect("a file in a directory of our own");
        proxy.run().await;
        proxy
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn run(&mut self) {
        let mut command = Command::new(installed("tinyproxy", "tinyproxy"));
        command.arg("-d").arg("-c").arg(self.home.path().join("tinyproxy.conf"));
        let mut process = Process::start("tinyproxy", &mut command, &self.home.path().join("out"));
        let port = self.port;
        process.ready(START, || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        self.process = Some(process);
    }

    /// Kills it, and with it all that goes through it.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Its log of what went through.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("tinyproxy.log")).unwrap_or_default()
    }
}

/// A proxy that answers each order with these bytes and hangs up; its address. It goes with the process.
///
/// # Panics
/// When it cannot listen.
#[must_use]
pub fn answering(answer: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// A proxy that opens TLS: it shows a certificate of its own authority, called `issuer`; its address. It goes with the process.
///
/// # Panics
/// When it cannot listen.
#[must_use]
pub fn opening_tls(issuer: &str) -> SocketAddr {
    let config = Arc::new(inspecting(issuer));
    serve(move |mut stream| {
        let opened = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let Ok(mut tls) = ServerConnection::new(Arc::clone(&config)) else { return };
        while opened.is_ok() && tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
    })
}

fn inspecting(issuer: &str) -> ServerConfig {
    let (authority_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, issuer);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = Issuer::new(params, authority_key);
    let leaf = CertificateParams::new(vec!["muster.example.org".to_owned()]).expect("a name");
    let certificate = leaf.signed_by(&key, &authority).expect("a certificate");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
        .expect("key and certificate fit together")
}

/// Hears an order to its end, then answers, one after the other.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            answer(stream);
        }
    });
    address
}
