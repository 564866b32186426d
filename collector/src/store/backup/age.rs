//! The age file format, version 1 (C2SP, age-encryption.org/v1), with one passphrase: so that a backup can be opened without
//! this program, by `age --decrypt` and `tar`.
//!
//! A header wraps a random file key with scrypt(passphrase) and is itself authenticated; the payload is cut into chunks of
//! 64 KiB, each sealed with ChaCha20-Poly1305 under a counter and a mark on the last one (STREAM). Changed, exchanged,
//! missing and surplus bytes are all found; what was read before them is not to be used.

use std::io::{self, BufRead, BufReader, Read, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    hkdf, hmac,
    rand::{SecureRandom, SystemRandom},
};

const VERSION: &str = "age-encryption.org/v1";
/// Salts for scrypt begin with this.
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const FILE_KEY_BYTES: usize = 16;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Plain bytes of a chunk.
const CHUNK_BYTES: usize = 64 * 1024;
/// Work of scrypt as a power of two, with r = 8 and p = 1: 128 MiB of memory once. OWASP's password storage cheat
/// sheet names 17 as the least.
pub(super) const WORK: u8 = 17;
/// More is refused when reading (1 GiB of memory): age itself writes 18.
const MOST_WORK: u8 = 20;
/// Longest line of a header; age's own have at most 64 columns and names.
const LINE_BYTES: u64 = 256;
/// Lines of a header; with one passphrase there are four.
const MOST_LINES: usize = 16;

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unopened {
    /// No age file.
    #[error("this is no backup of Muster: it does not begin as an age file does")]
    Foreign,
    /// For a key instead.
    #[error("it is not sealed with a passphrase")]
    Keyed,
    /// More work than we do.
    #[error("its passphrase asks for 2^{0} rounds of work, at most 2^{MOST_WORK} are done")]
    Work(u8),
    /// The passphrase does not open it.
    #[error("the passphrase is not the one that it was sealed with")]
    Passphrase,
    /// The header was changed or cut off.
    #[error("its header is damaged")]
    Damaged,
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
}

/// Seals what is written to it. Without [`Sealer::finish`] nobody can take the result for a whole one.
pub(super) struct Sealer<W: Write> {
    out: W,
    chunks: Chunks,
    held: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Writes the header; `work` as [`WORK`].
    pub(super) fn new(mut out: W, passphrase: &str, work: u8) -> io::Result<Self> {
        let file_key: [u8; FILE_KEY_BYTES] = random()?;
        let salt: [u8; SALT_BYTES] = random()?;
        let mut body = file_key.to_vec();
        seal(&wrapping_key(passphrase, &salt, work)?, [0; NONCE_BYTES], &mut body)?;
        let (salt, body) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(body));
        let head = format!("{VERSION}\n-> scrypt {salt} {work}\n{body}\n---");
        let mac = hmac::sign(&header_key(&file_key)?, head.as_bytes());
        let nonce: [u8; 16] = random()?;
        out.write_all(format!("{head} {}\n", STANDARD_NO_PAD.encode(mac)).as_bytes())?;
        out.write_all(&nonce)?;
        Ok(Self { out, chunks: Chunks::new(&file_key, &nonce)?, held: Vec::with_capacity(CHUNK_BYTES + TAG_BYTES) })
    }

    /// Seals the last chunk and gives the output back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.chunks.next(last)?;
        seal(&self.chunks.key, nonce, &mut self.held)?;
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for one byte more: only then it is not the last.
        if self.held.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.held.len());
        self.held.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens a file; errors while reading say that it was changed or cut off.
