//! What a program asked of the kernel, as `strace` wrote it down: calls that change files, with their bytes, and their times.
//!
//! Descriptors come with their paths (`-y`), so that nobody has to follow who duplicated or inherited what. A line that is not
//! understood is an error, never passed over.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

/// All calls that change files or names, or make them durable. Memory that is mapped for writing changes files without a call: what
/// is rebuilt is compared with what the program left, so that it would be noticed.
const CALLS: &str = "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,\
    sync_file_range,sync,syncfs,msync,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,\
    copy_file_range,sendfile,splice";
/// Longer than any write of ours: what was cut off would be an error.
const LONGEST_BYTES: &str = "67108864";

/// The words before those of a program that `strace` is to run: with the program's own process id, every thread and child
/// followed, into `file`.
#[must_use]
pub fn words(file: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> =
        ["strace", "-D", "-f", "-q", "--seccomp-bpf", "-y", "-xx", "-T", "-s", LONGEST_BYTES]
            .map(OsString::from)
            .into();
    words.extend(["--absolute-timestamps=format:unix,precision:ns", "-e", "signal=none", "-e"].map(OsString::from));
    words.extend([OsString::from(format!("trace={CALLS}")), "-o".into(), file.into()]);
    words
}

/// `program` as `strace` runs it.
#[must_use]
pub fn traced(program: &Path, file: &Path) -> Command {
    let words = words(file);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(program);
    command
}

/// Whether the end of this process is in its trace, which `strace` writes as the last.
#[must_use]
pub fn has_ended(file: &Path, pid: i32) -> bool {
    use std::os::unix::fs::FileExt as _;
    let mut end = [0; 200];
    let read = std::fs::File::open(file).and_then(|open| {
        let from = open.metadata()?.len().saturating_sub(end.len() as u64);
        open.read_at(&mut end, from)
    });
    let text = String::from_utf8_lossy(&end[..read.unwrap_or(0)]);
    text.lines().last().is_some_and(|line| line.starts_with(&format!("{pid} ")) && line.contains("+++ exited"))
}

/// One call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it began, nanoseconds since the Unix epoch: not before it had any effect.
    pub from_ns: u64,
    /// When its effect was complete; nobody can have seen its answer before.
    pub to_ns: u64,
    /// Its name.
    pub name: String,
    /// Its arguments as they are written.
    pub words: Vec<String>,
    /// Its answer; negative is a failure.
    pub answer: i64,
    /// The path of the descriptor that was answered.
    pub opened: Option<PathBuf>,
}

/// A call that has begun.
struct Begun {
    thread: String,
    from_ns: u64,
    text: String,
}

/// Reads what was written about a directory and what is below it, in the order in which the calls ended.
///
/// # Errors
/// A line about it that is not understood, or a call that the end of its program interrupted.
pub fn read(text: &str, root: &Path) -> Result<Vec<Call>> {
    let root: String = root.as_os_str().as_encoded_bytes().iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let (mut calls, mut begun): (Vec<Call>, Vec<Begun>) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let shown = || format!("line {} of the trace: {}", at + 1, start(line, 200));
        calls.extend(line_of(line, &root, &mut begun).with_context(shown)?);
    }
    let open = begun.first();
    ensure!(open.is_none(), "the program ended in the middle of {}", open.map_or("", |begun| start(&begun.text, 100)));
    calls.sort_by_key(|call| call.to_ns);
    Ok(calls)
}

