//! Every immunity is held by a test: without its cure exactly the named test is red
//!
//! `proofs [--minutes N] [NAME...]`
//!
//! Applies each patch of `tests/proofs` (or those named) to a copy of this checkout in `target/proofs`, whose own build
//! folder stays warm, builds the development programs there and runs the same set of tests each time: all of each target
//! of unit tests that any patch names, the stories of [`STORIES`] and those that any patch names. First the set runs
//! without a patch and must be green. Then a patch proves its cure when the tests that it names are red and no other. A
//! red test is looked at again alone: one that is green then was disturbed, not red, and is said. There are two copies, so
//! that one is built while the other is tested. What is committed counts, and changes of files that git knows.
//!
//! A row of the kept table stands until its patch is named again: without names those that are not in it, or were not held,
//! have their turn. `--minutes` begins no more after so long.
//!
//! Needs root, and no released programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{flag, progress, say};
use muster_tests::measure::kept::{self, Kept};
use muster_tests::measure::proof::{Proof, Test, read_all};
use muster_tests::process::root;

/// The copies, below `target/proofs`.
const TREES: [&str; 2] = ["tree", "twin"];
/// Stories about an agent on a machine that is against it, by how their paths begin.
const STORIES: [&str; 7] =
    ["agent::", "captured::", "cut::an_agent", "cut::at_the_fast", "disk::", "mount::", "wrong_clock::"];
/// The target whose tests are chosen; of others all are run.
const E2E: &str = "e2e";
/// Stories wait more than they compute.
const THREADS: &str = "--test-threads=12";
/// What has not ended after so many seconds hangs, and what hangs is red: all together take two minutes on a busy
/// machine, one alone at most one.
const ALL_S: &str = "400";
const ALONE_S: &str = "120";

/// Columns of the table.
const HEADS: [&str; 6] = ["name", "cure removed", "red test", "seconds", "verdict", "commit"];
/// How a verdict begins that proves its cure.
const HELD: &str = "held";