pub(super) struct Opener<R: Read> {
    from: BufReader<R>,
    chunks: Chunks,
    plain: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Opener<R> {
    /// Reads the header.
    pub(super) fn new(from: R, passphrase: &str) -> Result<Self, Unopened> {
        let mut from = BufReader::with_capacity(CHUNK_BYTES + TAG_BYTES, from);
        let head = Head::read(&mut from)?;
        let mut body = head.body.clone();
        let wrapping = wrapping_key(passphrase, &head.salt, head.work)?;
        let opened = open(&wrapping, [0; NONCE_BYTES], &mut body).ok_or(Unopened::Passphrase)?;
        let file_key: [u8; FILE_KEY_BYTES] = opened.try_into().map_err(|_| Unopened::Damaged)?;
        hmac::verify(&header_key(&file_key)?, head.text.as_bytes(), &head.mac).map_err(|_| Unopened::Damaged)?;
        let mut nonce = [0; 16];
        from.read_exact(&mut nonce).map_err(|_| Unopened::Damaged)?;
        Ok(Self { from, chunks: Chunks::new(&file_key, &nonce)?, plain: Vec::new(), at: 0, ended: false })
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "it was changed or cut off: its seal does not fit");
        self.plain.clear();
        self.at = 0;
        (&mut self.from).take((CHUNK_BYTES + TAG_BYTES) as u64).read_to_end(&mut self.plain)?;
        let last = self.from.fill_buf()?.is_empty();
        let nonce = self.chunks.next(last)?;
        let length = open(&self.chunks.key, nonce, &mut self.plain).ok_or_else(broken)?.len();
        // Only a payload of nothing ends with an empty chunk.
        if length == 0 && self.chunks.count > 1 {
            return Err(broken());
        }
        self.plain.truncate(length);
        self.ended = last;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.plain.len() && !self.ended {
            self.next_chunk()?;
        }
        let taken = into.len().min(self.plain.len() - self.at);
        into[..taken].copy_from_slice(&self.plain[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

/// What a header says.
struct Head {
    salt: Vec<u8>,
    work: u8,
    body: Vec<u8>,
    mac: Vec<u8>,
    /// All that the code is over.
    text: String,
}

impl Head {
    fn read(from: &mut impl BufRead) -> Result<Self, Unopened> {
        if line(from).map_err(|_| Unopened::Foreign)? != VERSION {
            return Err(Unopened::Foreign);
        }
        let (mut lines, mut mac) = (Vec::new(), None);
        for _ in 0..MOST_LINES {
            let text = line(from)?;
            if let Some(rest) = text.strip_prefix("--- ") {
                mac = Some(rest.to_owned());
                break;
            }
            lines.push(text);
        }
        let mac = mac.and_then(|text| bytes(&text)).ok_or(Unopened::Damaged)?;
        let [stanza, body] = lines.as_slice() else {
            return Err(if lines.is_empty() { Unopened::Damaged } else { Unopened::Keyed });
        };
        let words: Vec<&str> = stanza.split(' ').collect();
        let ["->", "scrypt", salt, work] = words.as_slice() else { return Err(Unopened::Keyed) };
        let work: u8 = work.parse().map_err(|_| Unopened::Damaged)?;
        if work == 0 || work > MOST_WORK {
            return Err(Unopened::Work(work));
        }
        let salt = bytes(salt).filter(|salt| salt.len() == SALT_BYTES).ok_or(Unopened::Damaged)?;
        let long = FILE_KEY_BYTES + TAG_BYTES;
        let sealed = bytes(body).filter(|body| body.len() == long).ok_or(Unopened::Damaged)?;
        Ok(Self { salt, work, body: sealed, mac, text: format!("{VERSION}\n{stanza}\n{body}\n---") })
    }
}

fn line(from: &mut impl BufRead) -> Result<String, Unopened> {
    let mut text = Vec::new();
    from.take(LINE_BYTES).read_until(b'\n', &mut text)?;
    if text.pop() != Some(b'\n') {
        return Err(Unopened::Damaged);
    }
    String::from_utf8(text).map_err(|_| Unopened::Damaged)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// The payload's key and where in it we are.
struct Chunks {
    key: LessSafeKey,
    count: u64,
}

impl Chunks {
    fn new(file_key: &[u8], nonce: &[u8]) -> io::Result<Self> {
        Ok(Self { key: aead_key(&derived(file_key, nonce, b"payload")?)?, count: 0 })
    }

    /// 11 bytes of counter, big endian, and one that marks the last chunk.
    fn next(&mut self, last: bool) -> io::Result<[u8; NONCE_BYTES]> {
        let mut nonce = [0; NONCE_BYTES];
        nonce[3..11].copy_from_slice(&self.count.to_be_bytes());
        nonce[11] = u8::from(last);
        self.count = self.count.checked_add(1).ok_or_else(|| io::Error::other("too long"))?;
        Ok(nonce)
    }
}

fn wrapping_key(passphrase: &str, salt: &[u8], work: u8) -> io::Result<LessSafeKey> {
    let mut key = [0; 32];
    let params = scrypt::Params::new(work, 8, 1).map_err(|_| io::Error::other("this much work is not done"))?;
    scrypt::scrypt(passphrase.as_bytes(), &[SCRYPT_LABEL, salt].concat(), &params, &mut key)
        .map_err(|_| io::Error::other("no key comes of the passphrase"))?;
    aead_key(&key)
}

fn header_key(file_key: &[u8]) -> io::Result<hmac::Key> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &derived(file_key, &[], b"header")?))
}

/// HKDF-SHA256 to 32 bytes.
fn derived(secret: &[u8], salt: &[u8], purpose: &[u8]) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| io::Error::other("no key can be derived"))?;
    Ok(key)
}

fn aead_key(key: &[u8; 32]) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| io::Error::other("no key"))?;
    Ok(LessSafeKey::new(key))
}

fn seal(key: &LessSafeKey, nonce: [u8; NONCE_BYTES], bytes: &mut Vec<u8>) -> io::Result<()> {
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), bytes)
        .map_err(|_| io::Error::other("cannot be sealed"))
}

fn open<'a>(key: &LessSafeKey, nonce: [u8; NONCE_BYTES], bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), bytes).ok().map(|plain| &*plain)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}
