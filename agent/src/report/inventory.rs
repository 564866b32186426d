//! What is told of a section of the inventory, as messages that each fit into a record.

use muster_proto::v1::{self, record};
use prost::Message as _;

use super::text;
use crate::inventory::hash;
use crate::inventory::kept::Delta;
use crate::inventory::{Fields, Row};

/// What a message weighs at most: below 48 KiB on the wire, and as JSON below the 64 KiB that a record may have.
const WEIGHT_MAX: usize = 44 * 1024;
/// Braces, names and tags around a row.
const ROW_WEIGHT: usize = 64;
/// The same around a text.
const TEXT_WEIGHT: usize = 4;

/// The messages, encoded. They mean something together.
#[must_use]
pub fn inventory_messages(delta: &Delta<'_>) -> Vec<Vec<u8>> {
    let section = delta.section;
    let head = v1::InventoryDelta {
        section: text(&section.name),
        base_hash: if delta.full { Vec::new() } else { delta.base.to_le_bytes().to_vec() },
        new_hash: delta.new.to_le_bytes().to_vec(),
        full: delta.full,
        reason: text(&section.reason),
        status: hash::status(section.status).into(),
        source: text(&section.source),
        collected_ms: section.collected_ms,
        ..v1::InventoryDelta::default()
    };
    let mut parts = vec![head.clone()];
    let mut room = WEIGHT_MAX;
    let mut part_for = |weight: usize, parts: &mut Vec<v1::InventoryDelta>| {
        if weight > room {
            parts.push(head.clone());
            room = WEIGHT_MAX;
        }
        room = room.saturating_sub(weight);
        parts.len() - 1
    };
    for key in &delta.gone {
        let at = part_for(weight_of(key), &mut parts);
        parts[at].gone.push(key.clone());
    }
    for row in &delta.put {
        let row = row_of(row);
        let texts = row.durable.iter().chain(&row.latest).map(|text| weight_of(text)).sum::<usize>();
        let at = part_for(ROW_WEIGHT + weight_of(&row.key) + weight_of(&row.source) + texts, &mut parts);
        parts[at].put.push(row);
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let numbered = parts.into_iter().zip(1..).map(|(part, number)| {
        let whole = v1::InventoryDelta { part: number, parts: count, ..part };
        whole.encode_to_vec()
    });
    numbered.collect()
}

/// A message as a record; nothing where it is none.
#[must_use]
pub fn inventory_record(message: &[u8]) -> Option<record::Body> {
    v1::InventoryDelta::decode(message).ok().map(record::Body::Inventory)
}

/// Two of the bytes that JSON writes before a quote or a backslash are one each.
fn weight_of(text: &str) -> usize {
    TEXT_WEIGHT + text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

fn row_of(row: &Row) -> v1::Row {
    let mut left = WEIGHT_MAX - 2 * 1024;
    let mut flat = |fields: &Fields| {
        let mut texts = Vec::with_capacity(2 * fields.len());
        for (name, value) in fields {
            let weight = weight_of(name) + weight_of(value);
            if weight <= left {
                left -= weight;
                texts.extend([name.to_string(), value.clone()]);
            }
        }
        texts
    };
    let (durable, latest) = (flat(&row.durable), flat(&row.latest));
    v1::Row { key: row.key.clone(), durable, latest, source: row.source.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::kept::delta;
    use crate::inventory::{Section, Status};

    fn section(rows: Vec<Row>) -> Section {
        Section {
            name: "packages".to_owned(),
            status: Status::Partial,
            reason: "no right".to_owned(),
            source: "/var/lib/dpkg/status".to_owned(),
            collected_ms: 12,
            rows,
            whole: true,
        }
    }

    fn decoded(delta: &Delta<'_>) -> Vec<v1::InventoryDelta> {
        inventory_messages(delta).iter().map(|message| v1::InventoryDelta::decode(&message[..]).unwrap()).collect()
    }

    #[test]
    fn a_small_change_is_one_small_message_that_says_all_of_its_section() {
        let one = section(vec![Row::new("dpkg/bash/amd64").durable("name", "bash").durable("version", "1")]);
        let (_, kept) = delta(&one, None, false);
        let two = section(vec![Row::new("dpkg/bash/amd64").durable("name", "bash").durable("version", "2")]);
        let (told, _) = delta(&two, Some(&kept), false);
        let all = decoded(&told.unwrap());
        assert_eq!(all.len(), 1);
        let message = &all[0];
        assert_eq!((message.part, message.parts, message.full, message.status), (1, 1, false, 1));
        assert_eq!((&*message.reason, &*message.source, message.collected_ms), ("no right", &*two.source, 12));
        assert_eq!(message.base_hash, kept.hash.to_le_bytes());
        assert_eq!(message.put[0].durable, ["name", "bash", "version", "2"]);
        assert!(message.encoded_len() < 2048, "{}", message.encoded_len());
    }

    #[test]
    fn a_large_section_comes_in_parts_that_fit_whatever_is_in_them() {
        let awkward = "\"\\".repeat(500);
        let row = |n: u32| Row::new(format_args!("{n:05}")).durable("v", &awkward).durable("w", "x".repeat(200));
        let all = section((0..300).map(row).collect());
        let (told, _) = delta(&all, None, false);
        let parts = decoded(&told.unwrap());
        assert!(parts.len() > 5);
        for (part, number) in parts.iter().zip(1..) {
            assert_eq!((part.part, part.parts as usize, part.full), (number, parts.len(), true));
            assert!(part.encoded_len() <= 48 * 1024, "{}", part.encoded_len());
            assert_eq!(part.new_hash, parts[0].new_hash);
        }
        let keys: Vec<&str> = parts.iter().flat_map(|part| &part.put).map(|row| row.key.as_str()).collect();
        assert!(keys.len() == 300 && keys.is_sorted());
    }

    #[test]
    fn a_row_that_would_fit_nowhere_is_told_without_its_last_fields() {
        let fat = (0..64).fold(Row::new("fat"), |row, n| row.durable(format!("f{n:02}"), "x".repeat(1024)));
        let all = section(vec![fat]);
        let (told, _) = delta(&all, None, false);
        let parts = decoded(&told.unwrap());
        assert!(parts.iter().all(|part| part.encoded_len() <= 48 * 1024));
        let fields = parts.iter().flat_map(|part| &part.put).map(|row| row.durable.len()).sum::<usize>();
        assert!(fields > 60, "{fields}");
    }
}
