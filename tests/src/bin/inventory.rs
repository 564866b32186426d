//! What taking the inventory costs a machine of 3 000 packages, and what one upgrade costs the wire
//!
//! `inventory [--packages 3000] [--rounds 7]`
//!
//! This machine itself, its list of packages filled up to so many with copies of its own entries under other names. The
//! process that the agent starts for it is started here in the same way, under GNU time: CPU is its own and that of every
//! tool that it asked, the peak is that of the largest of them. It is taken as at the beginning and after packages or lists of
//! repositories have changed, and as it is taken each hour while the collector has all of it. Beside it, on the same machine: `dpkg-query -W`, which
//! reads the same list, and fusioninventory-agent, which takes an inventory. Then a resident agent tells all of it,
//! one package gets a newer version, and what went over the wire until the collector had it is counted, beats and reports of a
//! window as long taken off.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, percentile, progress, say, short};
use muster_tests::measure::meter;
use muster_tests::process::{installed, run};
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually};
use tempfile::TempDir;
use tokio::process::Command;

/// dpkg's list.
const STATUS: &str = "/var/lib/dpkg/status";
/// The package that is upgraded; every Debian has it.
const UPGRADED: &str = "dpkg";

/// What a command cost.
struct Spent {
    cpu_ms: f64,
    peak_mib: f64,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let (packages, rounds): (usize, usize) = (flag("--packages", 3000), flag("--rounds", 7));
    let home = TempDir::new()?;
    let list = home.path().join("status");
    let text = filled(&std::fs::read_to_string(STATUS)?, packages)?;
    std::fs::write(&list, &text)?;
    mount(&list).await?;
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "normal", None).await;
    agent.configure("interval = \"5m\"\n[inventory]\ninterval = \"1m\"\n");

    progress("the inventory, taken again and again");
    let mut costs = Table::new(&["", "CPU ms", "lowest", "peak MiB", "times the agent's CPU", "peak"]);
    let all = repeat(rounds, || agent.command_on_machine("tell-inventory")).await?;
    let known = acknowledged(&agent)?;
    let again = repeat(rounds, || known_to(&agent, &known)).await?;
    let alone = repeat(rounds, || toolless(&agent, home.path())).await?;
    let listed = repeat(rounds, || words(&installed("dpkg-query", "dpkg"), &["-W"])).await?;
    let peer = installed("fusioninventory-agent", "fusioninventory-agent");
    let local = home.path().to_str().context("a path of letters")?.to_owned();
    let theirs = repeat(3.min(rounds), || words(&peer, &["--local", &local, "--no-category=process"])).await?;
    for (what, spent) in [
        ("muster-agent, all sections and tools", &all),
        ("muster-agent, nothing has changed", &again),
        ("muster-agent without tools", &alone),
        ("dpkg-query -W", &listed),
        ("fusioninventory-agent", &theirs),
    ] {
        let peak = spent.iter().map(|one| one.peak_mib).fold(0.0, f64::max);
        let against = |figure: f64, ours: f64| format!("{} x", short(figure / ours));
        costs.row([
            what.to_owned(),
            short(median(spent)),
            short(spent.iter().map(|one| one.cpu_ms).fold(f64::INFINITY, f64::min)),
            short(peak),
            against(median(spent), median(&all)),
            against(peak, all.iter().map(|one| one.peak_mib).fold(0.0, f64::max)),
        ]);
    }

    progress("told by a resident agent, then one package upgraded");
    let told = told(&collector, &mut agent, &list, &text).await?;
    say(&format!("{packages} packages, {rounds} rounds; load average at the end {}", meter::load_average()));
    say(&format!("rows: {}; sections: {}", told.rows, told.sections));
    say("");
    costs.print();
    say("");
    let mut goals = Table::new(&["the agent", "measured", "goal", "of the goal"]);
    let peak = |spent: &[Spent]| spent.iter().map(|one| one.peak_mib).fold(0.0, f64::max);
    goals.against("CPU while packages and lists are the same, with tools", median(&again), "ms", Some(250.0));
    goals.against("  of a full inventory without tools", median(&alone), "ms", Some(250.0));
    goals.against("  of a full inventory with every tool that it asks", median(&all), "ms", Some(250.0));
    goals.against("peak of the largest process while they are the same", peak(&again), "MiB", Some(32.0));
    goals.against("  of a full inventory without tools", peak(&alone), "MiB", Some(32.0));
    goals.against("  of a full inventory with every tool that it asks", peak(&all), "MiB", Some(32.0));
    goals.against("all of it over the wire", told.whole / 1024.0, "KiB", None);
    goals.against("one package upgraded over the wire", told.delta, "B", Some(2048.0));
    goals.against("RSS of the resident agent before it was taken", told.before_mib, "MiB", None);
    goals.against("  and after all was told", told.after_mib, "MiB", None);
    goals.print();
    Ok(())
}

