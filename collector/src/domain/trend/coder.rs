//! Whole numbers into few bits: an adaptive binary range coder, and columns of numbers as its bits.
//!
//! Shaped like the coder of LZMA (range of 32 bits, carry through a run of 0xff), with chances that learn fast at first,
//! because a row is short: each begins near what such columns usually say and moves by 1/n.

/// Chances are in 1/65536 and never reach 0 or 1.
const ONE: u32 = 1 << 16;
/// Where a chance stops learning faster than 1/n.
const STEADY: u16 = 40;
/// Below this the range is shifted out, byte by byte.
const LEAST_RANGE: u32 = 1 << 24;

/// The chance that a bit is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    zero: u16,
    seen: u16,
}

impl Chance {
    /// One that takes `percent` % of zeros for likely before it has seen any.
    const fn of_zero(percent: u32) -> Self {
        Self { zero: (ONE / 100 * percent) as u16, seen: 3 }
    }

    fn learn(&mut self, bit: bool) {
        let (zero, step) = (i32::from(self.zero), i32::from(self.seen));
        let goal = if bit { 64 } else { ONE as i32 - 64 };
        self.zero = (zero + (goal - zero) / step).clamp(64, ONE as i32 - 64) as u16;
        self.seen = (self.seen + 1).min(STEADY);
    }

    fn bound(self, range: u32) -> u32 {
        (range >> 16) * u32::from(self.zero)
    }
}

/// Takes or gives one bit: packing and unpacking share everything above it.
pub(super) trait Bits {
    /// Codes one bit; when unpacking, what is given is ignored.
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool;
}

/// Packs.
#[derive(Debug)]
pub(super) struct Packer {
    low: u64,
    range: u32,
    held: u8,
    /// Bytes held back until it is known whether a carry goes through them.
    holding: u64,
    begun: bool,
    bytes: Vec<u8>,
}

impl Packer {
    /// Goes on after `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { low: 0, range: u32::MAX, held: 0, holding: 0, begun: false, bytes }
    }

    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > u64::from(u32::MAX) {
            let carry = (self.low >> 32) as u8;
            if self.begun {
                self.bytes.push(self.held.wrapping_add(carry));
            }
            for _ in 0..self.holding {
                self.bytes.push(0xff_u8.wrapping_add(carry));
            }
            (self.holding, self.begun) = (0, true);
            self.held = (self.low >> 24) as u8;
        } else {
            self.holding += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    /// The bytes, without the zeros at their end, which the unpacker adds for itself.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let keep = self.bytes.len();
        // Of all numbers within the range, the one with most zeros at its end.
        let end = self.low + u64::from(self.range);
        let round = |shift: u32| self.low.div_ceil(1 << shift) << shift;
        self.low = (0..=32).rev().map(round).find(|low| *low < end).unwrap_or(self.low);
        (0..6).for_each(|_| self.shift());
        while self.bytes.len() > keep && self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl Bits for Packer {
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let bound = chance.bound(self.range);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.learn(bit);
        while self.range < LEAST_RANGE {
            self.range <<= 8;
            self.shift();
        }
        bit
    }
}

/// Unpacks; past the end it reads zeros, so that any bytes unpack to something.
#[derive(Debug)]
pub(super) struct Unpacker<'a> {
    code: u32,
    range: u32,
    bytes: &'a [u8],
}

impl<'a> Unpacker<'a> {
    /// From the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut unpacker = Self { code: 0, range: u32::MAX, bytes };
        (0..4).for_each(|_| unpacker.code = unpacker.code << 8 | unpacker.next());
        unpacker
    }

    fn next(&mut self) -> u32 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        u32::from(*first)
    }
}

impl Bits for Unpacker<'_> {
    fn bit(&mut self, chance: &mut Chance, _: bool) -> bool {
        let bound = chance.bound(self.range);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.learn(bit);
        while self.range < LEAST_RANGE {
            self.range <<= 8;
            self.code = self.code << 8 | self.next();
        }
        bit
    }
}

/// Lengths of numbers, in bits; longer ones are cut, which no scale reaches.
const LENGTHS: usize = 33;
/// How lively a column was lately, as the length of its usual difference; one more for its first value.
const LIVELY: usize = 18;
const FIRST: usize = LIVELY - 1;

/// What is learnt over all columns of a row.
#[derive(Debug)]
pub(super) struct Model {
    present: [Chance; 2],
    moving: Chance,
    longer: [[Chance; LENGTHS]; LIVELY],
    upper: [[Chance; 4]; LENGTHS],
}

impl Model {
    pub(super) fn new() -> Self {
        let mut longer = [[Chance::of_zero(50); LENGTHS]; LIVELY];
        for (lively, lengths) in longer.iter_mut().enumerate().take(FIRST) {
            for (length, chance) in lengths.iter_mut().enumerate() {
                *chance = Chance::of_zero(match length + 1 {
                    n if n < lively => 3,
                    n if n == lively => 20,
                    n if n == lively + 1 => 65,
                    _ if lively == 0 => 95,
                    _ => 80,
                });
            }
        }
        longer[FIRST] = [Chance::of_zero(8); LENGTHS];
        let present = [Chance::of_zero(90), Chance::of_zero(3)];
        Self { present, moving: Chance::of_zero(50), longer, upper: [[Chance::of_zero(50); 4]; LENGTHS] }
    }

