//! The tools of RAID controllers: each prints states and counts in its own way, all are read into an [`Assembly`].
//!
//! [`Assembly`]: super::assembly::Assembly

pub(super) mod arcconf;
pub(super) mod areca;
pub(super) mod linux;
pub(super) mod megacli;
pub(super) mod megarc;
pub(super) mod omreport;
pub(super) mod plain;
pub(super) mod powervault;
pub(super) mod sas2ircu;
pub(super) mod ssacli;
pub(super) mod storcli;
pub(super) mod tw_cli;

use std::collections::{HashMap, HashSet};

use super::assembly::{Assembly, Piece, Role};

/// Most pieces that are taken from one output; the largest controllers have some hundreds of drives.
const PIECES: usize = 4_096;

/// Collects pieces from lines: a line begins one, those after it say more of it.
#[derive(Default)]
struct Builder {
    found: Assembly,
    current: Option<Piece>,
}

impl Builder {
    /// A new piece begins; the one before is complete.
    fn begin(&mut self, role: Role, name: &str) {
        self.end();
        self.current = Some(Piece::new(role, name, ""));
    }

    /// The piece that lines are about, if it has one of these roles.
    fn of(&mut self, roles: &[Role]) -> Option<&mut Piece> {
        self.current.as_mut().filter(|piece| roles.contains(&piece.role))
    }

    /// A whole piece that one line tells.
    fn add(&mut self, piece: Piece) {
        if self.found.pieces.len() < PIECES {
            self.found.pieces.push(piece);
        }
    }

    /// No line is about a piece any more.
    fn end(&mut self) {
        if let Some(piece) = self.current.take() {
            self.add(piece);
        }
    }

    fn finish(mut self) -> Assembly {
        self.end();
        self.identify();
        self.found
    }

    /// Lists say how drives are and details who they are: a drive takes its identity from where it is told, and is told once.
    fn identify(&mut self) {
        let mut known: HashMap<String, [String; 3]> = HashMap::new();
        for piece in self.members().filter(|piece| !piece.serial.is_empty()) {
            for key in [&piece.slot, &piece.name].into_iter().filter(|key| !key.is_empty()) {
                let identity = [&piece.model, &piece.serial, &piece.firmware].map(Clone::clone);
                known.entry(key.clone()).or_insert(identity);
            }
        }
        for piece in self.found.pieces.iter_mut().filter(|piece| piece.role == Role::Member && piece.serial.is_empty())
        {
            if let Some([model, serial, firmware]) = known.get(&piece.slot).or_else(|| known.get(&piece.name)) {
                (piece.model, piece.serial, piece.firmware) = (model.clone(), serial.clone(), firmware.clone());
            }
        }
        let mut told = HashSet::new();
        self.found.pieces.retain(|piece| {
            let is_again = piece.role == Role::Member && !piece.name.is_empty() && piece.counters.is_empty();
            !is_again || told.insert((piece.name.clone(), piece.state))
        });
    }

    fn members(&self) -> impl Iterator<Item = &Piece> {
        self.found.pieces.iter().filter(|piece| piece.role == Role::Member)
    }
}

impl Piece {
    /// Its state in the tool's words.
    fn says(&mut self, words: &str) {
        self.words = super::text::short(words);
        self.state = super::assembly::State::of(words);
    }
}
