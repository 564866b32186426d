//! Asking over HTTP, as a browser or Prometheus would.

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
