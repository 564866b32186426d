//! Our own log and our own figures: what Muster says about itself.
//!
//! The log goes to standard error, one event a line: RFC 3339 time in UTC, level, words, fields. Text from hosts may be
//! among them, so control characters are escaped and no line can be forged.

use std::{fmt, time::Duration};

use prometheus::{
    IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto,
};
use rustix::time::{ClockId, clock_gettime};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Compact, Format, Writer},
        time::FormatTime,
    },
    registry::LookupSpan,
};

/// This variable overrules the configured level; it takes tracing's filter syntax (`debug,hyper=info`).
pub const LEVEL_VARIABLE: &str = "MUSTER_LOG";
/// Libraries that say too much at debug level about every connection.
const QUIET: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower"];
/// Clock ticks per second in `/proc/self/stat`: `USER_HZ` is 100 on every architecture that Rust's std supports on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not understood.
    #[error("the log level {0:?} is not understood; use error, warn, info, debug or trace")]
    Level(String),
    /// Something else logs already.
    #[error("the log was started already")]
    Started,
}

/// Starts the log at `level`, unless [`LEVEL_VARIABLE`] says otherwise. Call it once, before anything is logged.
///
/// # Errors
/// The level is not understood, or the log was started before.
pub fn start(level: &str) -> Result<(), TelemetryError> {
    let wanted = std::env::var(LEVEL_VARIABLE).ok().filter(|text| !text.is_empty());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(wanted.as_deref().unwrap_or(level))?)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .event_format(line())
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Started)
}

/// Tells systemd that the service is ready and, where it asks for that, that it lives.
#[derive(Debug)]
pub struct Watchdog {
    every: Option<Duration>,
}

impl Watchdog {
    /// Ready.
    #[must_use]
    pub fn ready() -> Self {
        // Outside systemd there is nobody to tell.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status("serving")]);
        Self { every: sd_notify::watchdog_enabled().map(|limit| limit / 2) }
    }

    /// Tells at half the asked interval, for ever.
    pub async fn keep(&self) {
        let Some(every) = self.every else { return std::future::pending().await };
        loop {
            tokio::time::sleep(every).await;
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

/// A start of which nothing is heard for longer has come to a halt, in microseconds.
const STARTING_US: u32 = 60_000_000;

/// Tells systemd what keeps the service from being ready, and that it goes on.
pub fn starting(what: &str) {
    use sd_notify::NotifyState::{ExtendTimeoutUsec, Status};
    let _ = sd_notify::notify(&[ExtendTimeoutUsec(STARTING_US), Status(what)]);
}

/// Tells systemd that the service stops.
pub fn stopping() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
}

fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let plain = ["error", "warn", "info", "debug", "trace"].contains(&text);
    let mut all = text.to_owned();
    if plain && matches!(text, "debug" | "trace") {
        QUIET.iter().for_each(|name| all.push_str(&format!(",{name}=info")));
    }
    EnvFilter::try_new(all).map_err(|_| TelemetryError::Level(text.to_owned()))
}

fn line() -> OneLine {
    OneLine(Format::default().compact().with_ansi(false).with_target(false).with_timer(Utc))
}

struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", crate::clock::wall())
    }
}

/// Formats an event as exactly one line.
struct OneLine(Format<Compact, Utc>);

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::with_capacity(256);
        self.0.format_event(context, Writer::new(&mut text), event)?;
        writer.write_str(&escaped(text.trim_end_matches('\n')))?;
        writer.write_char('\n')
    }
}

/// `text` with every control character, and those that turn the direction of writing, in Rust's notation.
fn escaped(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        if c.is_control() || turns(c) {
            all.extend(c.escape_default())
        } else {
            all.push(c)
        }
        all
    })
}

/// Registers `muster_build_info` and the figures of our own process.
///
/// # Errors
/// They are registered already.
pub fn register(registry: &Registry) -> prometheus::Result<()> {
    let info = IntGaugeVec::new(Opts::new("muster_build_info", "What is running."), &["version", "revision"])?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION"), option_env!("MUSTER_REVISION").unwrap_or("unknown")]).set(1);
    registry.register(Box::new(info))?;
    registry.register(Box::new(OwnProcess::new()?))
}

/// Figures of this process, read at each scrape under the names that all Prometheus clients use.
struct OwnProcess {
    descriptions: Vec<Desc>,
}

/// Name, help, and whether it only grows.
const PROCESS: [(&str, &str, bool); 5] = [
    ("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", true),
    ("process_resident_memory_bytes", "Resident memory size in bytes.", false),
    ("process_open_fds", "Number of open file descriptors.", false),
    ("process_max_fds", "Maximum number of open file descriptors.", false),
    ("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", false),
];

impl OwnProcess {
    fn new() -> prometheus::Result<Self> {
        let describe = |(name, help, _): (&str, &str, bool)| {
            Desc::new(name.to_owned(), help.to_owned(), Vec::new(), std::collections::HashMap::new())
        };
        Ok(Self { descriptions: PROCESS.into_iter().map(describe).collect::<Result<_, _>>()? })
    }
}

impl Collector for OwnProcess {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let figures = [Some(cpu_seconds()), resident_bytes(), open_files(), most_files(), started_seconds()];
        let known = PROCESS.into_iter().zip(figures).filter_map(|(about, figure)| Some((about, figure?)));
        known.map(|((name, help, grows), figure)| family(name, help, grows, figure)).collect()
    }
}

fn family(name: &str, help: &str, grows: bool, figure: f64) -> proto::MetricFamily {
    let mut metric = proto::Metric::default();
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    if grows {
        let mut counter = proto::Counter::default();
        counter.set_value(figure);
        metric.set_counter(counter);
        family.set_field_type(proto::MetricType::COUNTER);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(figure);
        metric.set_gauge(gauge);
        family.set_field_type(proto::MetricType::GAUGE);
    }
    family.mut_metric().push(metric);
    family
}

/// Not a clock that tells time: what this process has used of its processors.
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn open_files() -> Option<f64> {
    // The listing itself holds one.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn most_files() -> Option<f64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.map(|most| most as f64)
}

/// Field 22 of `/proc/self/stat` (ticks after boot) and `btime` of `/proc/stat` (proc_pid_stat(5)).
fn started_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: f64 = after_name.split_whitespace().nth(22 - 3)?.parse().ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn hostile_text_cannot_forge_a_log_line() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter("info").unwrap())
            .with_writer(move || writer.clone())
            .event_format(line())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let name = "web\n2026-11-21T00:00:00.000Z ERROR forged\u{1b}[31m\u{202e}";
            tracing::info!(host.name = %name, "host {name} said hello");
            tracing::debug!("not shown");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" INFO ") && text.contains(r"web\n2026") && text.contains(r"\u{202e}"), "{text}");
        assert!(!text.contains('\u{1b}'));
        let time = text.split(' ').next().unwrap();
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn levels_that_are_no_levels_are_refused() {
        assert!(filter("debug,hyper=info").is_ok());
        assert!(matches!(filter("lo=ud=er"), Err(TelemetryError::Level(_))));
    }

    #[test]
    fn our_own_process_and_build_are_exposed() {
        let registry = Registry::new();
        register(&registry).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for (name, ..) in PROCESS {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect(name);
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() > 0.0, "{line}");
        }
        assert!(text.contains("# TYPE process_cpu_seconds_total counter"));
        assert!(text.contains(concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")));
        assert!(register(&registry).is_err());
    }
}
