//! Readings as a page of metrics: what `node_exporter` would say, in text format 0.0.4 or OpenMetrics 1.0.0.
//!
//! Both formats say the same series under the same names; they differ in the lines above them.

use std::fmt::Write;

use crate::probe::{Family, Kind, Part, Series, Table, spell_double};

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4, which everything reads.
    Text,
    /// OpenMetrics 1.0.0, which Prometheus asks for first.
    OpenMetrics,
}

impl Format {
    /// The type of pages in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

struct Line<'a> {
    family: &'a Family,
    suffix: &'static str,
    /// The bound of a bucket: buckets stand in the order of their bounds.
    bound: f64,
    labels: String,
    value: f64,
}

impl<'a> Line<'a> {
    fn of((family, series, value): (&'a Family, &Series, f64)) -> Self {
        let bound = series.label("le").filter(|_| series.part == Part::Bucket).and_then(|bound| bound.parse().ok());
        let bound = bound.unwrap_or(0.0);
        Self { family, suffix: series.part.suffix(), bound, labels: label_text(series), value }
    }

    fn name(&self) -> &str {
        &self.family.name
    }

    fn is_same_series(&self, other: &Self) -> bool {
        (self.name(), self.suffix, &self.labels) == (other.name(), other.suffix, &other.labels)
    }

    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let parts = (self.name(), self.suffix).cmp(&(other.name(), other.suffix));
        parts.then(self.bound.total_cmp(&other.bound)).then_with(|| self.labels.cmp(&other.labels))
    }
}

/// Families by name, series by labels, as Prometheus' own client writes them. A series that two sources say is there
/// once.
#[must_use]
pub fn page(table: &Table, format: Format) -> String {
    let mut lines: Vec<Line<'_>> = table.samples().map(Line::of).collect();
    lines.sort_by(Line::order);
    lines.dedup_by(|second, first| second.is_same_series(first));
    let parts: Vec<bool> = lines.iter().map(|line| is_said_as_part(line, &lines)).collect();
    let mut parts = parts.into_iter();
    lines.retain(|_| !parts.next().unwrap_or(false));
    let is_taken = |name: &str| lines.binary_search_by(|line| line.name().cmp(name)).is_ok();
    let mut text = String::new();
    for members in lines.chunk_by(|a, b| a.name() == b.name()) {
        push_family(&mut text, format, members, &is_taken);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// Whether a histogram or summary says the same series as its part: `a_sum` is also the sum of `a`. A script may say both.
fn is_said_as_part(line: &Line<'_>, lines: &[Line<'_>]) -> bool {
    [Part::Bucket, Part::Sum, Part::Count].iter().map(|part| part.suffix()).any(|suffix| {
        let Some(whole) = line.name().strip_suffix(suffix).filter(|_| line.suffix.is_empty()) else { return false };
        let from = lines.partition_point(|other| (other.name(), other.suffix) < (whole, suffix));
        let same = lines[from..].iter().take_while(|other| (other.name(), other.suffix) == (whole, suffix));
        { same }.any(|other| other.labels == line.labels)
    })
}

/// Appends the series of one family below its header. Writing to a String cannot fail.
fn push_family(text: &mut String, format: Format, members: &[Line<'_>], is_taken: &dyn Fn(&str) -> bool) {
    let Some(Line { family, .. }) = members.first() else { return };
    let (name, kind) = match format {
        Format::Text => (&*family.name, type_name(family.kind)),
        Format::OpenMetrics => openmetrics_heading(family, is_taken),
    };
    if !family.help.is_empty() {
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let help = if format == Format::OpenMetrics { help.replace('"', "\\\"") } else { help };
        let _ = writeln!(text, "# HELP {name} {help}");
    }
    let _ = writeln!(text, "# TYPE {name} {kind}");
    // OpenMetrics knows no counter below zero and none that is no number: a page with one would be refused as a whole.
    let only_counts = format == Format::OpenMetrics && kind == "counter";
    for line in members.iter().filter(|line| !only_counts || line.value >= 0.0) {
        let _ = writeln!(text, "{}{}{} {}", line.name(), line.suffix, line.labels, spell_double(line.value));
    }
}

/// Name and type under which OpenMetrics heads a family. It calls a counter by its name without `_total`, which only the
/// samples carry. A counter without that ending (`node_exporter` has some), and one whose short name another family has,
/// is of unknown type there, so that its name stays.
fn openmetrics_heading<'a>(family: &'a Family, is_taken: &dyn Fn(&str) -> bool) -> (&'a str, &'static str) {
    let name = &*family.name;
    let base = name.strip_suffix("_total").filter(|base| !base.is_empty());
    match (family.kind, base) {
        (Kind::Counter, Some(base)) if !is_taken(base) && !is_taken(&format!("{base}_created")) => (base, "counter"),
        (Kind::Counter | Kind::Untyped, _) => (name, "unknown"),
        (kind @ (Kind::Gauge | Kind::Histogram | Kind::Summary), _) => (name, type_name(kind)),
    }
}

/// The type's word in the text format.
#[must_use]
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Untyped => "untyped",
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    }
}

