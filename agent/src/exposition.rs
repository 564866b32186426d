//! Readings as a page of metrics: what `node_exporter` would say, in text format 0.0.4 or OpenMetrics 1.0.0.
//!
//! Both formats say the same series under the same names; they differ in the lines above them.

use std::fmt::Write;

use crate::probe::{Family, Kind, Series, Table};

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
    labels: String,
    value: f64,
}

impl Line<'_> {
    fn name(&self) -> &str {
        &self.family.name
    }
}

/// Families by name, series by labels, as Prometheus' own client writes them. A series that two sources say is there
/// once.
#[must_use]
pub fn page(table: &Table, format: Format) -> String {
    let line = |(family, series, value)| Line { family, labels: label_text(series), value };
    let mut lines: Vec<Line<'_>> = table.samples().map(line).collect();
    lines.sort_by(|a, b| (a.name(), &a.labels).cmp(&(b.name(), &b.labels)));
    lines.dedup_by(|second, first| (second.name(), &second.labels) == (first.name(), &first.labels));
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
        let _ = writeln!(text, "{}{} {}", line.name(), line.labels, number(line.value));
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
        (kind @ Kind::Gauge, _) => (name, type_name(kind)),
    }
}

/// The type's word in the text format.
#[must_use]
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Untyped => "untyped",
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
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

/// Go writes an exponent from here on: `eprec` of strconv/ftoa.go, where the shortest digits are asked for.
const EXPONENT_FROM: i32 = 6;

/// A number as Go's `strconv.FormatFloat(value, 'g', -1, 64)` writes it: shortest digits; an exponent, of at least two
/// digits, below 1e-4 and from 1e+06 on.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..EXPONENT_FROM).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    } else {
        format!("{value}")
    }
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
    fn numbers_look_as_go_writes_them() {
        // Right column: node_exporter 1.5.0 on a real machine, and Go's strconv tests.
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (463_073.0, "463073"),
            (2_466_177.0, "2.466177e+06"),
            (1_000_000.0, "1e+06"),
            (12.123_000_000_000_001, "12.123000000000001"),
            (1_795_293_705.180_339, "1.795293705180339e+09"),
            (0.000_101_883, "0.000101883"),
            (1.7837e-5, "1.7837e-05"),
            (7.01e-7, "7.01e-07"),
            (-125_000.0, "-125000"),
            (18_446_744_073_709_551_616.0, "1.8446744073709552e+19"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
