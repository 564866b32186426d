//! Our own figures, as the registry gathers them, in both formats. The library's encoder writes only one.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use crate::domain::readings::dictionary::{
    FamilyType,
    text::{self, Format},
};

/// Appends these families.
pub(super) fn append(families: &[MetricFamily], format: Format, out: &mut Vec<u8>) {
    for family in families {
        let kind = kind_of(family.get_field_type());
        text::push_header(out, format, family.name(), kind, family.help());
        let mut writer = Writer { format, name: family.name(), out };
        for metric in family.get_metric() {
            match kind {
                FamilyType::Counter => writer.push("", metric, None, metric.get_counter().get_value()),
                FamilyType::Gauge => writer.push("", metric, None, metric.get_gauge().get_value()),
                FamilyType::Histogram => writer.push_histogram(metric),
                FamilyType::Summary => writer.push_summary(metric),
                // The library makes none.
                FamilyType::Untyped => {}
            }
        }
    }
}

fn kind_of(kind: MetricType) -> FamilyType {
    match kind {
        MetricType::COUNTER => FamilyType::Counter,
        MetricType::GAUGE => FamilyType::Gauge,
        MetricType::HISTOGRAM => FamilyType::Histogram,
        MetricType::SUMMARY => FamilyType::Summary,
        MetricType::UNTYPED => FamilyType::Untyped,
    }
}

struct Writer<'a> {
    format: Format,
    name: &'a str,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn push(&mut self, suffix: &str, metric: &Metric, bound: Option<(&str, f64)>, value: f64) {
        let mut labels: Vec<(&str, &str)> = metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
        let bound = bound.map(|(name, bound)| (name, spelled(self.format, bound)));
        labels.extend(bound.as_ref().map(|(name, text)| (*name, text.as_str())));
        text::push_series(self.out, self.name, suffix, &labels);
        text::push_number(self.out, value);
        self.out.push(b'\n');
    }

    fn push_histogram(&mut self, metric: &Metric) {
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count() as f64;
        let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound() != f64::INFINITY);
        for bucket in finite {
            self.push("_bucket", metric, Some(("le", bucket.upper_bound())), bucket.cumulative_count() as f64);
        }
        self.push("_bucket", metric, Some(("le", f64::INFINITY)), count);
        self.push("_sum", metric, None, histogram.get_sample_sum());
        self.push("_count", metric, None, count);
    }

    fn push_summary(&mut self, metric: &Metric) {
        let summary = metric.get_summary();
        for quantile in summary.get_quantile() {
            self.push("", metric, Some(("quantile", quantile.quantile())), quantile.value());
        }
        self.push("_sum", metric, None, summary.sample_sum());
        self.push("_count", metric, None, summary.sample_count() as f64);
    }
}

/// A bound as a label's value. OpenMetrics writes whole ones with a decimal point, so that they are spelled alike
/// everywhere ("Canonical Numbers").
fn spelled(format: Format, bound: f64) -> String {
    let mut digits = Vec::new();
    text::push_number(&mut digits, bound);
    let whole = digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    if format == Format::OpenMetrics && whole {
        digits.extend_from_slice(b".0");
    }
    String::from_utf8_lossy(&digits).into_owned()
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

    use super::{super::tests::strict, *};

    fn registry() -> Registry {
        let registry = Registry::new();
        let tries = IntCounterVec::new(Opts::new("tries_total", "Tries, \"by\" outcome\\\n."), &["outcome"]).unwrap();
        tries.with_label_values(&["a\"\\\n"]).inc_by(3);
        tries.with_label_values(&["b"]);
        let seconds = HistogramOpts::new("seconds", "How long.").buckets(vec![0.001, 1.0, 2.5, 15.0]);
        let seconds = Histogram::with_opts(seconds).unwrap();
        [0.5, 2.0, 60.0].iter().for_each(|value| seconds.observe(*value));
        let level = IntGauge::new("level_total", "A gauge all the same.").unwrap();
        level.set(-7);
        let odd = IntCounter::new("odd", "A counter without its ending.").unwrap();
        registry.register(Box::new(tries)).unwrap();
        registry.register(Box::new(seconds)).unwrap();
        registry.register(Box::new(level)).unwrap();
        registry.register(Box::new(odd)).unwrap();
        registry
    }

    fn page(format: Format) -> String {
        let mut out = Vec::new();
        append(&registry().gather(), format, &mut out);
        out.extend_from_slice(format.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_what_the_library_writes() {
        let written = page(Format::Text);
        assert_eq!(written, TextEncoder::new().encode_to_string(&registry().gather()).unwrap());
        assert_eq!(strict::parse(&written).unwrap().len(), 11);
    }

    #[test]
    fn in_openmetrics_each_kind_is_what_the_standard_calls_it() {
        let expected = r#"# HELP level_total A gauge all the same.
# TYPE level_total gauge
level_total -7
# HELP odd A counter without its ending.
# TYPE odd unknown
odd 0
# HELP seconds How long.
# TYPE seconds histogram
seconds_bucket{le="0.001"} 0
seconds_bucket{le="1.0"} 1
seconds_bucket{le="2.5"} 2
seconds_bucket{le="15.0"} 2
seconds_bucket{le="+Inf"} 3
seconds_sum 62.5
seconds_count 3
# HELP tries Tries, \"by\" outcome\\\n.
# TYPE tries counter
tries_total{outcome="a\"\\\n"} 3
tries_total{outcome="b"} 0
# EOF
"#;
        assert_eq!(page(Format::OpenMetrics), expected);
        strict::parse_openmetrics(expected).unwrap();
    }
}
