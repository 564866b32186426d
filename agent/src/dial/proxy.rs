//! EDGE: the way through an HTTP proxy: `CONNECT` (RFC 9110, 9.3.6), then its socket is the collector's.
//!
//! What follows the proxy's answer is left in the kernel for whoever reads next. User and password go to the proxy alone.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::STEP_TIMEOUT;
use super::answer::{self, Answer, Refusal, Strange};
use super::reach::socket_to;
use crate::inspection::is_address;

/// What is read of an answer at once.
const PIECE_BYTES: usize = 2048;
/// A file with a password is some bytes long; a larger one is some other file.
const PASSWORD_FILE_BYTES_MAX: usize = 4096;
/// What a user and a password may have together; they go into one line of a head.
const CREDENTIALS_BYTES_MAX: usize = 1024;

/// An HTTP proxy, and who may use it. Never shown with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    address: String,
    user: Option<String>,
    password: Password,
}

#[derive(Clone, PartialEq, Eq)]
enum Password {
    None,
    Stated(String),
    /// Read anew at each connection, so that it may be changed while the agent runs.
    File(PathBuf),
}

impl Proxy {
    /// Reads `http://[USER[:PASSWORD]@]HOST:PORT`; in user and password whatever is not a letter or digit may be written `%XX`.
    ///
    /// # Errors
    /// What is expected instead; never with the text itself, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("expected \"http://HOST:PORT\", for example \"http://proxy.example.org:3128\", or \"none\"");
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(
                "expected the scheme http: the proxy itself is spoken to in plain HTTP (what passes it is not)",
            );
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, rest),
        };
        if !is_address(address) {
            return Err(
                "expected HOST:PORT after http:// (and after USER:PASSWORD@ where there are some), and no path",
            );
        }
        let (user, password) =
            match credentials.map(|text| text.split_once(':').map_or((text, None), |(u, p)| (u, Some(p)))) {
                Some((user, password)) => (Some(user), password),
                None => (None, None),
            };
        const ILL: &str = "expected USER:PASSWORD@ of at most 1024 bytes, with what is not a letter or digit as %XX";
        let plain = |text: &str| percent_decoded(text).filter(|text| !text.chars().any(char::is_control));
        let user = user.map(|user| plain(user).filter(|user| !user.is_empty() && !user.contains(':')).ok_or(ILL));
        let password = password.map(|password| plain(password).ok_or(ILL)).transpose()?;
        let user = user.transpose()?;
        if user.as_ref().map_or(0, String::len) + password.as_ref().map_or(0, String::len) > CREDENTIALS_BYTES_MAX {
            return Err(ILL);
        }
        Ok(Self { address: address.to_owned(), user, password: password.map_or(Password::None, Password::Stated) })
    }

    /// The same, whose password stands in a file.
    ///
    /// # Errors
    /// When there is no user for it, or a password already.
    pub fn with_password_file(self, file: &Path) -> Result<Self, &'static str> {
        match (&self.user, &self.password) {
            (None, _) => Err("expected a user in `proxy`, as http://USER@HOST:PORT"),
            (_, Password::Stated(_)) => Err("expected no password in `proxy` beside it"),
            _ => Ok(Self { password: Password::File(file.to_owned()), ..self }),
        }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the password itself is stated, instead of a file.
    #[must_use]
    pub fn states_password(&self) -> bool {
        matches!(self.password, Password::Stated(_))
    }

    /// The file with the password, where one is named.
    #[must_use]
    pub fn password_file(&self) -> Option<&Path> {
        match &self.password {
            Password::File(file) => Some(file),
            Password::None | Password::Stated(_) => None,
        }
    }

    /// `Proxy-Authorization`, where there is a user.
    fn authorization(&self) -> Result<Option<String>, Trouble> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password {
            Password::None => String::new(),
            Password::Stated(password) => password.clone(),
            Password::File(file) => password_in(file)?,
        };
        Ok(Some(format!("Basic {}", BASE64.encode(format!("{user}:{password}")))))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// What went wrong at or behind a proxy.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The file with the password.
    #[error("{}: the proxy's password cannot be read: {source}", file.display())]
    Password {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No name, no route, or nobody listens.
    #[error("the proxy cannot be reached: {0}; check `proxy` below [collector] in agent.toml, and that the proxy runs")]
    Unreachable(#[source] io::Error),
    /// No connection in time.
    #[error("the proxy does not answer within {} s; check `proxy` below [collector] in agent.toml", STEP_TIMEOUT.as_secs())]
    Silent,
    /// A connection, and no answer in time.
    #[error("the proxy takes the connection and does not answer within {} s: it is overloaded, or no HTTP proxy", STEP_TIMEOUT.as_secs())]
    NoAnswer,
    /// It hung up first.
    #[error(
        "the proxy closes the connection without an answer: it may not serve this machine, or speak another protocol"
    )]
    Closed,
    /// The proxy's no.
    #[error("{}", no(.refusal, *.with_credentials))]
    Refused {
        /// In its words.
        refusal: Refusal,
        /// Whether it was told a user.
        with_credentials: bool,
    },
    /// Something else listens there.
    #[error("what listens there is no HTTP proxy (it says {0:?}); check `proxy` below [collector] in agent.toml")]
    NotHttp(String),
    /// It does not come to its end.
    #[error("the proxy's answer is longer than {} KiB; it is no answer to CONNECT", answer::HEAD_BYTES_MAX / 1024)]
    TooLong,
    /// Says that the way is open and sends a page.
    #[error(
        "the proxy answers with a page of its own instead of a connection: a captive portal, or a web server that is no proxy; sign in there, or check `proxy` below [collector] in agent.toml"
    )]
    Page,
    /// The way was opened and ended.
    #[error(
        "the proxy opened the way, and then the connection ended ({0}): the proxy, or the collector behind it, does not let it through"
    )]
    Cut(#[source] io::Error),
    /// The way was opened and nothing comes.
    #[error("the proxy opened the way, but nothing comes back within {} s: it does not let TLS pass, or the collector hangs", STEP_TIMEOUT.as_secs())]
    Stuck,
    /// Somebody else's certificate.
    #[error(
        "the certificate is issued by {issuer:?} and not by this host's collector: the proxy seems to open TLS; let its owner except {address} from TLS inspection"
    )]
    Inspected {
        /// Who issued what is shown instead.
        issuer: String,
        /// What was dialled.
        address: String,
    },
}

