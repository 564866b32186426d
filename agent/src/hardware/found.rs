//! What was found of one part, bounded.

use std::borrow::Cow;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest;

use crate::host::{HostError, Output};
use crate::withheld::Withheld;

/// Most that is kept of one output, in bytes, before compression: all drives behind a large RAID controller.
pub const PAYLOAD_MAX: usize = 256 * 1024;
/// Most of a payload as it is sent: a record has at most 64 KiB as the collector keeps it, in which three bytes are four.
const SENT_MAX: usize = 40 * 1024;
/// What is shorter is sent as it is.
const COMPRESSED_FROM: usize = 1024;
/// `format` of a payload that is sent as it was said.
const PLAIN: u32 = 1;
/// `format` of one that is compressed (gzip, RFC 1952).
const GZIP: u32 = 2;

/// What was found of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What said it, in the words of `muster-collector hardware judge --kind`.
    pub source: Cow<'static, str>,
    /// Of which part; empty: of the machine.
    pub part: String,
    /// What it said.
    pub outcome: Outcome,
}

/// How looking went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It said this.
    Read {
        /// As it was said.
        payload: Vec<u8>,
        /// What is lacking in it, or how the tool ended; empty where there is nothing to say.
        note: String,
        /// Tells it from what was said at another time; what moves with every look is left out of it.
        digest: [u8; 16],
    },
    /// It cannot be seen.
    Unseen {
        /// Why, in a word.
        why: Why,
        /// Why, in a sentence.
        reason: String,
    },
    /// It was not asked: what was told last holds.
    Unasked {
        /// Why, in a sentence.
        reason: String,
    },
}

/// Why something cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It sleeps, and is not woken for this.
    Asleep,
    /// A RAID controller hides it.
    BehindRaid,
    /// Its USB bridge passes nothing on that is known.
    UsbBridge,
    /// It is no hardware.
    Virtual,
    /// There is no such thing, or nothing that reports of it.
    NotPresent,
    /// Nothing reports errors of the memory.
    NoEccReporting,
    /// It was there before and is no more.
    Gone,
    /// The agent may not look.
    NoPermission,
    /// The tool is not installed.
    NotInstalled,
    /// Asking failed.
    Failed,
    /// Asking does not end.
    Hung,
}

impl Why {
    /// The word that begins a reason.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asleep => "asleep",
            Self::BehindRaid => "behind_raid",
            Self::UsbBridge => "usb_bridge",
            Self::Virtual => "virtual",
            Self::NotPresent => "not_present",
            Self::NoEccReporting => "no_ecc_reporting",
            Self::Gone => "gone",
            Self::NoPermission => "no_permission",
            Self::NotInstalled => "not_installed",
            Self::Failed => "failed",
            Self::Hung => "hung",
        }
    }

    /// `Evidence.outcome` of the wire, and its word.
    #[must_use]
    pub const fn outcome(self) -> (u32, &'static str) {
        match self {
            Self::Virtual | Self::NotPresent | Self::NoEccReporting | Self::Gone => (1, "not_present"),
            Self::BehindRaid | Self::UsbBridge | Self::NoPermission | Self::NotInstalled => (2, "unreadable"),
            Self::Failed | Self::Hung => (3, "failed"),
            Self::Asleep => (4, "asleep"),
        }
    }
}

impl Found {
    /// What was read of a part.
    #[must_use]
    pub fn read(source: impl Into<Cow<'static, str>>, part: impl Into<String>, payload: Vec<u8>, note: String) -> Self {
        let digest = digest_of(&[&payload, note.as_bytes()]);
        Self { source: source.into(), part: part.into(), outcome: Outcome::Read { payload, note, digest } }
    }

    /// A part that cannot be seen.
    #[must_use]
    pub fn unseen(
        source: impl Into<Cow<'static, str>>,
        part: impl Into<String>,
        why: Why,
        reason: impl Into<String>,
    ) -> Self {
        Self { source: source.into(), part: part.into(), outcome: Outcome::Unseen { why, reason: reason.into() } }
    }

    /// What a tool said, with what there is to say of its end.
    #[must_use]
    pub fn said(source: &'static str, part: impl Into<String>, output: Output) -> Self {
        let note = note_of(&output, "");
        Self::read(source, part, output.stdout, note)
    }

    /// Why a file could not be read.
    #[must_use]
    pub fn unread(source: &'static str, part: impl Into<String>, error: &HostError) -> Self {
        let why = match error {
            HostError::NotPresent(_) => Why::NotPresent,
            HostError::Unreadable { .. } => Why::NoPermission,
            HostError::Failed { .. } => Why::Failed,
        };
        Self::unseen(source, part, why, error.to_string())
    }

    /// Takes out of it what is not to be said of this machine.
    pub(super) fn withhold(&mut self, withheld: Withheld) {
        if let Outcome::Read { payload, note, digest } = &mut self.outcome
            && let Some(cleaned) = withheld.cleaned(payload)
        {
            *digest = digest_of(&[&cleaned, note.as_bytes()]);
            *payload = cleaned;
        }
    }

    /// Tells this from what was found at another time; nothing where what was told last holds.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 16]> {
        match &self.outcome {
            Outcome::Read { digest, .. } => Some(*digest),
            Outcome::Unseen { why, reason } => Some(digest_of(&[why.word().as_bytes(), reason.as_bytes()])),
            Outcome::Unasked { .. } => None,
        }
    }
}

/// A digest of texts: the first half of SHA-256, so that no change is ever missed.
pub(super) fn digest_of(texts: &[&[u8]]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    for text in texts {
        context.update(&text.len().to_le_bytes());
        context.update(text);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&context.finish().as_ref()[..16]);
    half
}

/// How a tool ended, and what is lacking in what it said: sentences, joined by "; ".
pub(super) fn note_of(output: &Output, lacking: &str) -> String {
    let ended = match output.code {
        Some(0) => String::new(),
        Some(code) => format!("exit status {code}"),
        None => "it died of a signal".to_owned(),
    };
    let cut = if output.truncated {
        format!("partial: more than {} KiB were said, the rest is left out", output.stdout.len() / 1024)
    } else {
        String::new()
    };
    [ended.as_str(), &cut, lacking].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A payload as it is sent: its format, its bytes, and how many bytes of it were left out to fit.
#[must_use]
pub fn packed(payload: &[u8]) -> (u32, Vec<u8>, usize) {
    if payload.len() < COMPRESSED_FROM {
        return (PLAIN, payload.to_vec(), 0);
    }
    let mut kept = payload.len();
    loop {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        // Writing to memory cannot fail; were it to, less would be sent.
        let bytes = encoder.write_all(&payload[..kept]).and_then(|()| encoder.finish()).unwrap_or_default();
        if bytes.len() <= SENT_MAX || kept == 0 {
            return (GZIP, bytes, payload.len() - kept);
        }
        kept = kept * SENT_MAX / bytes.len() * 9 / 10;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_payload_that_does_not_shrink_is_cut_until_it_fits() {
        // Numbers of Marsaglia's xorshift: no compressor finds anything in them.
        let mut state = 88_172_645_463_325_252_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .take(PAYLOAD_MAX)
        .collect();
        let (format, bytes, left_out) = packed(&noise);
        assert_eq!(format, GZIP);
        assert!(bytes.len() <= SENT_MAX && bytes.len() > SENT_MAX / 2, "{}", bytes.len());
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut read).unwrap();
        assert_eq!((read.len() + left_out, &read[..]), (noise.len(), &noise[..read.len()]));
        assert_eq!(packed(b"short"), (PLAIN, b"short".to_vec(), 0));
    }
}
