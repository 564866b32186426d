//! Titles and bodies in the administrator's own words: Jinja templates (<https://docs.rs/minijinja>), within limits.
//!
//! A template is tried on a page of each kind before the collector starts; one that does not render is refused with
//! line and key. If one fails later all the same, the default text goes out: words never keep a page from leaving. It
//! reads nothing but the page, and what it inserts is escaped as the receiver's markup needs it.

use std::io::Write;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context, escape_formatter};

use super::{receiver::ReceiverConfig, text};
use crate::domain::record::Page;

/// Longest template, in bytes.
pub const SOURCE_BYTES: usize = 8 * 1024;
/// Longest text that a template may make, in bytes.
const MADE_BYTES: usize = 64 * 1024;
/// Instructions that a template may run; a long one runs some hundreds.
const FUEL: u64 = 50_000;

/// How a receiver reads what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// As it stands.
    Plain,
    /// Slack's mrkdwn: `&`, `<` and `>` begin links and mentions.
    Slack,
    /// The Markdown of Adaptive Cards.
    Card,
}

impl Markup {
    /// `text` so that the receiver shows it as it stands.
    #[must_use]
    pub fn escape(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Slack => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            // Only what makes links, and `{{DATE(...)}}`, which cards replace; emphasis does no harm.
            Self::Card => text.replace("](", "]\\(").replace("{{", "{ {"),
        }
    }
}

/// One template that renders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
}

impl Template {
    /// Takes a template that makes something of a page of each kind.
    ///
    /// # Errors
    /// What keeps it from rendering, with the line in the template.
    pub fn new(source: &str, markup: Markup) -> Result<Self, String> {
        if source.len() > SOURCE_BYTES {
            return Err(format!("a template of at most {SOURCE_BYTES} bytes"));
        }
        let template = Self { source: source.to_owned() };
        for page in text::samples() {
            let made = template.render(&page, "https://muster.example.org", markup);
            made.map_err(|error| format!("a template that renders: {error}"))?;
        }
        Ok(template)
    }

    fn render(&self, page: &Page, base_url: &str, markup: Markup) -> Result<String, String> {
        let environment = environment(markup);
        let made = environment.template_from_str(&self.source).and_then(|template| {
            let mut made = Bounded(Vec::new());
            template.render_captured_to(fields(page, base_url), &mut made)?;
            Ok(String::from_utf8_lossy(&made.0).into_owned())
        });
        made.map_err(|error| {
            let line = error.line().map_or_else(String::new, |line| format!(" in line {line} of it"));
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let said = cause.or_else(|| error.detail().map(str::to_owned)).unwrap_or_else(|| error.kind().to_string());
            format!("{said}{line}")
        })
    }
}

fn environment(markup: Markup) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_auto_escape_callback(move |_| match markup {
        Markup::Plain => AutoEscape::None,
        Markup::Slack | Markup::Card => AutoEscape::Custom("markup".into()),
    });
    environment.set_formatter(move |out, state, value| match state.auto_escape() {
        AutoEscape::Custom(_) if value.is_safe() => Ok(out.write_str(&value.to_string())?),
        AutoEscape::Custom(_) => Ok(out.write_str(&markup.escape(&value.to_string()))?),
        _ => escape_formatter(out, state, value),
    });
    environment
}

/// What a template may say.
fn fields(page: &Page, base_url: &str) -> Value {
    context! {
        severity => page.severity.word(),
        state => page.state.word(),
        event => page.kind.event_type().rsplit('.').next(),
        title => text::clean(&page.title, text::TITLE_CHARS),
        host => text::clean(&page.host, 256),
        component => text::clean(&page.component, 256),
        site => text::clean(&page.facts.site, 256),
        since => page.since.to_string(),
        at => page.decided.to_string(),
        lasted => text::lasted(page),
        evidence => text::evidence(page),
        details => text::details(page),
        impact => text::impact(page),
        hosts => page.facts.names.clone(),
        last => text::last(page).unwrap_or_default(),
        next => text::next(page).unwrap_or_default(),
        runbook => page.facts.runbook.clone().unwrap_or_default(),
        paged => page.facts.paged.clone(),
        taken_by => text::clean(page.facts.acknowledged_by.as_deref().unwrap_or_default(), 256),
        number => page.incident.map(|incident| incident.to_string()).unwrap_or_default(),
        key => page.key.clone(),
        url => text::url(page, base_url),
        act_url => text::act_url(page, base_url).unwrap_or_default(),
        receiver => page.receiver.clone(),
        person => page.person.clone().unwrap_or_default(),
        short => text::short(page),
        text => text::full(page, base_url),
    }
}

