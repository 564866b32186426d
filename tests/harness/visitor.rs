//! Somebody signed in with a browser: reads views and sends their forms.

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};

use crate::{Collector, http};

/// Somebody with a session.
#[derive(Debug)]
pub struct Visitor {
    origin: String,
    cookie: String,
}

impl Visitor {
    /// An admin, who follows a link that signs in.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn admin(collector: &Collector) -> Self {
        let link = collector.cli(&["person", "link"]).await;
        let path = link.find("/sign-in/").map(|at| link[at..].trim()).expect("a link that signs in");
        let origin = collector.url("");
        let posted = http::client().post(format!("{origin}{path}")).header(ORIGIN, &origin).send().await;
        let answer = posted.expect("an answer");
        let cookie = answer.headers().get(SET_COOKIE).and_then(|line| line.to_str().ok());
        let cookie = cookie.and_then(|line| line.split(';').next()).expect("a session").to_owned();
        Self { origin, cookie }
    }

    /// Reads a view.
    ///
    /// # Panics
    /// When there is no such view.
    pub async fn read(&self, path: &str) -> String {
        let asked = http::client().get(format!("{}{path}", self.origin)).header(COOKIE, &self.cookie);
        let answer = asked.send().await.expect("an answer");
        let (status, body) = (answer.status(), answer.text().await.expect("a view"));
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Sends a form with these fields besides the hidden ones of the view that it stands in; where it leads to.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn send(&self, view: &str, to: &str, fields: &[(&str, &str)]) -> String {
        let hidden = hidden(&self.read(view).await);
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pair = |(name, value): (&str, &str)| format!("{name}={}", encode(value));
        let body = hidden.chain(fields.iter().copied()).map(pair).collect::<Vec<_>>().join("&");
        let answer = http::client()
            .post(format!("{}{to}", self.origin))
            .header(COOKIE, &self.cookie)
            .header(ORIGIN, &self.origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .expect("an answer");
        let leads = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let status = answer.status();
        leads.unwrap_or_else(|| panic!("the form of {view} was not taken: {status}"))
    }
}

/// The hidden fields of the first form of a view's main part.
fn hidden(view: &str) -> Vec<(String, String)> {
    let main = view.split_once("<main").map_or(view, |(_, main)| main);
    let form = main.split_once("method=\"post\"").and_then(|(_, form)| form.split_once("</form>"));
    let form = form.map_or("", |(form, _)| form);
    let value = |input: &str, key: &str| {
        let text = input.split_once(&format!(" {key}=\""))?.1.split_once('"')?.0;
        Some(text.replace("&#38;", "&").replace("&amp;", "&"))
    };
    let inputs = form.split("<input").filter(|input| input.contains("type=\"hidden\""));
    inputs.filter_map(|input| Some((value(input, "name")?, value(input, "value")?))).collect()
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}
