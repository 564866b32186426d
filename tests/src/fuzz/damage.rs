//! One engine of damage for all parsers: real text or bytes in, something nearly like it out.

/// Numbers at and beyond the edges of every type that texts are read into.
const NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "256",
    "32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1e999",
    "-1e-999",
    "0x10000000000000000",
];
/// What such texts are made of, and what they are not.
const WORDS: [&str; 40] = [
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    "\0",
    "/",
    "//",
    "..",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ":",
    "::",
    "=",
    "\"",
    "'",
    "\\",
    "\\n",
    "\\040",
    "#",
    ",",
    ";",
    "-",
    "U",
    ".",
    "NaN",
    "+Inf",
    "e",
    "%",
    "é",
    "\u{feff}",
    "\u{2028}",
    "\u{202e}",
    "\u{1b}[2J",
    "𝟘",
];
/// Bytes that are no UTF-8, or the beginning of some.
const GARBAGE: [&[u8]; 8] =
    [b"\xff", b"\xfe\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x92", b"\xed\xa0\x80", b"\xc0\x80", b"\x80\x80\x80"];
/// Damaged texts are no longer than this: a line longer than every limit on lines, some thousand lines more.
const BYTES_MAX: usize = 256 * 1024;

/// Numbers that look random, the same for the same seed (splitmix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 where that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// One time in `of`.
    pub(crate) fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &'a [&T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A number as it would be on a bad day: an edge, an edge of bits, or any.
    pub(crate) fn extreme(&mut self) -> u64 {
        match self.below(4) {
            0 => (1_u64 << self.below(64)).wrapping_sub(1),
            1 => 1_u64 << self.below(64),
            2 => self.below(300) as u64,
            _ => self.next(),
        }
    }
}

/// A damaged copy of `whole`. `other` lends pieces.
pub(crate) fn damaged(whole: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    // Mostly one thing is wrong, sometimes many.
    let times = if rng.once_in(4) { 2 + rng.below(8) } else { 1 };
    for _ in 0..times {
        one(&mut bytes, other, rng);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

/// The same as text.
pub(crate) fn damaged_text(whole: &str, other: &str, rng: &mut Rng) -> String {
    String::from_utf8_lossy(&damaged(whole.as_bytes(), other.as_bytes(), rng)).into_owned()
}

fn one(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    match rng.below(15) {
        0 => bytes.truncate(rng.below(bytes.len() + 1)),
        1 => flip(bytes, rng),
        2..=4 => number(bytes, rng),
        5 => words(bytes, rng),
        6 => {
            let garbage = rng.pick(&GARBAGE);
            put(bytes, garbage, rng);
        }
        7 => splice(bytes, other, rng),
        8..=10 => lines(bytes, rng),
        11 => remove(bytes, rng),
        12 => binary(bytes, rng),
        13 => word_for_word(bytes, rng),
        _ => run(bytes, rng),
    }
}

fn flip(bytes: &mut [u8], rng: &mut Rng) {
    let (at, bit) = (rng.below(bytes.len()), rng.below(8));
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

/// Another number in place of one, or anywhere.
fn number(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let drawn;
    let new = if rng.once_in(4) {
        drawn = rng.extreme().to_string();
        &*drawn
    } else {
        rng.pick(&NUMBERS)
    };
    let from = rng.below(bytes.len() + 1);
    match bytes[from..].iter().position(u8::is_ascii_digit) {
        Some(ahead) => {
            let start = from + ahead;
            let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            drop(bytes.splice(start..start + length, new.bytes()));
        }
        None => put(bytes, new.as_bytes(), rng),
    }
}

fn words(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let text: String = (0..=rng.below(5)).map(|_| rng.pick(&WORDS)).collect();
    put(bytes, text.as_bytes(), rng);
}

fn put(bytes: &mut Vec<u8>, new: &[u8], rng: &mut Rng) {
    let at = rng.below(bytes.len() + 1);
    let until = if rng.once_in(2) { at } else { (at + new.len()).min(bytes.len()) };
    drop(bytes.splice(at..until, new.iter().copied()));
}

/// A piece of another one of its kind.
fn splice(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let from = rng.below(other.len() + 1);
    let piece = &other[from..][..rng.below(other.len() - from + 1).min(4096)];
    put(bytes, piece, rng);
}

/// Takes lines out, repeats or swaps them, or joins two.
fn lines(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let (at, to) = (rng.below(lines.len()), rng.below(lines.len()));
    match rng.below(5) {
        0 => drop(lines.remove(at)),
        1 => lines.swap(at, to),
        2 => lines.insert(to, lines[at]),
        3 => {
            // Now and then more than any limit on their number.
            let times = if rng.once_in(64) { 4096 } else { 1 + rng.below(32) };
            let room = BYTES_MAX / (lines[at].len() + 1);
            let line = lines[at];
            drop(lines.splice(to..to, std::iter::repeat_n(line, times.min(room))));
        }
        _ => {
            let joined = lines[..=at].join(&b'\n');
            let rest = lines[at + 1..].join(&b'\n');
            *bytes = [joined, rest].concat();
            return;
        }
    }
    *bytes = lines.join(&b'\n');
}

fn remove(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(bytes.len() + 1);
    let until = (at + 1 + rng.below(64)).min(bytes.len());
    drop(bytes.drain(at..until.max(at)));
}

/// A length or number of a binary format.
fn binary(bytes: &mut [u8], rng: &mut Rng) {
    let (value, width) = (rng.extreme(), 1 << rng.below(4));
    let raw = if rng.once_in(2) { value.to_le_bytes() } else { value.to_be_bytes() };
    let raw = if rng.once_in(2) { &raw[..width] } else { &raw[8 - width..] };
    let mut at = rng.below(bytes.len());
    if rng.once_in(2) {
        at -= at % width;
    }
    if let Some(place) = bytes.get_mut(at..at + width) {
        place.copy_from_slice(raw);
    }
}

/// A word of the same text in another's place.
fn word_for_word(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let is_word = |byte: &u8| !byte.is_ascii_whitespace();
    let word_at = |from: usize, bytes: &[u8]| {
        let start = from + bytes[from..].iter().position(is_word)?;
        Some(start..start + bytes[start..].iter().take_while(|byte| is_word(byte)).count())
    };
    let (one, two) = (rng.below(bytes.len()), rng.below(bytes.len()));
    if bytes.is_empty() {
        return;
    }
    if let (Some(from), Some(to)) = (word_at(one, bytes), word_at(two, bytes)) {
        let word = bytes[from].to_vec();
        drop(bytes.splice(to, word));
    }
}

/// A long run of one byte: longer than a name, a line or, seldom, any buffer.
fn run(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let length = match rng.below(64) {
        0 => 70_000,
        1..=8 => 5_000,
        _ => 1 + rng.below(300),
    };
    let byte = b"0 9a:/(\"\\\0\xff\n-"[rng.below(13)];
    let new = vec![byte; length];
    put(bytes, &new, rng);
}