/// Takes [`MADE_BYTES`] and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MADE_BYTES {
            return Err(std::io::Error::other(format!("it makes more than {MADE_BYTES} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The templates of one receiver: `title` and `body`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    /// Instead of the default title.
    pub title: Option<Template>,
    /// Instead of the default text.
    pub body: Option<Template>,
}

/// The words that one receiver is sent, in its markup.
#[derive(Debug, Clone)]
pub struct Words {
    receiver: String,
    templates: Templates,
    markup: Markup,
    /// Where people reach the views, without a slash at its end.
    pub(super) base_url: String,
}

impl Words {
    /// The words for a receiver; `base_url` is where people reach the views.
    #[must_use]
    pub fn new(receiver: &ReceiverConfig, base_url: &str) -> Self {
        Self {
            receiver: receiver.name.clone(),
            templates: receiver.templates.clone(),
            markup: receiver.kind.markup(),
            base_url: base_url.to_owned(),
        }
    }

    /// The title in one line.
    pub(super) fn title(&self, page: &Page) -> String {
        self.own_title(page).unwrap_or_else(|| self.markup.escape(&text::title(page)))
    }

    /// The text in lines.
    pub(super) fn body(&self, page: &Page) -> String {
        self.own_body(page).unwrap_or_else(|| self.markup.escape(&text::full(page, &self.base_url)))
    }

    /// The text in 160 characters.
    pub(super) fn short(&self, page: &Page) -> String {
        self.own_title(page).map_or_else(|| text::short(page), |title| text::shortened(&title, text::SHORT_CHARS))
    }

    /// What the title's template says, if there is one.
    pub(super) fn own_title(&self, page: &Page) -> Option<String> {
        let title = self.made(self.templates.title.as_ref(), "title", page)?;
        Some(text::clean(&title, text::TITLE_CHARS)).filter(|title| !title.is_empty())
    }

    /// What the body's template says, if there is one.
    pub(super) fn own_body(&self, page: &Page) -> Option<String> {
        self.made(self.templates.body.as_ref(), "body", page)
    }

    /// Where the page's person takes the incident with one button.
    pub(super) fn act_url(&self, page: &Page) -> Option<String> {
        text::act_url(page, &self.base_url)
    }

    /// The address of the incident's view.
    pub(super) fn url(&self, page: &Page) -> String {
        text::url(page, &self.base_url)
    }

    fn made(&self, template: Option<&Template>, key: &str, page: &Page) -> Option<String> {
        match template?.render(page, &self.base_url, self.markup) {
            Ok(text) => Some(text),
            Err(error) => {
                tracing::warn!(
                    "page {} goes to receiver {} in the default words: its {key} does not render: {error}",
                    page.id,
                    self.receiver
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(source: &str, markup: Markup) -> Result<String, String> {
        let template = Template::new(source, markup)?;
        let page = text::samples().swap_remove(0);
        let page = Page { title: "<!channel> & [x](http://evil) *b* {{DATE(0)}}".into(), ..page };
        template.render(&page, "https://muster.example.org", markup)
    }

    #[test]
    fn a_template_says_what_the_page_knows() {
        let source = "{{ severity|upper }} {{ host }}{% if site %} at {{ site }}{% endif %}: {{ evidence|join('; ') }} \
                      {{ url }} {{ event }} {{ number }} {{ paged|join('+') }}";
        let expected = "CRITICAL web-1 at berlin: no answer to the look; last heard 2026-11-21T09:14:00.000Z; also: web-1: \
                        /var: 3 % free https://muster.example.org/incidents/1042 opened 1042 mail+on-call";
        assert_eq!(made(source, Markup::Plain).unwrap(), expected);
        let more =
            "{{ impact|join('; ') }} | {{ next }} | {{ last }} | {{ runbook }} | {{ hosts|length }} | {{ details[0] }}";
        let expected = "service shop; 2 hosts behind it | Bob at 2026-11-21 09:35 UTC | #977 of 2026-11-03 03:10 UTC, over \
                        after 42 min: Bob had it | https://wiki.example.org/down | 0 | web-1 is down: no answer to the \
                        look; last heard 2026-11-21T09:14:00.000Z";
        assert_eq!(made(more, Markup::Plain).unwrap(), expected);
    }

    #[test]
    fn what_is_inserted_is_escaped_for_the_receiver_and_what_the_administrator_wrote_is_not() {
        let slack = made("*{{ title }}* <{{ url }}|view>", Markup::Slack).unwrap();
        let expected = "*&lt;!channel&gt; &amp; [x](http://evil) *b* {{DATE(0)}}* <https://muster.example.org/incidents/1042|view>";
        assert_eq!(slack, expected);
        let card = made("**{{ title }}**", Markup::Card).unwrap();
        assert_eq!(card, r"**<!channel> & [x]\(http://evil) *b* { {DATE(0)}}**");
        assert!(made("{{ title }}", Markup::Plain).unwrap().starts_with("<!channel> & [x]"));
    }

    #[test]
    fn a_template_that_does_not_render_is_refused_with_its_line() {
        let why = |source: &str| made(source, Markup::Plain).expect_err(source);
        assert!(why("{{ severty }}").contains("in line 1 of it"), "{}", why("{{ severty }}"));
        assert!(why("a\n{% if %}").contains("in line 2 of it"), "{}", why("a\n{% if %}"));
        assert!(why("{% for n in range(99999) %}{{ n }}{% endfor %}").contains("a template that renders"));
        assert!(why("{% for n in range(20000) %}x{% endfor %}").contains("fuel"));
        assert!(why("{{ 'x' * 70000 }}").contains("65536 bytes"), "{}", why("{{ 'x' * 70000 }}"));
        assert!(why(&format!("{{{{ {}1 }}}}", "(".repeat(4_000))).contains("a template that renders"));
        assert!(why("{% include '/etc/passwd' %}").contains("a template that renders"));
        assert!(why(&"x".repeat(SOURCE_BYTES + 1)).contains("at most 8192 bytes"));
    }
}
