//! What the rules of hardware say: a part, what is wrong with it, the evidence, and what to do.

use serde::Serialize;

use crate::domain::severity::Severity;

/// Longest text of a part, in characters: the longest that a standard has room for is 80 (a SCSI name string); a path of udev may
/// be longer.
const PART_CHARS: usize = 256;
/// Longest value that a finding rests on, and longest sentence, in characters: a line of the kernel's log has at most 976 bytes.
const VALUE_CHARS: usize = 1_024;

/// One judged fact about a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Which part.
    pub part: Part,
    /// Which rule says so.
    pub rule: &'static str,
    /// How bad. Critical is only what the device itself declares, or redundancy that is lost.
    pub severity: Severity,
    /// What it makes of the part.
    #[serde(skip)]
    pub weight: Weight,
    /// One sentence.
    pub summary: String,
    /// The values that it rests on.
    pub evidence: Vec<Evidence>,
    /// What to do; empty where nothing is to be done.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub action: &'static str,
    /// How often such a part fails, where that was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

/// What a finding makes of the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing: it is only told.
    Told,
    /// One weak sign: neither called healthy nor failing.
    Doubt,
    /// It is going.
    Failing,
    /// It says that it has failed, or it is gone.
    Failed,
}

/// What is judged: the thing that would be replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is: drive, array, memory, link, battery, ...
    pub kind: &'static str,
    /// Its name where it has one: a device node, an array, a sensor.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Model, which is what is ordered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Serial number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serial: String,
    /// Firmware revision.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub firmware: String,
    /// Where it sits: enclosure and bay, slot, label on the board.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub slot: String,
}

/// A value that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What was read, by its own name.
    pub name: String,
    /// What it was.
    pub value: String,
    /// What it was held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// How often parts with this finding failed where somebody counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Confidence {
    /// Share of them that failed, 0-1.
    pub failed_ratio: f64,
    /// Within so many days.
    pub within_days: u32,
    /// Of so many.
    pub of: u32,
    /// Where.
    pub source: &'static str,
}

impl Finding {
    /// What damaged or hostile output said without end is cut off.
    pub(super) fn cut(&mut self) {
        let Part { kind: _, name, model, serial, firmware, slot } = &mut self.part;
        [name, model, serial, firmware, slot].into_iter().for_each(|text| cut(text, PART_CHARS));
        cut(&mut self.summary, VALUE_CHARS);
        for Evidence { name, value, limit } in &mut self.evidence {
            cut(name, PART_CHARS);
            cut(value, VALUE_CHARS);
            limit.iter_mut().for_each(|limit| cut(limit, VALUE_CHARS));
        }
    }

    /// A finding without evidence yet.
    #[must_use]
    pub fn new(part: Part, rule: &'static str, severity: Severity, weight: Weight, summary: impl Into<String>) -> Self {
        let (evidence, action, confidence) = (Vec::new(), "", None);
        Self { part, rule, severity, weight, summary: summary.into(), evidence, action, confidence }
    }

    /// With a value that it rests on.
    #[must_use]
    pub fn seen(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.evidence.push(Evidence { name: name.into(), value: value.to_string(), limit: None });
        self
    }

    /// With a value, and what it was held against.
    #[must_use]
    pub fn against(mut self, name: impl Into<String>, value: impl ToString, limit: impl ToString) -> Self {
        let limit = Some(limit.to_string());
        self.evidence.push(Evidence { name: name.into(), value: value.to_string(), limit });
        self
    }

    /// With what to do.
    #[must_use]
    pub const fn so(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// With how often it comes true.
    #[must_use]
    pub const fn counted(mut self, confidence: Confidence) -> Self {
        self.confidence = Some(confidence);
        self
    }
}

fn cut(text: &mut String, chars: usize) {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
    }
}
