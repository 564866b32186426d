//! Asks the collector: over the unix socket in its state directory, or over HTTPS with an API token.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Method;
use serde_json::Value;

use super::{CliError, arguments::Place, progress::waiting};

const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// Copying the records of a large fleet takes its time.
const BACKUP_WITHIN: Duration = Duration::from_secs(3_600);
/// Beside the state, made by the collector.
const SOCKET: &str = "api.sock";

/// A way to the API.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    place: String,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(place: &Place) -> Result<Self, CliError> {
        let builder = reqwest::Client::builder().timeout(ANSWER_WITHIN).redirect(reqwest::redirect::Policy::none());
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| CliError::Failed(format!("no HTTP client: {error}")))
        };
        if let (Some(url), Some(file)) = (&place.url, &place.token_file) {
            let token = read_line(file)?;
            let builder = match &place.ca {
                Some(ca) => builder.tls_certs_only(certificates(ca)?),
                None => builder,
            };
            let base = url.trim_end_matches('/').to_owned();
            return Ok(Self { http: built(builder)?, place: base.clone(), base, token: Some(token) });
        }
        let socket = state(place)?.join(SOCKET);
        let shown = socket.display().to_string();
        Ok(Self {
            // No TLS here: a machine without certificates to trust (ca-certificates) has its command line all the same.
            http: built(builder.unix_socket(socket).tls_certs_only([]))?,
            base: "http://localhost".into(),
            place: shown,
            token: None,
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.ask(Method::GET, path, None).await
    }

    /// A document that is no JSON.
    pub(super) async fn text(&self, path: &str) -> Result<String, CliError> {
        let response = self.send(self.http.get(self.address(path)), None).await?;
        if !response.status().is_success() {
            return Err(self.taken(response).await.err().unwrap_or_else(|| CliError::Refused("no document".into())));
        }
        let broken = |error| CliError::Failed(format!("{} stops within its answer: {error}", self.place));
        response.text().await.map_err(broken)
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, CliError> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, CliError> {
        self.answer(self.http.request(method, self.address(path)), body).await
    }

    /// An answer that is taken piece by piece, within an hour.
    pub(super) async fn stream(&self, path: &str, body: Value) -> Result<reqwest::Response, CliError> {
        let response = self.send(self.http.post(self.address(path)).timeout(BACKUP_WITHIN), Some(body)).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.taken(response).await.err().unwrap_or_else(|| CliError::Refused("no backup".into())))
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    async fn answer(&self, request: reqwest::RequestBuilder, body: Option<Value>) -> Result<Value, CliError> {
        let response = self.send(request, body).await?;
        self.taken(response).await
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
        body: Option<Value>,
    ) -> Result<reqwest::Response, CliError> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        waiting(request.send()).await.map_err(|error| self.unreachable(&error))
    }

    async fn taken(&self, response: reqwest::Response) -> Result<Value, CliError> {
        let status = response.status();
        let answer: Value = response
            .json()
            .await
            .map_err(|error| CliError::Failed(format!("{} answers {status} and no JSON: {error}", self.place)))?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(CliError::Refused(answer["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned)))
    }

    /// All entries of a list, following its cursor.
    pub(super) async fn all(&self, path: &str, query: &str) -> Result<Value, CliError> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let mut answer = self.get(&format!("{path}?limit=1000{query}{after}")).await?;
            if let Value::Array(more) = answer["items"].take() {
                items.extend(more);
            }
            match answer["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            why = inner.to_string();
            cause = inner.source();
        }
        let remedy = if why.contains("certificate") {
            "does the collector use its own authority? Copy authority/root.der in its state directory from its machine \
             and name the copy with --ca; the name in --url must be one of its [http] names"
        } else if self.token.is_some() {
            "check address and network"
        } else {
            "is it running, and may you use its socket (root, its owner, group muster)? --config or --state says where"
        };
        CliError::Unreachable { place: self.place.clone(), why: format!("{why}; {remedy}") }
    }
}

/// The state directory of the collector on this machine.
pub(super) fn state(place: &Place) -> Result<PathBuf, CliError> {
    match &place.state {
        Some(state) => Ok(state.clone()),
        None => super::load(place).map(|config| config.state),
    }
}

/// The certificates in a file: PEM, or one in DER as the collector keeps its root.
fn certificates(file: &Path) -> Result<Vec<reqwest::Certificate>, CliError> {
    let unusable = |why: String| CliError::Usage(format!("{} cannot be used as --ca: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let found = if bytes.starts_with(b"\x30") {
        reqwest::Certificate::from_der(&bytes).map(|certificate| vec![certificate])
    } else {
        reqwest::Certificate::from_pem_bundle(&bytes)
    };
    let found = found.map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() { Err(unusable("there is no certificate in it".into())) } else { Ok(found) }
}

/// The first line of a file, without its end.
pub(super) fn read_line(file: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::Usage(format!("{} cannot be read: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().trim_end().to_owned())
}