fn main() -> Result<ExitCode> {
    let minutes: u64 = flag("--minutes", 24 * 60);
    let wanted = names_given();
    let proofs = read(&wanted)?;
    let set = Set::of(proofs.all.iter());
    let mut table = Kept::read("proofs", &HEADS);
    table.only(&proofs.all.iter().map(|proof| proof.name.as_str()).collect::<Vec<_>>());
    let is_held = |proof: &Proof| table.row(&proof.name).is_some_and(|row| row[4].starts_with(HELD));
    let chosen: Vec<&Proof> = proofs
        .all
        .iter()
        .filter(|proof| if wanted.is_empty() { !is_held(proof) } else { wanted.contains(&proof.name) })
        .collect();
    say(&format!("set: {}", set.words()));
    let bench = Bench { folder: proofs.folder, set, building: Mutex::new(()) };
    let trees = TREES.into_iter().take(chosen.len()).map(Tree::prepare).collect::<Result<Vec<_>>>()?;
    if let Some(tree) = trees.first() {
        progress("the set without a patch");
        bench.check_green(tree)?;
    }
    let (next, began_ns, table) = (AtomicUsize::new(0), boottime_ns(), Mutex::new(table));
    let work = |tree: &Tree| -> Result<()> {
        while seconds_since(began_ns) < minutes * 60
            && let Some(proof) = chosen.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let began_ns = boottime_ns();
            let verdict = bench.judge(tree, proof)?;
            let seconds = seconds_since(began_ns);
            progress(&format!("{}: {verdict}, {seconds} s", proof.name));
            put(&mut table.lock().unwrap_or_else(PoisonError::into_inner), proof, seconds, verdict);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = trees.iter().map(|tree| scope.spawn(|| work(tree))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker has panicked")))
    })?;
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    table.print();
    let verdicts = proofs.all.iter().filter_map(|proof| table.row(&proof.name)).map(|row| row[4].starts_with(HELD));
    let (held, open): (Vec<bool>, Vec<bool>) = verdicts.partition(|held| *held);
    let all = proofs.all.len();
    let left = all - held.len() - open.len();
    say(&format!(
        "\nof {all} cures {} are held by their tests, {} are not, {left} were not tried yet",
        held.len(),
        open.len()
    ));
    Ok(if open.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Patches named on the command line.
fn names_given() -> BTreeSet<String> {
    let mut arguments = std::env::args().skip(1);
    let mut names = BTreeSet::new();
    while let Some(argument) = arguments.next() {
        if argument == "--minutes" {
            arguments.next();
        } else {
            names.insert(argument);
        }
    }
    names
}

fn put(table: &mut Kept, proof: &Proof, seconds: u64, verdict: String) {
    let red: Vec<String> = proof.red.iter().map(|test| format!("{} {}", test.target, test.path)).collect();
    let (name, cure) = (proof.name.clone(), proof.cure.clone());
    table.put([name, cure, red.join(" and "), seconds.to_string(), verdict, kept::commit()]);
}

/// The patches of this checkout.
struct Proofs {
    folder: PathBuf,
    all: Vec<Proof>,
}

fn read(wanted: &BTreeSet<String>) -> Result<Proofs> {
    let folder = root().join("tests/proofs");
    let read = read_all(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    if let Some(unknown) = wanted.iter().find(|name| !read.iter().any(|(known, _)| known == *name)) {
        let known = read.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ");
        bail!("there is no patch {unknown}; there are: {known}");
    }
    let proof = |(name, proof): (String, Result<Proof, String>)| {
        proof.map_err(|error| anyhow::anyhow!("tests/proofs/{name}.patch: {error}"))
    };
    Ok(Proofs { folder, all: read.into_iter().map(proof).collect::<Result<_>>()? })
}

/// What is run each time.
struct Set {
    targets: BTreeSet<String>,
    stories: BTreeSet<String>,
}

impl Set {
    fn of<'a>(proofs: impl Iterator<Item = &'a Proof>) -> Self {
        let mut set = Self {
            targets: BTreeSet::from(["muster_agent".to_owned(), E2E.to_owned()]),
            stories: STORIES.map(str::to_owned).into(),
        };
        for test in proofs.flat_map(|proof| &proof.red) {
            set.targets.insert(test.target.clone());
            if test.target == E2E && !STORIES.iter().any(|begin| test.path.starts_with(begin)) {
                set.stories.insert(test.path.clone());
            }
        }
        set
    }

    fn words(&self) -> String {
        let whole = self.targets.iter().filter(|target| *target != E2E).cloned().collect::<Vec<_>>().join(", ");
        let stories = self.stories.iter().cloned().collect::<Vec<_>>().join(", ");
        format!("all of {whole}; of {E2E} the stories {stories}")
    }

    /// What libtest is told to choose; nothing means all.
    fn filters(&self, target: &str) -> Vec<String> {
        if target == E2E { self.stories.iter().cloned().collect() } else { Vec::new() }
    }
}

/// What a run of the set showed.
struct Seen {
    tests: usize,
    red: BTreeSet<Test>,
    /// Red, and green when looked at alone.
    disturbed: BTreeSet<Test>,
}

/// What is the same for all patches.
struct Bench {
    folder: PathBuf,
    set: Set,
    /// One build at a time: it takes all that the machine has.
    building: Mutex<()>,
}

impl Bench {
    fn check_green(&self, tree: &Tree) -> Result<()> {
        let began_ns = boottime_ns();
        self.build(tree).map_err(anyhow::Error::msg).context("the checkout does not build")?;
        let seen = tree.run(&self.set)?;
        let disturbed =
            if seen.disturbed.is_empty() { String::new() } else { format!(" (disturbed: {})", names(&seen.disturbed)) };
        let (tests, red, took) = (seen.tests, seen.red.len(), seconds_since(began_ns));
        say(&format!("without a patch: {tests} tests, {red} red, {took} s{disturbed}\n"));
        ensure!(red == 0, "red without a patch, so nothing is proved: {}", names(&seen.red));
        Ok(())
    }

    fn judge(&self, tree: &Tree, proof: &Proof) -> Result<String> {
        let patch = self.folder.join(format!("{}.patch", proof.name)).display().to_string();
        if let Err(error) = git(&tree.0, &["apply", &patch]) {
            return Ok(format!("DOES NOT APPLY: {error:#}"));
        }
        let verdict = match self.build(tree) {
            Err(error) => format!("DOES NOT BUILD: {error}"),
            Ok(()) => compare(&proof.red.iter().cloned().collect(), &tree.run(&self.set)?),
        };
        git(&tree.0, &["checkout", "--quiet", "--force", "."])?;
        git(&tree.0, &["clean", "--quiet", "-fd"])?;
        Ok(verdict)
    }

    fn build(&self, tree: &Tree) -> Result<(), String> {
        let _alone = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        tree.build()
    }
}

/// The copy of the checkout in which patches are applied.
struct Tree(PathBuf);

impl Tree {
    /// Brings the copy to the state of this checkout. Git writes only what differs, so that only that is built again.
    fn prepare(name: &str) -> Result<Self> {
        let (root, tree) = (root(), root().join("target/proofs").join(name));
        let commit = match git(&root, &["stash", "create"])?.trim() {
            "" => git(&root, &["rev-parse", "HEAD"])?,
            changed => changed.to_owned(),
        };
        if !tree.join(".git").exists() {
            std::fs::create_dir_all(&tree)?;
            git(&root, &["clone", "--quiet", "--shared", "--no-checkout", ".", &tree.display().to_string()])?;
        }
        git(&tree, &["checkout", "--quiet", "--force", "--detach", commit.trim()])?;
        git(&tree, &["clean", "--quiet", "-fd"])?;
        lend_libraries(&root.join("target/debug"), &tree.join("target/debug"))?;
        Ok(Self(tree))
    }

    /// Builds the programs and the tests; the error is the compiler's first.
    fn build(&self) -> Result<(), String> {
        let mut command = Command::new("deploy/build");
        // Most of a patch is not built again.
        command.arg("--dev").env("CARGO_INCREMENTAL", "1");
        let said = self.output(&mut command).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&said.stderr);
        let first = text.lines().find(|line| line.starts_with("error")).unwrap_or_else(|| text.trim()).to_owned();
        if said.status.success() { Ok(()) } else { Err(first) }
    }

    fn run(&self, set: &Set) -> Result<Seen> {
        let programs = self.programs()?;
        let mut seen = Seen { tests: 0, red: BTreeSet::new(), disturbed: BTreeSet::new() };
        for target in &set.targets {
            let program = programs.get(target).with_context(|| format!("cargo builds no tests of {target}"))?;
            let filters = set.filters(target);
            let (all, green) = (self.list(program, &filters)?, self.green(program, ALL_S, &filters)?);
            seen.tests += all.len();
            for path in all.difference(&green) {
                let again = self.green(program, ALONE_S, &["--exact".to_owned(), path.clone()])?.contains(path);
                let place = if again { &mut seen.disturbed } else { &mut seen.red };
                place.insert(Test { target: target.clone(), path: path.clone() });
            }
        }
        Ok(seen)
    }

    /// The program of each target of tests.
    fn programs(&self) -> Result<BTreeMap<String, PathBuf>> {
        let mut command = Command::new("cargo");
        command.args(["test", "--locked", "--target-dir", "target", "--workspace", "--tests", "--no-run"]);
        let said = self.output(command.arg("--message-format=json").env("CARGO_INCREMENTAL", "1"))?;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let text = String::from_utf8_lossy(&said.stdout);
        let built = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let program = |built: serde_json::Value| {
            let file = built["executable"].as_str().filter(|_| built["profile"]["test"] == true)?;
            Some((built["target"]["name"].as_str()?.to_owned(), PathBuf::from(file)))
        };
        Ok(built.filter_map(program).collect())
    }

    fn list(&self, program: &Path, filters: &[String]) -> Result<BTreeSet<String>> {
        let said = self.output(Command::new(program).arg("--list").args(filters))?;
        let text = String::from_utf8_lossy(&said.stdout);
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }

    /// The tests that were run and said to be well.
    fn green(&self, program: &Path, limit_s: &str, filters: &[String]) -> Result<BTreeSet<String>> {
        // Mounts of its own: what the stories of the other copy mount would hold what these take away.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "timeout", "--kill-after=5", limit_s]);
        command.arg(program).arg(THREADS).args(filters);
        let said = self.output(&mut command)?;
        let text = String::from_utf8_lossy(&said.stdout);
        let name = |line: &str| line.strip_prefix("test ")?.strip_suffix(" ... ok").map(str::to_owned);
        Ok(text.lines().filter_map(name).collect())
    }

    fn output(&self, command: &mut Command) -> Result<Output> {
        command.current_dir(&self.0).env_remove("MUSTER_BIN_DIR").env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command.output().with_context(|| format!("{} cannot be run", command.get_program().display()))
    }
}

/// Copies what this checkout has built, so that the libraries need not be built again for the first run. Copies, for
/// cargo writes into its files.
fn lend_libraries(from: &Path, to: &Path) -> Result<()> {
    if to.exists() || !from.join("deps").exists() {
        return Ok(());
    }
    progress("the libraries are copied, once");
    std::fs::create_dir_all(to)?;
    let parts = ["build", "deps", ".fingerprint"].map(|part| from.join(part));
    let said = Command::new("cp").arg("-a").args(parts).arg(to).output()?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// What a run shows of a patch, in words.
fn compare(expected: &BTreeSet<Test>, seen: &Seen) -> String {
    let (missed, more) = (expected - &seen.red, &seen.red - expected);
    let mut words = Vec::new();
    if !missed.is_empty() {
        words.push(format!("NOT RED: {}", names(&missed)));
    }
    if !more.is_empty() {
        words.push(format!("RED TOO: {}", names(&more)));
    }
    if words.is_empty() {
        words.push(HELD.to_owned());
    }
    let others = &seen.disturbed - expected;
    if !others.is_empty() {
        words.push(format!("(disturbed: {})", names(&others)));
    }
    words.join(" ")
}

fn git(at: &Path, arguments: &[&str]) -> Result<String> {
    let said = Command::new("git").arg("-C").arg(at).args(arguments).stdin(Stdio::null()).output().context("git")?;
    ensure!(said.status.success(), "git {}: {}", arguments.join(" "), String::from_utf8_lossy(&said.stderr).trim());
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

fn names(tests: &BTreeSet<Test>) -> String {
    tests.iter().map(|test| test.path.as_str()).collect::<Vec<_>>().join(", ")
}

fn seconds_since(began_ns: u64) -> u64 {
    (boottime_ns() - began_ns) / 1_000_000_000
}