/// What a copy must not say: it would be in the way of what it was copied from, and a resolver would find nothing but that.
const CONFLICTING: [&str; 5] = ["Breaks:", "Conflicts:", "Replaces:", "Provides:", "Essential:"];

/// The list with copies of its own entries, under other names, up to `packages`.
fn filled(status: &str, packages: usize) -> Result<String> {
    let entries: Vec<&str> =
        status.split("\n\n").filter(|entry| entry.contains("Status: install ok installed")).collect();
    if entries.len() < 50 {
        bail!("{STATUS} lists {} packages: not enough to copy from", entries.len());
    }
    let mut text = String::new();
    for n in 0..packages {
        let entry = entries[n % entries.len()].trim_start_matches('\n');
        let (first, rest) = entry.split_once('\n').context("an entry has lines")?;
        let copy = n / entries.len();
        let name = if copy == 0 { first.to_owned() } else { format!("{first}-copy{copy}") };
        let is_kept = |line: &&str| copy == 0 || !CONFLICTING.iter().any(|field| line.starts_with(field));
        let lines: Vec<&str> = rest.trim_end().lines().filter(is_kept).collect();
        write!(text, "{name}\n{}\n\n", lines.join("\n"))?;
    }
    Ok(text)
}

/// Lays the list over this machine's own; only this process and what it starts see it (`unshare --mount`).
async fn mount(list: &Path) -> Result<()> {
    let said = run(Command::new("mount").arg("--bind").arg(list).arg(STATUS)).await;
    if said.code != 0 {
        bail!("the list of packages cannot be laid over {STATUS}: {}; it needs root and `unshare --mount`", said.all());
    }
    Ok(())
}

/// The same machine in which no tool is found.
fn toolless(agent: &Agent, home: &Path) -> Command {
    let mut command = agent.command_on_machine("tell-inventory");
    command.args(["--root", "/", "--commands"]).arg(home.join("no-commands"));
    command
}

/// What was left to be told counts as told. Returns what the agent then says that the collector has.
fn acknowledged(agent: &Agent) -> Result<Vec<String>> {
    let mut known = Vec::new();
    for entry in std::fs::read_dir(agent.state())? {
        let path = entry?.path();
        if path.extension().is_some_and(|what| what == "next") {
            let text = std::fs::read_to_string(&path)?;
            let hash = text.split_ascii_whitespace().nth(3).context("a hash behind `muster inventory 1`")?;
            let name = path.file_stem().and_then(|name| name.to_str()?.strip_prefix("inventory-"));
            known.extend(["--known".to_owned(), format!("{}={hash}", name.context("inventory-SECTION.next")?)]);
            std::fs::rename(&path, path.with_extension("kept"))?;
            std::fs::remove_file(path.with_extension("records"))?;
        }
    }
    Ok(known)
}

/// As it is taken when the collector has that much.
fn known_to(agent: &Agent, known: &[String]) -> Command {
    let mut command = agent.command_on_machine("tell-inventory");
    command.args(known);
    command
}

