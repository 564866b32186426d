//! Asking over HTTP, as a browser or Prometheus would.

use std::io::Read as _;
use std::time::Duration;

use serde_json::Value;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }
}

/// A client that follows no redirects and gives up after 10 s.
///
/// # Panics
/// When there is no TLS provider.
#[must_use]
pub fn client() -> reqwest::Client {
    // The first test to ask wins; the provider is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("a client with a TLS provider can be made")
}

/// Asks for `url`; nothing when nobody answers.
pub async fn get(url: &str) -> Option<Answer> {
    let response = client().get(url).send().await.ok()?;
    let status = response.status().as_u16();
    Some(Answer { status, body: response.text().await.ok()? })
}

/// An answer as it came over the wire, nothing unpacked.
#[derive(Debug, Clone)]
pub struct Wire {
    /// The status code.
    pub status: u16,
    /// The body's bytes.
    pub body: Vec<u8>,
    headers: reqwest::header::HeaderMap,
}

impl Wire {
    /// The value of a header; empty without it.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text, unpacked if it is compressed.
    ///
    /// # Panics
    /// When it is neither.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let read = match self.header("content-encoding") {
            "gzip" => flate2::read::GzDecoder::new(&self.body[..]).read_to_string(&mut text),
            _ => (&self.body[..]).read_to_string(&mut text),
        };
        read.expect("a body that is text");
        text
    }
}

/// Asks for `url` with these headers and no others about formats; nothing when nobody answers.
pub async fn ask(url: &str, headers: &[(&str, &str)]) -> Option<Wire> {
    let request = headers.iter().fold(client().get(url), |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Some(Wire { status, headers, body: response.bytes().await.ok()?.to_vec() })
}

/// The samples of an exposition: name with labels, as printed, and value.
#[must_use]
pub fn samples(exposition: &str) -> std::collections::BTreeMap<String, f64> {
    exposition
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}
