//! What scripts leave behind: `*.prom` files in the directories of `[textfile]`, by `node_exporter`'s rules.
//!
//! A file with a mistake is left out whole, and said with its line; of families that two files define differently the
//! first one counts. As long as no file changes, none is read.

mod parse;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use self::parse::{Family, Labels, Sample};
use super::{Kind, Part, ProbeError, Sink};
use crate::host::{FileStat, Host, HostError};

/// Bytes that all files together may have: some fifty thousand lines.
const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Files in all directories together.
const FILES_MAX: usize = 1000;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut folder = Folder::list(host);
    // A family that another source has begun to say is no longer taken from here.
    let stamp = folder.stamp(sink.claims());
    if sink.is_unchanged(stamp) {
        return Ok(());
    }
    let texts: Vec<String> = (0..folder.files.len()).map(|file| folder.read(host, file)).collect();
    let families = folder.families(&texts, |name| sink.said_elsewhere(name));
    for (name, family) in &families {
        family.say(sink, name);
    }
    folder.say_files(sink);
    if folder.troubles.is_empty() {
        sink.remember(stamp);
    }
    for (path, why) in folder.troubles {
        sink.note(format!("textfile{path}"), ProbeError::Failed(why));
    }
    Ok(())
}

/// The files, and what is wrong with them.
#[derive(Default)]
struct Folder {
    files: Vec<TextFile>,
    /// Something could not be read, as `node_textfile_scrape_error` says it.
    errored: bool,
    troubles: Vec<(String, String)>,
}

struct TextFile {
    path: String,
    stat: FileStat,
    /// It was read to its end.
    fine: bool,
}

impl Folder {
    fn list(host: &Host) -> Self {
        let mut folder = Self::default();
        let mut bytes = 0;
        for directory in host.textfiles() {
            let names = match host.list(directory) {
                Ok(names) => names,
                Err(error) => {
                    folder.fail(directory.clone(), error.to_string());
                    continue;
                }
            };
            for name in names.iter().filter(|name| name.ends_with(".prom")) {
                let path = format!("{}/{name}", directory.trim_end_matches('/'));
                match host.stat(&path) {
                    Ok(stat) if bytes + stat.bytes <= BYTES_MAX && folder.files.len() < FILES_MAX => {
                        bytes += stat.bytes;
                        folder.files.push(TextFile { path, stat, fine: false });
                    }
                    Ok(_) => {
                        let why = format!("left out: more than {FILES_MAX} files or {BYTES_MAX} bytes in all");
                        folder.fail(path, why);
                    }
                    Err(error) => folder.fail(path, error.to_string()),
                }
            }
        }
        folder
    }

    fn fail(&mut self, path: String, why: String) {
        self.errored = true;
        self.troubles.push((path, why));
    }

    /// Another one whenever there is something to read anew.
    fn stamp(&self, claims: u32) -> u64 {
        let mut hasher = DefaultHasher::new();
        for file in &self.files {
            (&file.path, file.stat).hash(&mut hasher);
        }
        (&self.troubles, claims).hash(&mut hasher);
        hasher.finish()
    }

    fn read(&mut self, host: &Host, file: usize) -> String {
        let path = &self.files[file].path;
        let mut bytes = Vec::new();
        let read = host.read(path, &mut bytes).map_err(|error: HostError| error.to_string());
        let text = read.and_then(|()| {
            String::from_utf8(bytes).map_err(|error| {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                format!("line {}: not UTF-8", valid.split(|byte| *byte == b'\n').count())
            })
        });
        text.unwrap_or_else(|why| {
            self.fail(self.files[file].path.clone(), why);
            String::new()
        })
    }

    /// The families of all files together.
    fn families<'a>(
        &mut self,
        texts: &'a [String],
        said_elsewhere: impl Fn(&str) -> Option<&'static str>,
    ) -> BTreeMap<&'a str, United<'a>> {
        let mut families: BTreeMap<&str, United<'_>> = BTreeMap::new();
        let failed: HashSet<String> = self.troubles.iter().map(|(path, _)| path.clone()).collect();
        for (place, text) in texts.iter().enumerate() {
            let path = self.files[place].path.clone();
            if failed.contains(&path) {
                continue;
            }
            let parsed = match parse::parse(text) {
                Ok(parsed) => parsed,
                Err(mistake) => {
                    self.fail(path, format!("line {}: {}", mistake.line, mistake.what));
                    continue;
                }
            };
            self.files[place].fine = true;
            for family in parsed {
                if let Some(source) = said_elsewhere(family.name) {
                    let why = format!("{} is said by the source {source} and not taken from here", family.name);
                    self.troubles.push((path.clone(), why));
                    continue;
                }
                let name = family.name;
                if let Err(conflict) = families.entry(name).or_default().join(family, &path) {
                    self.errored |= conflict == Conflict::Help;
                    self.troubles.push((path.clone(), format!("{name} {conflict}")));
                }
            }
        }
        families
    }

    fn say_files(&self, sink: &mut Sink<'_>) {
        let help = "Unixtime mtime of textfiles successfully read.";
        sink.family("node_textfile_mtime_seconds", Kind::Gauge, help);
        for file in self.files.iter().filter(|file| file.fine) {
            #[expect(clippy::cast_precision_loss, reason = "seconds of this age fit into 53 bits")]
            sink.sample(&[("file", &file.path)], file.stat.modified_s as f64);
        }
        let help = "1 if there was an error opening or reading a file, 0 otherwise";
        sink.single("node_textfile_scrape_error", Kind::Gauge, help, if self.errored { 1.0 } else { 0.0 });
    }
}

