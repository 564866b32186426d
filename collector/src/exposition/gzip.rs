//! Pages made small for who is far away (RFC 1952).
//!
//! What it costs, measured on the page of a host with 348 series (38 262 bytes; flate2 with miniz_oxide, one core of an
//! AMD EPYC): level 1 makes 7 248 bytes of it in 45 us, level 6 makes 5 896 in 400 us; so level 1. A new compressor for
//! each page would add 95 us, most of it the kernel clearing its 300 KiB; so they are kept.
//!
//! Those 45 us are 0.13 CPU seconds per million samples, nearly half of the 0.3 that the whole answer may cost, and
//! Prometheus asks for gzip at each scrape. Over a network five sixths of the bytes are worth that. Over loopback, where
//! sending them costs 1 us more, they are not: [`negotiation`](super::negotiation) keeps pages plain there.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Compressors kept between pages; more may work at the same time.
const KEPT: usize = 4;
/// Magic number, deflate, no flags, no time, fastest algorithm, unknown system (RFC 1952, section 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// CRC32 and length of what was compressed.
const TRAILER_BYTES: usize = 8;
/// A page shrinks to less than this part of its size, nearly always; else the buffer grows.
const EXPECTED_PART: usize = 4;

/// Compressors that wait for the next page.
#[derive(Clone, Default)]
pub struct Compressors(Arc<Mutex<Vec<Compress>>>);

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressors").finish_non_exhaustive()
    }
}

impl Compressors {
    /// The page as a gzip file; `None` if the compressor fails, which it does only when out of memory.
    pub(super) fn gzip(&self, page: &[u8]) -> Option<Vec<u8>> {
        let kept = self.waiting().pop();
        let mut compressor = kept.unwrap_or_else(|| Compress::new(Compression::fast(), false));
        let mut out = Vec::with_capacity(HEADER.len() + page.len() / EXPECTED_PART + TRAILER_BYTES);
        out.extend_from_slice(&HEADER);
        deflate(&mut compressor, page, &mut out)?;
        let mut crc = Crc::new();
        crc.update(page);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        // The length is told modulo 2^32 (RFC 1952, section 2.3.1).
        out.extend_from_slice(&(page.len() as u32).to_le_bytes());
        compressor.reset();
        let mut waiting = self.waiting();
        if waiting.len() < KEPT {
            waiting.push(compressor);
        }
        Some(out)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Compress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deflate(compressor: &mut Compress, page: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = page;
    loop {
        let before = compressor.total_in();
        let status = compressor.compress_vec(rest, out, FlushCompress::Finish).ok()?;
        rest = rest.get((compressor.total_in() - before) as usize..)?;
        if status == Status::StreamEnd {
            return Some(());
        }
        out.reserve(page.len() / EXPECTED_PART + TRAILER_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn plain(gzip: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn each_page_comes_back_as_it_was_also_with_a_compressor_that_was_used() {
        let compressors = Compressors::default();
        // Two like each other, one empty, one that cannot be made smaller.
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(100_000).collect();
        let page = b"node_load1 0.25\n".repeat(3_000);
        for page in [&page[..], &page, b"", &noise, &page] {
            assert_eq!(plain(&compressors.gzip(page).unwrap()), page);
        }
        assert_eq!(compressors.waiting().len(), 1);
        assert!(compressors.gzip(&page).unwrap().len() < page.len() / 50);
    }
}