fn start(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A call that has ended in this line and is about `root`, as it is written there.
fn line_of(line: &str, root: &str, begun: &mut Vec<Begun>) -> Result<Option<Call>> {
    let mut parts = line.splitn(2, ' ');
    let thread = parts.next().context("no thread")?.to_owned();
    let (time, rest) = parts.next().and_then(|rest| rest.trim_start().split_once(' ')).context("no time")?;
    let at_ns = nanoseconds(time)?;
    let is_about = rest.contains(root);
    if rest.starts_with("+++ ") || rest.starts_with("--- ") {
        return Ok(None);
    }
    if let Some(text) = rest.strip_suffix(" <unfinished ...>") {
        if is_about {
            begun.push(Begun { thread, from_ns: at_ns, text: text.to_owned() });
        }
        return Ok(None);
    }
    let Some(resumed) = rest.strip_prefix("<... ") else {
        if !is_about {
            return Ok(None);
        }
        let (mut call, took_ns) = whole(rest, at_ns)?;
        // What it took is cut off to microseconds.
        call.to_ns = at_ns + took_ns + 1_000;
        return Ok(Some(call));
    };
    let (name, end) = resumed.split_once(" resumed>").context("no name")?;
    let Some(place) = begun.iter().position(|begun| begun.thread == thread) else { return Ok(None) };
    let start = begun.remove(place);
    ensure!(start.text.starts_with(name), "resumed as another call");
    let (mut call, _) = whole(&format!("{}{end}", start.text), start.from_ns)?;
    call.to_ns = at_ns;
    Ok(Some(call))
}

fn nanoseconds(text: &str) -> Result<u64> {
    let (seconds, fraction) = text.split_once('.').context("a time without a fraction")?;
    let mut fraction = fraction.to_owned();
    ensure!(fraction.len() <= 9, "a fraction of a second");
    while fraction.len() < 9 {
        fraction.push('0');
    }
    Ok(seconds.parse::<u64>()? * 1_000_000_000 + fraction.parse::<u64>()?)
}

/// `name(words) = answer <seconds>`; its end is not known here, but how long it took.
fn whole(text: &str, from_ns: u64) -> Result<(Call, u64)> {
    let (name, rest) = text.split_once('(').context("no call")?;
    let (words, rest) = words_of(rest)?;
    let answer = rest.trim_start().strip_prefix("= ").context("no answer")?;
    let (answer, took) = answer.rsplit_once(" <").context("no length of time")?;
    let took_ns = nanoseconds(took.strip_suffix('>').context("no length of time")?)?;
    let number = answer.split([' ', '<']).next().unwrap_or_default();
    let number = match number.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16)?,
        None => number.parse().with_context(|| format!("the answer {number}"))?,
    };
    let opened = if number >= 0 && answer.contains('<') { descriptor(answer)?.1 } else { None };
    let name = name.to_owned();
    Ok((Call { from_ns, to_ns: from_ns, name, words, answer: number, opened }, took_ns))
}

/// The arguments up to the closing bracket, and what follows it.
fn words_of(text: &str) -> Result<(Vec<String>, &str)> {
    let (mut words, mut depth, mut quoted, mut start) = (Vec::new(), 0_usize, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' if depth == 0 => {
                words.push(text[start..at].trim().to_owned());
                return Ok((words, &text[at + 1..]));
            }
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                words.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    bail!("no end of the arguments")
}

/// `12<\x2f...>`: the number and its path, if it has one.
fn descriptor(word: &str) -> Result<(i64, Option<PathBuf>)> {
    let (number, path) = word.split_once('<').with_context(|| format!("no descriptor: {word}"))?;
    let number = if number == "AT_FDCWD" { -100 } else { number.parse().context("a descriptor's number")? };
    let (path, rest) = path.split_once('>').with_context(|| format!("no descriptor: {word}"))?;
    // What has no name any more is nobody's business.
    let path = if rest.starts_with("(deleted)") { "" } else { path };
    let bytes = unescaped(path)?;
    Ok((number, bytes.starts_with(b"/").then(|| as_path(bytes))))
}

fn as_path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(OsString::from_vec(bytes))
}

/// `\x2f\x76`, or plain text.
fn unescaped(text: &str) -> Result<Vec<u8>> {
    if !text.starts_with("\\x") {
        ensure!(!text.contains('\\'), "written in an unknown way: {text}");
        return Ok(text.as_bytes().to_vec());
    }
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pieces, rest) = text.as_bytes().as_chunks::<4>();
    ensure!(rest.is_empty(), "half a byte");
    let byte = |piece: &[u8; 4]| match (piece, digit(piece[2]), digit(piece[3])) {
        ([b'\\', b'x', ..], Some(high), Some(low)) => Some(high << 4 | low),
        _ => None,
    };
    pieces.iter().map(|piece| byte(piece).context("no byte in hexadecimal digits")).collect()
}

impl Call {
    /// The descriptor that is this argument: its number and path.
    ///
    /// # Errors
    /// It is none.
    pub fn descriptor(&self, at: usize) -> Result<(i64, Option<PathBuf>)> {
        descriptor(self.words.get(at).context("too few arguments")?)
    }

    /// The texts in this argument, together.
    ///
    /// # Errors
    /// They were cut off, or are not understood.
    pub fn bytes(&self, at: usize) -> Result<Vec<u8>> {
        let word = self.words.get(at).context("too few arguments")?;
        ensure!(!word.contains("\"..."), "a text was cut off");
        let mut bytes = Vec::new();
        for text in word.split('"').skip(1).step_by(2) {
            bytes.extend(unescaped(text)?);
        }
        Ok(bytes)
    }

    /// The path that is this argument, below the directory that is the one before it, if that is one.
    ///
    /// # Errors
    /// It is none.
    pub fn path(&self, at: usize) -> Result<PathBuf> {
        let path = as_path(self.bytes(at)?);
        let below = at.checked_sub(1).and_then(|before| self.descriptor(before).ok()).and_then(|(_, path)| path);
        Ok(below.map_or_else(|| path.clone(), |directory| directory.join(&path)))
    }

