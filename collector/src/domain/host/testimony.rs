//! What a host that is back proves of the time in which it was not heard: when it ran, and between which of its boots it
//! cannot have run.
//!
//! An alive log of the same boot proves life; another boot id proves the gap between the two boots, and no more. Where an
//! agent was started anew in the boot in which it was known before, the machine ran without it: it was not off, whoever
//! looked. Of what lies between two entries of one run of the agent nothing is known: the machine slept, or stood still.

use super::Cause;
use crate::domain::{calendar::Span, event::AliveProof, record::Observed, time::Timestamp};

/// Two signs of life of one boot this close together are of one life, in milliseconds: what is told of an earlier boot is laid
/// beside what was heard by two wall clocks, one of which was read on the way.
const ONE_LIFE_MS: i64 = 1_000;

/// A boot of a machine.
type Boot = [u8; 16];

/// What a host proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Testimony {
    /// It ran, in order.
    alive: Vec<Span>,
    /// It was between two boots, in order.
    gone: Vec<Span>,
    /// It was in one boot, and nothing says what it did; in order.
    alone: Vec<Span>,
}

/// A part of an entry, as it is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// When.
    pub span: Span,
    /// What.
    pub state: Observed,
    /// Why, where a proof says more than the entry did.
    pub proven: Option<Cause>,
}

impl Testimony {
    /// From its alive log. `before` is the boot in which it last showed life before, and when; `boot` the present one.
    #[must_use]
    pub fn of(alive: &[AliveProof], before: Option<(Boot, Timestamp)>, boot: Option<Boot>, now: Timestamp) -> Self {
        let heard = |(boot, at)| Life { boot, from: at, to: at, starts: false };
        let logged = |proof: &AliveProof| {
            let AliveProof { boot_id: boot, from, to, resumed, .. } = *proof;
            Life { boot, from, to, starts: !resumed }
        };
        let mut lives: Vec<Life> = alive.iter().map(logged).collect();
        lives.extend(before.map(heard));
        lives.extend(boot.map(|boot| heard((boot, now))));
        lives.sort_by_key(|life| (life.from, life.to));
        let (mut gone, mut alone, mut joined) = (Vec::new(), Vec::new(), Vec::new());
        let mut reached: Option<(Boot, Timestamp)> = None;
        for life in lives {
            if let Some((before, until)) = reached {
                let hole = Span { from: until, until: life.from };
                match (hole.from < hole.until, before == life.boot) {
                    (false, _) => {}
                    (true, false) => gone.push(hole),
                    (true, true) if life.from.since_ms(until) <= ONE_LIFE_MS => joined.push(hole),
                    (true, true) if life.starts => alone.push(hole),
                    (true, true) => {}
                }
                if life.to < until {
                    continue;
                }
            }
            reached = Some((life.boot, life.to));
        }
        let lived = alive.iter().map(|proof| Span { from: proof.from, until: proof.to });
        let mut alive: Vec<Span> = lived.chain(joined).collect();
        alive.sort_by_key(|span| (span.from, span.until));
        Self { alive, gone, alone }
    }

    /// Of a host that is heard again on its stream, which it was silent on since `proof`.
    #[must_use]
    pub fn of_one_stream(proof: Timestamp, now: Timestamp) -> Self {
        Self { alone: vec![Span { from: proof, until: now }], ..Self::default() }
    }

    /// What this makes of an entry: its parts, in order and without a hole.
    #[must_use]
    pub fn pieces(&self, span: Span, state: Observed, cause: &Cause) -> Vec<Piece> {
        let (mut pieces, mut at) = (Vec::<Piece>::new(), span.from);
        let proofs = [(&self.alive, Proof::Alive), (&self.gone, Proof::Gone), (&self.alone, Proof::Alone)];
        let proofs = proofs.into_iter().flat_map(|(spans, what)| spans.iter().map(move |span| (span, what)));
        let mut said: Vec<(Span, Observed, Cause)> = proofs
            .filter_map(|(proof, what)| {
                let (state, cause) = what.makes_of(state, cause)?;
                Some((Span { from: proof.from.max(span.from), until: proof.until.min(span.until) }, state, cause))
            })
            .filter(|(part, ..)| part.from < part.until)
            .collect();
        said.sort_by_key(|(part, ..)| (part.from, part.until));
        let mut add = |from: Timestamp, until: Timestamp, state, proven: Option<Cause>| {
            let same = |last: &&mut Piece| last.span.until == from && last.state == state && last.proven == proven;
            if let Some(last) = pieces.last_mut().filter(same) {
                last.span.until = until;
            } else if from < until {
                pieces.push(Piece { span: Span { from, until }, state, proven });
            }
        };
        for (part, proven_state, why) in said {
            let from = part.from.max(at);
            if from < part.until {
                add(at, from, state, None);
                add(from, part.until, proven_state, Some(why));
                at = part.until;
            }
        }
        add(at, span.until, state, None);
        pieces
    }
}