fn words(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn median(spent: &[Spent]) -> f64 {
    let cpu: Vec<f64> = spent.iter().map(|one| one.cpu_ms).collect();
    percentile(&cpu, 0.5)
}

async fn repeat(rounds: usize, command: impl Fn() -> Command) -> Result<Vec<Spent>> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(timed(&command()).await?);
    }
    Ok(all)
}

/// Runs it under GNU time.
async fn timed(command: &Command) -> Result<Spent> {
    let command = command.as_std();
    let report = TempDir::new()?;
    let file = report.path().join("report");
    let mut timing = Command::new(installed("time", "time"));
    timing.args(["--quiet", "-f", "%U %S %M", "-o"]).arg(&file).arg(command.get_program()).args(command.get_args());
    let said = run(&mut timing).await;
    let text = std::fs::read_to_string(&file)?;
    let figures: Vec<f64> = text.split_ascii_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let [user, system, peak] = figures[..] else { bail!("{command:?}: {text}{}", said.all()) };
    if said.code != 0 {
        bail!("{command:?} ended with {}: {}", said.code, said.all());
    }
    Ok(Spent { cpu_ms: (user + system) * 1e3, peak_mib: peak / 1024.0 })
}

/// What the wire carried.
struct Told {
    rows: usize,
    sections: usize,
    whole: f64,
    delta: f64,
    before_mib: f64,
    after_mib: f64,
}

async fn told(collector: &Collector, agent: &mut Agent, list: &Path, text: &str) -> Result<Told> {
    let path = |host: &str| format!("/api/v1/hosts/{host}/inventory");
    agent.run();
    collector.host_is(&agent.host, "up", Duration::from_secs(30)).await;
    let pid = agent.process().pid();
    let up = || async { meter::carried(collector.grpc, Some(pid)).await.up };
    let (first, before_mib) = (up().await, meter::memory(pid).rss / 1024.0);
    let sections = |wanted: String| {
        let path = path(&agent.host);
        async move {
            let all = collector.get(&path).await.json()["sections"].clone();
            let rows = all["packages"]["rows"].as_array()?;
            let row = rows.iter().find(|row| row["name"] == UPGRADED && row["manager"] == "dpkg")?;
            // Sections are told by name: the last of them says that all are.
            (all["volumes"].is_object() && (wanted.is_empty() || row["version"] == wanted)).then_some(all)
        }
    };
    let all = eventually("all of the inventory is told", Duration::from_secs(180), || sections(String::new())).await;
    let whole = up().await - first;
    let after_mib = meter::memory(pid).rss / 1024.0;

    // What the wire carries anyway.
    let (from, from_ns) = (up().await, boottime_ns());
    pass(Duration::from_secs(30)).await;
    let each_second = (up().await - from) / ((boottime_ns() - from_ns) as f64 / 1e9);
    let entry = format!("Package: {UPGRADED}\n");
    let at = text.find(&entry).context("the package is listed")?;
    let version = text[at..].find("\nVersion: ").context("it has a version")? + at + "\nVersion: ".len();
    let end = text[version..].find('\n').context("a line ends")? + version;
    let newer = format!("{}+1", &text[version..end]);
    let (from, from_ns) = (up().await, boottime_ns());
    std::fs::write(list, format!("{}{newer}{}", &text[..version], &text[end..]))?;
    eventually("the new version is told", Duration::from_secs(180), || sections(newer.clone())).await;
    let seconds = (boottime_ns() - from_ns) as f64 / 1e9;
    let delta = up().await - from - each_second * seconds;
    let rows = all.as_object().context("sections by name")?;
    Ok(Told {
        rows: rows.values().filter_map(|section| section["rows"].as_array()).map(Vec::len).sum(),
        sections: rows.len(),
        whole,
        delta,
        before_mib,
        after_mib,
    })
}