    /// The number that is this argument.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, at: usize) -> Result<u64> {
        let word = self.words.get(at).context("too few arguments")?;
        word.parse().with_context(|| format!("no number: {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    #[test]
    fn a_whole_call_has_its_words_its_answer_and_its_times() {
        let line =
            format!("7 12.000000500 pwrite64(5<{}>, \"\\x00\\xff\\x22\", 3, 4096) = 3 <0.000002>\n", hex("/s/a, b)"),);
        let calls = read(&line, Path::new("/s")).unwrap();
        assert_eq!(calls.len(), 1);
        let call = &calls[0];
        assert_eq!((call.name.as_str(), call.answer), ("pwrite64", 3));
        // 2 us, and the one that may have been cut off.
        assert_eq!((call.from_ns, call.to_ns), (12_000_000_500, 12_000_003_500));
        assert_eq!(call.descriptor(0).unwrap(), (5, Some("/s/a, b)".into())));
        assert_eq!((call.bytes(1).unwrap(), call.number(3).unwrap()), (vec![0, 0xff, 0x22], 4096));
    }

    #[test]
    fn calls_of_several_threads_are_put_together_and_stand_in_the_order_in_which_they_ended() {
        let text = format!(
            "7 1.000000001 fsync(5<{a}> <unfinished ...>\n\
             8 1.000000002 write(6<{b}>, \"\\x41\", 1 <unfinished ...>\n\
             7 1.000000009 <... fsync resumed>) = 0 <0.000000>\n\
             8 1.000000010 <... write resumed>) = 1 <0.000000>\n\
             8 1.000000011 +++ exited with 0 +++\n",
            a = hex("/s/a"),
            b = hex("/s/b")
        );
        let calls = read(&text, Path::new("/s")).unwrap();
        let seen: Vec<_> =
            calls.iter().map(|call| (call.name.as_str(), call.from_ns, call.to_ns, call.answer)).collect();
        assert_eq!(seen, [("fsync", 1_000_000_001, 1_000_000_009, 0), ("write", 1_000_000_002, 1_000_000_010, 1)]);
        assert_eq!(calls[1].bytes(1).unwrap(), b"A");
    }

    #[test]
    fn names_are_below_the_directory_they_are_given_with_and_failures_are_told() {
        let text = format!(
            "7 1.0 openat(AT_FDCWD<{s}>, \"{a}\", O_WRONLY|O_CREAT, 0600) = 5<{sa}> <0.000001>\n\
             7 2.0 rename(\"{sa}\", \"{sb}\") = 0 <0.000001>\n\
             7 3.0 unlinkat(6<{s}>, \"{a}\", 0) = -1 ENOENT (No such file or directory) <0.000001>\n\
             7 4.0 writev(5<{sa}>, [{{iov_base=\"\\x01\\x02\", iov_len=2}}, {{iov_base=\"\\x03\", iov_len=1}}], 2) = 3 <0.000001>\n",
            s = hex("/s"),
            a = hex("a"),
            sa = hex("/s/a"),
            sb = hex("/s/b"),
        );
        let calls = read(&text, Path::new("/s")).unwrap();
        assert_eq!((calls[0].path(1).unwrap(), calls[0].opened.clone()), ("/s/a".into(), Some("/s/a".into())));
        assert_eq!((calls[0].words[2].as_str(), calls[0].words[3].as_str()), ("O_WRONLY|O_CREAT", "0600"));
        assert_eq!((calls[1].path(0).unwrap(), calls[1].path(1).unwrap()), ("/s/a".into(), "/s/b".into()));
        assert_eq!((calls[2].path(1).unwrap(), calls[2].answer), ("/s/a".into(), -1));
        assert_eq!(calls[3].bytes(1).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn what_is_cut_off_or_not_understood_is_an_error() {
        let read = |end: &str| read(&format!("7 1.0 write(5<{}>{end}\n", hex("/s/a")), Path::new("/s"));
        let call = &read(", \"\\x41\"..., 9) = 9 <0.000001>").unwrap()[0];
        assert!(call.bytes(1).is_err());
        let call = &read("(deleted), \"\\x41\", 1) = 1 <0.000001>").unwrap()[0];
        assert_eq!(call.descriptor(0).unwrap(), (5, None), "what has no name any more");
        for end in [", \"\\x41\", 1) = ? <0.000001>", ", \"\\x41\", 1", ") = 1", " <unfinished ...>"] {
            assert!(read(end).is_err(), "{end}");
        }
        let elsewhere = "7 1.0 write(5<\\x2f\\x74>, \"\" <unfinished ...>\n8 1.0 write(6<pipe:[1]>, what = ?\n";
        assert_eq!(super::read(elsewhere, Path::new("/s")).unwrap(), []);
    }
}