/// A time in which it lived, or an instant at which it showed life.
#[derive(Clone, Copy)]
struct Life {
    boot: Boot,
    from: Timestamp,
    to: Timestamp,
    /// Its agent was started at its beginning.
    starts: bool,
}

#[derive(Clone, Copy)]
enum Proof {
    Alive,
    Gone,
    Alone,
}

impl Proof {
    /// What it makes of what was observed; nothing where that stands.
    fn makes_of(self, state: Observed, cause: &Cause) -> Option<(Observed, Cause)> {
        match (self, state) {
            // Not in service yet, whatever it did.
            _ if *cause == Cause::Enrolled => None,
            // Nothing kept it from us but our own start, or our end while we were in doubt: it was up.
            (Self::Alive, _) if matches!(cause, Cause::Awaited | Cause::Doubted) => {
                Some((Observed::Up, Cause::AliveLog))
            }
            (Self::Alive, Observed::Down | Observed::Unknown | Observed::Unreachable) => {
                Some((Observed::Unreachable, Cause::AliveLog))
            }
            // Up by its answers alone: its agent was lost.
            (Self::Gone, Observed::Up | Observed::Unknown | Observed::Unreachable | Observed::CollectorDown) => {
                Some((Observed::Down, Cause::BootedAnew))
            }
            (Self::Alone, Observed::Down) if cause.is_silence() => Some((Observed::Unknown, Cause::SameBoot)),
            (Self::Alive, Observed::Up | Observed::CollectorDown) | (Self::Gone, Observed::Down) | (Self::Alone, _) => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::Why;

    /// So many seconds after the beginning of time.
    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1_000)
    }

    fn span(from: i64, until: i64) -> Span {
        Span { from: at(from), until: at(until) }
    }

    fn lived(boot: u8, from: i64, to: i64) -> AliveProof {
        let (from, to) = (at(from), at(to));
        AliveProof { boot_id: [boot; 16], from, to, clean_end: false, resumed: true }
    }

    fn told(testimony: &Testimony, state: Observed, cause: &Cause) -> Vec<(i64, i64, Observed)> {
        let pieces = testimony.pieces(span(100, 200), state, cause);
        pieces.iter().map(|piece| (piece.span.from.ms() / 1_000, piece.span.until.ms() / 1_000, piece.state)).collect()
    }

    fn heard(boot: u8, seconds: i64) -> Option<([u8; 16], Timestamp)> {
        Some(([boot; 16], at(seconds)))
    }

    #[test]
    fn between_two_boots_it_was_down_and_around_them_it_ran() {
        let alive = [lived(1, 0, 130), lived(2, 160, 200)];
        let testimony = Testimony::of(&alive, heard(1, 100), Some([2; 16]), at(200));
        let expected =
            [(100, 130, Observed::Unreachable), (130, 160, Observed::Down), (160, 200, Observed::Unreachable)];
        for state in [Observed::Unreachable, Observed::Unknown, Observed::Down] {
            assert_eq!(told(&testimony, state, &Cause::Silence), expected, "{state:?}");
        }
        let own =
            [(100, 130, Observed::CollectorDown), (130, 160, Observed::Down), (160, 200, Observed::CollectorDown)];
        assert_eq!(told(&testimony, Observed::CollectorDown, &Cause::CollectorAway), own);
        let awaited = [(100, 130, Observed::Up), (130, 160, Observed::Down), (160, 200, Observed::Up)];
        assert_eq!(told(&testimony, Observed::CollectorDown, &Cause::Awaited), awaited);
    }