/// Why a family of one file does not fit to that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Conflict {
    #[error("has another help text in an earlier file and is left out")]
    Help,
    #[error("has another type in an earlier file and is left out")]
    Kind,
    #[error("has a series twice; the first one counts")]
    Twice,
}

/// One family out of several files.
#[derive(Default)]
struct United<'a> {
    kind: Option<Kind>,
    help: Option<Cow<'a, str>>,
    paths: Vec<String>,
    samples: Vec<Sample<'a>>,
    seen: HashSet<(Part, Labels<'a>)>,
}

impl<'a> United<'a> {
    fn join(&mut self, family: Family<'a>, path: &str) -> Result<(), Conflict> {
        let kind = family.kind();
        if self.kind.is_some_and(|known| known != kind) {
            return Err(Conflict::Kind);
        }
        if let (Some(known), Some(help)) = (&self.help, &family.help)
            && known != help
        {
            return Err(Conflict::Help);
        }
        self.kind = Some(kind);
        self.help = self.help.take().or(family.help);
        self.paths.push(path.to_owned());
        let before = self.samples.len() + family.samples.len();
        for sample in family.samples {
            let mut labels = sample.labels.clone();
            labels.sort_unstable();
            if self.seen.insert((sample.part, labels)) {
                self.samples.push(sample);
            }
        }
        if self.samples.len() < before { Err(Conflict::Twice) } else { Ok(()) }
    }

    fn say(&self, sink: &mut Sink<'_>, name: &str) {
        let told = || format!("Metric read from {}", self.paths.join(", ")).into();
        let help = self.help.clone().unwrap_or_else(told);
        let kind = self.kind.unwrap_or(Kind::Untyped);
        sink.family(name, kind, &help);
        match kind {
            Kind::Histogram => self.say_compounds(sink, "le", Part::Bucket),
            Kind::Summary => self.say_compounds(sink, "quantile", Part::Whole),
            Kind::Untyped | Kind::Counter | Kind::Gauge => {
                for sample in &self.samples {
                    let labels: Vec<(&str, &str)> = sample.labels.iter().map(|(name, text)| (*name, &**text)).collect();
                    sink.sample(&labels, sample.value);
                }
            }
        }
    }

    /// What was observed under the same labels is said together, whatever the script forgot of it.
    fn say_compounds(&self, sink: &mut Sink<'_>, point: &str, part: Part) {
        let mut compounds: BTreeMap<Vec<(&str, &str)>, Compound<'_>> = BTreeMap::new();
        for sample in &self.samples {
            let labels = sample.labels.iter().map(|(name, text)| (*name, &**text));
            let (points, mut labels): (Vec<_>, Vec<_>) = labels.partition(|(name, _)| *name == point);
            labels.sort_unstable();
            let compound = compounds.entry(labels).or_default();
            match (sample.part, points.first()) {
                (Part::Sum, _) => compound.sum = sample.value,
                (Part::Count, _) => compound.count = sample.value,
                (_, Some((_, bound))) => compound.points.push((bound, sample.value)),
                // Neither a bucket nor a quantile.
                (_, None) => {}
            }
        }
        for (mut labels, mut compound) in compounds {
            if part == Part::Bucket && !compound.points.iter().any(|(bound, _)| *bound == "+Inf") {
                compound.points.push(("+Inf", compound.count));
            }
            sink.part(Part::Sum, &labels, compound.sum);
            sink.part(Part::Count, &labels, compound.count);
            for (bound, value) in compound.points {
                labels.push((point, bound));
                sink.part(part, &labels, value);
                labels.pop();
            }
        }
    }
}

/// A histogram or a summary.
#[derive(Default)]
struct Compound<'a> {
    points: Vec<(&'a str, f64)>,
    sum: f64,
    count: f64,
}

#[cfg(test)]
mod tests;
