//! A source file: its text, its code without comments and strings, its string literals.

use std::fmt;
use std::path::Path;

/// What is wrong, where, and what to do.
#[derive(Debug)]
pub(crate) struct Complaint {
    path: String,
    line: usize,
    text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// A string literal and the line where it begins.
#[derive(Debug)]
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A file of the checkout.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the insides of literals blanked; same lines and columns (in characters).
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let (code, literals) =
            if path.ends_with(".rs") { Scanner::new(&text).scan() } else { (text.clone(), Vec::new()) };
        Self { path, text, code, literals }
    }

    pub(crate) fn complain(&self, line: usize, text: impl Into<String>) -> Complaint {
        Complaint { path: self.path.clone(), line, text: text.into() }
    }

    /// The line (from 1) of a byte of the code.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The bytes where `word` stands in the code as a whole word.
    pub(crate) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let before = self.code[..*at].chars().next_back().is_some_and(inside);
            let after = self.code[at + word.len()..].chars().next().is_some_and(inside);
            let (starts, ends) = (word.starts_with(inside), word.ends_with(inside));
            !(before && starts || after && ends)
        })
    }

    /// The end (one past the closing brace) of the block that opens first after `from`; none for a declaration.
    pub(crate) fn block_after(&self, from: usize) -> Option<(usize, usize)> {
        let open = from + self.code[from..].find(['{', ';'])?;
        if self.code.as_bytes()[open] == b';' {
            return None;
        }
        let mut depth = 0_usize;
        for (at, byte) in self.code.bytes().enumerate().skip(open) {
            match byte {
                b'{' => depth += 1,
                b'}' if depth == 1 => return Some((open, at + 1)),
                b'}' => depth -= 1,
                _ => {}
            }
        }
        None
    }
}

/// Every text file of the checkout that we wrote.
pub(crate) fn all_files() -> Vec<Source> {
    let root = muster_tests::process::root();
    let mut files = Vec::new();
    for top in ["agent", "collector", "glpi", "proto", "deploy", "tests", ".ci"] {
        gather(&root, &root.join(top), &mut files);
    }
    for file in ["Cargo.toml", "Cargo.lock", "README.md", "CHANGELOG.md", "clippy.toml", "deny.toml", "rustfmt.toml"] {
        take(&root, &root.join(file), &mut files);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Every Rust file of the checkout.
pub(crate) fn rust_files() -> Vec<Source> {
    all_files().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

fn gather(root: &Path, folder: &Path, files: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Captured machines and results are data, not ours to style.
        let is_data = ["target", "fixtures", "results", "golden", "testdata"].iter().any(|name| path.ends_with(name));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_data => gather(root, &path, files),
            Ok(kind) if kind.is_file() => take(root, &path, files),
            _ => {}
        }
    }
}

fn take(root: &Path, path: &Path, files: &mut Vec<Source>) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let name = path.strip_prefix(root).expect("found below the root").to_string_lossy().into_owned();
    files.push(Source::new(name, text));
}

struct Scanner {
    text: Vec<char>,
    at: usize,
    line: usize,
    code: String,
    literals: Vec<Literal>,
}

impl Scanner {
    fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), at: 0, line: 1, code: String::new(), literals: Vec::new() }
    }

    fn scan(mut self) -> (String, Vec<Literal>) {
        while self.at < self.text.len() {
            let after_word = self.code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            match (self.text[self.at], self.peek(1)) {
                ('/', Some('/')) => self.blank_until(|scanner| scanner.text[scanner.at] == '\n'),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(0, true),
                ('r', Some('"' | '#')) if !after_word || self.code.ends_with('b') => self.raw_string(),
                ('\'', _) => self.quote(),
                _ => self.keep(),
            }
        }
        (self.code, self.literals)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.step(self.text[self.at]);
    }

    fn blank(&mut self) {
        self.step(' ');
    }

    fn step(&mut self, shown: char) {
        let newline = self.text[self.at] == '\n';
        self.line += usize::from(newline);
        self.code.push(if newline { '\n' } else { shown });
        self.at += 1;
    }

    fn blank_until(&mut self, end: impl Fn(&Self) -> bool) {
        while self.at < self.text.len() && !end(self) {
            self.blank();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            match (self.text[self.at], self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.blank();
                    continue;
                }
            }
            self.blank();
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    fn raw_string(&mut self) {
        let hashes = self.text[self.at + 1..].iter().take_while(|c| **c == '#').count();
        if self.peek(1 + hashes) != Some('"') {
            // A raw identifier.
            self.keep();
            return;
        }
        for _ in 0..=hashes {
            self.keep();
        }
        self.string(hashes, false);
    }

    fn string(&mut self, hashes: usize, escapes: bool) {
        let line = self.line;
        self.keep();
        let mut text = String::new();
        while self.at < self.text.len() {
            let c = self.text[self.at];
            let closes = c == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#'));
            if closes {
                break;
            }
            if c == '\\' && escapes {
                self.blank();
            }
            if self.at < self.text.len() {
                text.push(self.text[self.at]);
                self.blank();
            }
        }
        for _ in 0..=hashes {
            if self.at < self.text.len() {
                self.keep();
            }
        }
        self.literals.push(Literal { line, text });
    }

    /// A character literal, or the tick of a lifetime.
    fn quote(&mut self) {
        let is_character = self.peek(1) == Some('\\') || self.peek(2) == Some('\'');
        self.keep();
        if !is_character {
            return;
        }
        if self.text[self.at] == '\\' {
            self.blank();
        }
        self.blank();
        self.blank_until(|scanner| scanner.text[scanner.at] == '\'');
        if self.at < self.text.len() {
            self.keep();
        }
    }
}
