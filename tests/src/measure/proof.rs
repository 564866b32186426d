//! A proof that a cure is held by a test: a patch that takes the cure away, and the test that must then be red.

use std::path::Path;

/// Lines that a patch may take away and add together: it removes one cure and writes nothing new.
pub const CHANGES_MAX: usize = 20;
/// Targets that a patch may name, as cargo calls them, and where their tests are written.
pub const TARGETS: [(&str, &str); 4] = [
    ("muster_agent", "agent/src/"),
    ("muster_collector", "collector/src/"),
    ("e2e", "tests/e2e/"),
    ("simulation", "tests/simulation/"),
];

/// A test, as libtest names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// One of [`TARGETS`].
    pub target: String,
    /// Its path, `gather::tests::a_source_that_hangs`.
    pub path: String,
}

impl Test {
    /// The first module of its path.
    #[must_use]
    pub fn module(&self) -> &str {
        self.path.split("::").next().unwrap_or(&self.path)
    }

    /// The name of its function.
    #[must_use]
    pub fn function(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// Where the source of the module is.
    #[must_use]
    pub fn place(&self) -> String {
        let folder = TARGETS.iter().find(|(name, _)| *name == self.target).map_or("", |(_, folder)| folder);
        format!("{folder}{}", self.module())
    }
}

/// One patch of `tests/proofs`.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The name of its file without `.patch`.
    pub name: String,
    /// What it takes away.
    pub cure: String,
    /// The tests that must be red then, and no other.
    pub red: Vec<Test>,
    /// The files that it changes.
    pub files: Vec<String>,
}

impl Proof {
    /// Reads a patch.
    ///
    /// # Errors
    /// What is missing or wrong, for a person to mend.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let (head, diff) = text.find("diff --git ").map_or((text, ""), |at| text.split_at(at));
        let of = |key: &str| head.lines().filter_map(|line| line.strip_prefix(key)).map(str::trim).collect::<Vec<_>>();
        let (cure, why) = (of("Cure:"), of("Why:"));
        let ([cure], [_]) = (&cure[..], &why[..]) else {
            return Err("before the diff stand one line `Cure: ...` and one that begins with `Why: `".to_owned());
        };
        let red = of("Red:").into_iter().map(read_test).collect::<Result<Vec<_>, _>>()?;
        if red.is_empty() {
            return Err("no line `Red: TARGET TEST` says which test must fail".to_owned());
        }
        let files: Vec<String> =
            diff.lines().filter_map(|line| line.strip_prefix("+++ b/")).map(str::to_owned).collect();
        let changes = changes(diff);
        if files.is_empty() || changes == 0 {
            return Err("there is no diff that changes a file".to_owned());
        }
        if changes > CHANGES_MAX {
            return Err(format!(
                "{changes} changed lines, at most {CHANGES_MAX}: take one cure away, write nothing new"
            ));
        }
        Ok(Self { name: name.to_owned(), cure: (*cure).to_owned(), red, files })
    }
}

/// Every patch in `folder` by its name, sorted; what cannot be read says why.
///
/// # Errors
/// When the folder cannot be read.
pub fn read_all(folder: &Path) -> std::io::Result<Vec<(String, Result<Proof, String>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path)?;
            found.push((name.clone(), Proof::parse(&name, &text)));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn read_test(line: &str) -> Result<Test, String> {
    match line.split_once(' ') {
        Some((target, path)) if TARGETS.iter().any(|(name, _)| *name == target) => {
            Ok(Test { target: target.to_owned(), path: path.trim().to_owned() })
        }
        _ => {
            let targets = TARGETS.map(|(name, _)| name).join(", ");
            Err(format!("`Red: {line}` is no target ({targets}) and the path of a test"))
        }
    }
}

/// Lines taken away and added.
fn changes(diff: &str) -> usize {
    let is_change =
        |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++ ") && !line.starts_with("--- ");
    diff.lines().filter(is_change).count()
}