/// `{a="1",b="2"}` sorted by name, values escaped; nothing without labels.
fn label_text(series: &Series) -> String {
    let mut labels: Vec<(&str, &str)> = series.labels().collect();
    labels.sort_unstable();
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let parts: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Moment;
    use crate::probe::{Scratch, Section, Sink};

    /// A table of these families, with one series each.
    fn table(families: &[(&str, Kind, f64)]) -> Table {
        let mut section = Section::new("test", Arc::default());
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        for (name, kind, value) in families {
            sink.family(name, *kind, "\"Help\"\\\n.");
            sink.sample(&[("b", "\"\\\n"), ("a", "1")], *value);
        }
        sink.finish(Ok(())).1.unwrap();
        Table { sections: vec![Arc::new(section)] }
    }

    #[test]
    fn both_formats_say_the_same_series_below_other_headers() {
        let table = table(&[("node_intr_total", Kind::Counter, 2.0), ("node_load1", Kind::Gauge, 0.5)]);
        let text = r#"# HELP node_intr_total "Help"\\\n.
# TYPE node_intr_total counter
node_intr_total{a="1",b="\"\\\n"} 2
# HELP node_load1 "Help"\\\n.
# TYPE node_load1 gauge
node_load1{a="1",b="\"\\\n"} 0.5
"#;
        assert_eq!(page(&table, Format::Text), text);
        let open = r#"# HELP node_intr \"Help\"\\\n.
# TYPE node_intr counter
node_intr_total{a="1",b="\"\\\n"} 2
# HELP node_load1 \"Help\"\\\n.
# TYPE node_load1 gauge
node_load1{a="1",b="\"\\\n"} 0.5
# EOF
"#;
        assert_eq!(page(&table, Format::OpenMetrics), open);
        assert_eq!(page(&Table::default(), Format::OpenMetrics), "# EOF\n");
    }

    #[test]
    fn names_of_the_field_stay_as_they_are_whatever_their_type() {
        use Kind::{Counter, Gauge, Untyped};
        let families = [
            ("_total", Counter, 1.0),
            // Short names that others have.
            ("a", Gauge, 1.0),
            ("a_total", Counter, 1.0),
            ("b_created", Gauge, 1.0),
            ("b_total", Counter, 1.0),
            ("node_odd", Counter, -1.0),
            ("node_systemd_service_restart_total", Gauge, 1.0),
            ("node_vmstat_pgfault", Untyped, 1.0),
            // What a counter cannot be: OpenMetrics would refuse the page.
            ("x_total", Counter, -1.0),
            ("y_total", Counter, f64::NAN),
        ];
        let table = table(&families);
        let (text, open) = (page(&table, Format::Text), page(&table, Format::OpenMetrics));
        let of = |page: &str, keep: &dyn Fn(&str) -> bool| -> Vec<String> {
            page.lines()
                .filter(|line| keep(line))
                .map(|line| line.split(' ').collect::<Vec<_>>()[2..].join(" "))
                .collect()
        };
        let types = of(&open, &|line| line.starts_with("# TYPE"));
        let expected = [
            "_total unknown",
            "a gauge",
            "a_total unknown",
            "b_created gauge",
            "b_total unknown",
            "node_odd unknown",
            "node_systemd_service_restart_total gauge",
            "node_vmstat_pgfault unknown",
            "x counter",
            "y counter",
        ];
        assert_eq!(types, expected);
        let names = |page: &str| -> Vec<String> {
            let samples = page.lines().filter(|line| !line.starts_with('#'));
            samples.map(|line| line.split('{').next().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&text), families.map(|(name, ..)| name));
        assert_eq!(names(&open), families.map(|(name, ..)| name)[..8]);
    }

    #[test]
    fn a_series_that_two_sources_say_is_there_once() {
        let mut table = table(&[("a", Kind::Gauge, 1.0)]);
        table.sections.push(Arc::clone(&table.sections[0]));
        assert_eq!(page(&table, Format::Text).lines().count(), 3);
    }

    #[test]
    fn a_series_that_is_a_part_of_another_is_there_once() {
        let mut section = Section::new("test", Arc::default());
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        sink.family("a", Kind::Summary, "");
        sink.part(Part::Sum, &[], 9.0);
        sink.family("a_sum", Kind::Untyped, "");
        sink.sample(&[], 0.0);
        sink.sample(&[("b", "1")], 2.0);
        sink.finish(Ok(())).1.unwrap();
        let page = page(&Table { sections: vec![Arc::new(section)] }, Format::Text);
        let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["a_sum 9", "a_sum{b=\"1\"} 2"]);
    }

    #[test]
    fn buckets_stand_in_the_order_of_their_bounds() {
        let mut section = Section::new("test", Arc::default());
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        sink.family("job_seconds", Kind::Histogram, "");
        for (bound, count) in [("+Inf", 3.0), ("10", 2.0), ("2.5", 1.0)] {
            sink.part(Part::Bucket, &[("le", bound)], count);
        }
        sink.part(Part::Count, &[], 3.0);
        sink.finish(Ok(())).1.unwrap();
        let page = page(&Table { sections: vec![Arc::new(section)] }, Format::OpenMetrics);
        let expected = "# TYPE job_seconds histogram\njob_seconds_bucket{le=\"2.5\"} 1\njob_seconds_bucket{le=\"10\"} 2\n\
                        job_seconds_bucket{le=\"+Inf\"} 3\njob_seconds_count 3\n# EOF\n";
        assert_eq!(page, expected);
    }
}