fn no(refusal: &Refusal, with_credentials: bool) -> String {
    let Refusal { code, reason, schemes, elsewhere } = refusal;
    let said = if reason.is_empty() { code.to_string() } else { format!("{code} {reason}") };
    let takes_basic = schemes.is_empty() || schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    // tinyproxy says 401 for 407 where the password is wrong, and 500 for 502.
    match code {
        401 | 407 if !takes_basic => format!(
            "the proxy asks who this is ({said}) and takes only {}; the agent speaks Basic: let the proxy's owner allow it, or except this machine",
            schemes.join(", ")
        ),
        401 | 407 if with_credentials => format!(
            "the proxy does not take this user and password ({said}); correct `proxy` or `proxy_password_file` below [collector] in agent.toml"
        ),
        401 | 407 => format!(
            "the proxy asks for a user and a password ({said}); write them below [collector] in agent.toml: proxy = \"http://USER@HOST:PORT\" and proxy_password_file = \"FILE\""
        ),
        500 | 502..=504 => format!(
            "the proxy cannot reach the collector ({said}); check the collector's address, as the proxy's machine sees it"
        ),
        300..=399 if !elsewhere.is_empty() => format!(
            "the proxy sends one to {elsewhere} instead ({said}): a captive portal, or a web server that is no proxy"
        ),
        400 | 404 | 405 | 501 => format!(
            "the proxy does not know CONNECT, or not for this port ({said}): it is a web server, or its owner must allow CONNECT to the collector's port"
        ),
        _ => format!("the proxy refuses ({said}); let its owner allow CONNECT to the collector's address and port"),
    }
}

/// A connection to `address` through `proxy`, over which nothing has been said yet.
pub(super) async fn through(proxy: &Proxy, address: &str, path: super::PathWatch) -> Result<TcpStream, Trouble> {
    let authorization = proxy.authorization()?;
    let reached = timeout(STEP_TIMEOUT, socket_to(&proxy.address, path)).await;
    let mut stream = reached.map_err(|_| Trouble::Silent)?.map_err(Trouble::Unreachable)?;
    let order = order(address, authorization.as_deref());
    let asked = async {
        stream.write_all(order.as_bytes()).await.map_err(|_| Trouble::Closed)?;
        hear(&mut stream).await
    };
    match timeout(STEP_TIMEOUT, asked).await.map_err(|_| Trouble::NoAnswer)?? {
        None => Ok(stream),
        Some(refusal) => Err(Trouble::Refused { refusal, with_credentials: authorization.is_some() }),
    }
}

fn order(address: &str, authorization: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let who = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: muster-agent/{version}\r\n{who}\r\n")
}

/// Reads the proxy's answer and not a byte more; its refusal, if it is one.
async fn hear(stream: &mut TcpStream) -> Result<Option<Refusal>, Trouble> {
    let (mut head, mut piece) = (Vec::new(), [0; PIECE_BYTES]);
    loop {
        let came = stream.peek(&mut piece).await.map_err(|_| Trouble::Closed)?;
        if came == 0 {
            return Err(if head.is_empty() { Trouble::Closed } else { Trouble::NotHttp(answer::shown(&head)) });
        }
        let before = head.len();
        head.extend_from_slice(&piece[..came]);
        let read = answer::read(&head).map_err(|strange| match strange {
            Strange::NotHttp(shown) => Trouble::NotHttp(shown),
            Strange::TooLong => Trouble::TooLong,
        })?;
        let taken = match &read {
            Some(Answer::Open { end }) => end.saturating_sub(before),
            Some(Answer::Refused(_)) | None => came,
        };
        stream.read_exact(&mut piece[..taken]).await.map_err(|_| Trouble::Closed)?;
        match read {
            Some(Answer::Open { end }) if head.get(end) == Some(&b'<') => return Err(Trouble::Page),
            Some(Answer::Open { .. }) => return Ok(None),
            Some(Answer::Refused(refusal)) => return Ok(Some(refusal)),
            None => {}
        }
    }
}

fn password_in(file: &Path) -> Result<String, Trouble> {
    let wrong = |source| Trouble::Password { file: file.to_owned(), source };
    let text = std::fs::read_to_string(file).map_err(wrong)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || text.len() > PASSWORD_FILE_BYTES_MAX || password.chars().any(char::is_control) {
        let expected = "expected one line with the password";
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidData, expected)));
    }
    Ok(password.to_owned())
}

/// `%XX` as the byte that it stands for; `None` where the whole is no UTF-8, or a `%` stands alone.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits =
            std::str::from_utf8(tail.get(..2)?).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