    #[test]
    fn between_two_lives_of_one_boot_nothing_is_proven() {
        let alive = [lived(1, 0, 130), lived(1, 160, 200)];
        let testimony = Testimony::of(&alive, heard(1, 100), Some([1; 16]), at(200));
        let expected =
            [(100, 130, Observed::Unreachable), (130, 160, Observed::Unknown), (160, 200, Observed::Unreachable)];
        assert_eq!(told(&testimony, Observed::Unknown, &Cause::Silence), expected);
    }

    #[test]
    fn what_two_clocks_differ_by_is_no_hole_in_a_life() {
        let testimony = Testimony::of(&[lived(1, 101, 200)], heard(1, 100), Some([1; 16]), at(200));
        assert_eq!(told(&testimony, Observed::Unreachable, &Cause::StayedAway), [(100, 200, Observed::Unreachable)]);
        assert_eq!(testimony.pieces(span(100, 200), Observed::Unreachable, &Cause::StayedAway).len(), 1);
        // Between two boots there is no such thing.
        let testimony = Testimony::of(&[lived(2, 101, 200)], heard(1, 100), Some([2; 16]), at(200));
        let expected = [(100, 101, Observed::Down), (101, 200, Observed::Unreachable)];
        assert_eq!(told(&testimony, Observed::Unreachable, &Cause::StayedAway), expected);
    }

    #[test]
    fn an_agent_started_anew_in_its_boot_proves_that_the_machine_was_not_off() {
        let alive = [lived(1, 0, 130), AliveProof { resumed: false, ..lived(1, 160, 200) }];
        let testimony = Testimony::of(&alive, heard(1, 100), Some([1; 16]), at(200));
        let expected =
            |between| [(100, 130, Observed::Unreachable), (130, 160, between), (160, 200, Observed::Unreachable)];
        assert_eq!(told(&testimony, Observed::Down, &Cause::Silence), expected(Observed::Unknown));
        // What it said itself stands, and so does what was not down.
        let said = Cause::Goodbye(Why::Sleep);
        assert_eq!(told(&testimony, Observed::Down, &said), expected(Observed::Down));
        assert_eq!(told(&testimony, Observed::Up, &Cause::Reporting), [(100, 200, Observed::Up)]);
        // It slept, and its agent with it: whoever looked was right.
        let testimony = Testimony::of(&[lived(1, 0, 130), lived(1, 160, 200)], None, Some([1; 16]), at(200));
        assert_eq!(told(&testimony, Observed::Down, &Cause::Silence), expected(Observed::Down));
    }

    /// Lives after one another, each in its boot; between two of them a boot may go by.
    fn any_lives() -> impl Strategy<Value = Vec<AliveProof>> {
        proptest::collection::vec((0_i64..30, 0_i64..40, any::<bool>()), 0..8).prop_map(|lives| {
            let (mut boot, mut at) = (1, 0);
            let life = |(gap, length, booted): (i64, i64, bool)| {
                boot += u8::from(booted);
                let from = at + gap;
                at = from + length;
                lived(boot, from, at)
            };
            lives.into_iter().map(life).collect()
        })
    }

    proptest! {
        #[test]
        fn in_which_order_a_host_tells_of_its_lives_does_not_matter(lives in any_lives(), turn in 0_usize..8) {
            let mut turned = lives.clone();
            turned.rotate_left(turn.min(lives.len()));
            turned.reverse();
            let of = |lives: &[AliveProof]| Testimony::of(lives, heard(1, 10), Some([9; 16]), at(400));
            prop_assert_eq!(of(&lives), of(&turned));
        }
    }

    #[test]
    fn without_a_log_another_boot_proves_the_time_from_the_last_message_to_the_first() {
        let testimony = Testimony::of(&[], heard(1, 120), Some([2; 16]), at(200));
        let expected = [(100, 120, Observed::Unreachable), (120, 200, Observed::Down)];
        assert_eq!(told(&testimony, Observed::Unreachable, &Cause::StayedAway), expected);
        assert_eq!(Testimony::of(&[], None, Some([2; 16]), at(200)), Testimony::default());
    }
}
