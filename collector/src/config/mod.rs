//! What the administrator may set: `collector.toml`. (parsing to come; these types are what the rooms rely on)

use std::{net::SocketAddr, path::PathBuf};

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything lives; default `/var/lib/muster/collector`.
    pub state: PathBuf,
    /// The door for agents.
    pub grpc: Grpc,
    /// The door for people and Prometheus.
    pub http: Http,
    /// Who is told.
    pub receivers: Vec<crate::notify::receiver::ReceiverConfig>,
    /// Labels by rule, in order; later wins.
    pub host_rules: Vec<HostRule>,
    /// Thresholds of the everyday rules.
    pub rules: crate::domain::rules::Thresholds,
    /// Log level: `error`, `warn`, `info`, `debug`.
    pub log_level: String,
}

/// `[grpc]`
#[derive(Debug, Clone)]
pub struct Grpc {
    /// Default `0.0.0.0:7460`.
    pub listen: SocketAddr,
    /// `HOST:PORT`s that agents are told to dial; default: this machine's host name with the port.
    pub addresses: Vec<String>,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Default `127.0.0.1:7461`. Anything but loopback serves HTTPS and asks for sign-in.
    pub listen: SocketAddr,
    /// Host names besides loopback under which it may be asked (`Host` header), without port.
    pub names: Vec<String>,
    /// Ask for sign-in on loopback too; default false.
    pub require_authentication: bool,
    /// Own certificate and key (PEM files); default: issued by our CA.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The address people reach the views under, for links in pages; default `http://` + listen.
    pub url: String,
}

/// `[[host_rule]]`: labels for hosts whose name matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// Host name with `*` and `?`.
    pub name: String,
    /// Class to give.
    pub class: Option<crate::domain::labels::Class>,
    /// Site to give.
    pub site: Option<String>,
    /// Watch level to give.
    pub watch: Option<crate::domain::watch::Watch>,
    /// Labels to give.
    pub labels: Vec<(String, String)>,
}
