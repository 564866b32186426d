//! `[collector]`: where the collector is, and the way there.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::Config;
use crate::dial::Proxy;
use crate::inspection::{Inspection, is_address};

/// What `proxy` says where there is none.
pub const DIRECT: &str = "none";

/// `[collector]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCollector {
    /// "host:port", tried in turn. Default: the addresses learnt when the host enrolled.
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
    /// "http://USER:PASSWORD@HOST:PORT" of an HTTP proxy on the way to all of them, or "none". Default "none".
    proxy: Option<Spanned<String>>,
    /// File with the password for `proxy`, read at each connection.
    proxy_password_file: Option<Spanned<String>>,
}

impl Inspection<'_> {
    pub(super) fn collector(&mut self, raw: RawCollector, config: &mut Config) {
        for address in raw.addresses {
            if is_address(address.get_ref()) {
                config.addresses.push(address.into_inner());
            } else {
                self.expected(
                    "collector.addresses",
                    &address,
                    "\"host:port\", for example \"muster.example.org:7460\"",
                );
            }
        }
        config.proxy = raw.proxy.and_then(|text| self.proxy(&text));
        let Some(file) = raw.proxy_password_file else { return };
        if !file.get_ref().starts_with('/') {
            self.expected("collector.proxy_password_file", &file, "an absolute path");
        }
        let Some(proxy) = config.proxy.take() else {
            return self.mistake(
                file.span().start,
                "collector.proxy_password_file: expected `proxy` beside it, as http://USER@HOST:PORT".to_owned(),
            );
        };
        match proxy.with_password_file(Path::new(file.get_ref())) {
            Ok(proxy) => config.proxy = Some(proxy),
            Err(expected) => self.mistake(file.span().start, format!("collector.proxy_password_file: {expected}")),
        }
    }

    /// Its value is not quoted: it may hold a password.
    fn proxy(&mut self, text: &Spanned<String>) -> Option<Proxy> {
        if text.get_ref() == DIRECT {
            return None;
        }
        let read = Proxy::parse(text.get_ref());
        read.map_err(|expected| self.mistake(text.span().start, format!("collector.proxy: {expected}"))).ok()
    }
}