    /// A number without sign, in a column as lively as said.
    fn number(&mut self, bits: &mut impl Bits, lively: usize, number: u32) -> u32 {
        let wanted = (u32::BITS - number.leading_zeros()) as usize;
        let mut length = 0;
        while length < LENGTHS - 1 && bits.bit(&mut self.longer[lively][length], wanted > length) {
            length += 1;
        }
        if length < 2 {
            return length as u32;
        }
        // The two bits below the first one are learnt, the others are noise.
        let mut found = 1_u32;
        for place in (0..length - 1).rev() {
            let given = number >> place & 1 == 1;
            let depth = length - 2 - place;
            let bit = match depth {
                0 => bits.bit(&mut self.upper[length][1], given),
                1 => bits.bit(&mut self.upper[length][2 + (found & 1) as usize], given),
                _ => bits.bit(&mut Chance::of_zero(50), given),
            };
            found = found << 1 | u32::from(bit);
        }
        found
    }

    /// A column: gaps are `None`. When unpacking, what is in it is overwritten.
    pub(super) fn column(&mut self, bits: &mut impl Bits, values: &mut [Option<i32>]) {
        let steady = bits.bit(&mut self.moving, Foresight::is_better_steady(values));
        let mut foresight = Foresight::new(steady);
        let mut was_there = true;
        for value in values {
            let there = bits.bit(&mut self.present[usize::from(was_there)], value.is_some());
            was_there = there;
            *value = there.then(|| {
                let expected = foresight.expected();
                let difference = value.unwrap_or(0).wrapping_sub(expected);
                let folded = self.number(bits, foresight.lively(), zigzag(difference));
                let found = expected.wrapping_add(unzigzag(folded));
                foresight.see(found, folded);
                found
            });
        }
    }
}

/// What a column's next value is expected to be, and how far off it may be.
#[derive(Debug)]
struct Foresight {
    /// Whether the column stays about a level (then its mean foretells best) or wanders (its last value).
    steady: bool,
    /// In 1/256.
    level: i64,
    /// The usual difference, in 1/16.
    usual: u64,
    seen: u32,
}

impl Foresight {
    const fn new(steady: bool) -> Self {
        Self { steady, level: 0, usual: 0, seen: 0 }
    }

    fn expected(&self) -> i32 {
        ((self.level + 128) >> 8).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }

    fn lively(&self) -> usize {
        if self.seen == 0 {
            return FIRST;
        }
        ((u64::BITS - (self.usual >> 4).leading_zeros()) as usize).min(FIRST - 1)
    }

    fn see(&mut self, value: i32, folded: u32) {
        let value = i64::from(value) << 8;
        if self.steady && self.seen > 0 {
            self.level += (value - self.level) / i64::from((self.seen + 1).min(5));
        } else {
            self.level = value;
        }
        let folded = u64::from(folded) << 4;
        // The first difference is from nothing; the second says most of what is known.
        self.usual = match self.seen {
            0 => 8 << 4,
            1 => (self.usual + 3 * folded) / 4,
            _ => (5 * self.usual + 3 * folded) / 8,
        };
        self.seen = self.seen.saturating_add(1);
    }

    /// Which of both ways foretells these values better.
    fn is_better_steady(values: &[Option<i32>]) -> bool {
        let cost = |steady| {
            let mut foresight = Self::new(steady);
            let cost = |value: &i32| {
                let folded = zigzag(value.wrapping_sub(foresight.expected()));
                foresight.see(*value, folded);
                f64::from(folded).ln_1p()
            };
            values.iter().flatten().map(cost).sum::<f64>()
        };
        cost(true) < cost(false)
    }
}

const fn zigzag(number: i32) -> u32 {
    ((number << 1) ^ (number >> 31)) as u32
}

const fn unzigzag(number: u32) -> i32 {
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(columns: &mut [Vec<Option<i32>>]) -> Vec<u8> {
        let mut packer = Packer::new(vec![7]);
        let mut model = Model::new();
        columns.iter_mut().for_each(|column| model.column(&mut packer, column));
        packer.finish()
    }

    fn unpacked(bytes: &[u8], columns: usize, length: usize) -> Vec<Vec<Option<i32>>> {
        let mut unpacker = Unpacker::new(&bytes[1..]);
        let mut model = Model::new();
        let mut found = vec![vec![None; length]; columns];
        found.iter_mut().for_each(|column| model.column(&mut unpacker, column));
        found
    }

    /// Columns as they come: nothing, the same again and again, noise, anything at all.
    fn column() -> impl Strategy<Value = Vec<Option<i32>>> {
        let number = prop_oneof![Just(0), -3..3_i32, 100_000..100_100_i32, any::<i32>()];
        prop::collection::vec(prop::option::weighted(0.9, number), 60)
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(columns in prop::collection::vec(column(), 0..8)) {
            let mut given = columns.clone();
            let bytes = packed(&mut given);
            prop_assert_eq!(&given, &columns);
            prop_assert_eq!(unpacked(&bytes, columns.len(), 60), columns);
        }

        #[test]
        fn any_bytes_unpack(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            prop_assert_eq!(unpacked(&bytes, 5, 60).len(), 5);
        }
    }

    #[test]
    fn what_does_not_move_costs_next_to_nothing() {
        let bytes = packed(&mut vec![vec![Some(123_456); 60]; 20]);
        assert!(bytes.len() < 90, "{}", bytes.len());
        let bytes = packed(&mut vec![vec![None; 60]; 20]);
        assert!(bytes.len() < 10, "{}", bytes.len());
    }
}
