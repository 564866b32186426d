//! Errors of memory modules: counters of EDAC, `edac-util`, `ras-mc-ctl`, `mcelog --client`.

use super::text::{digits, number_in, pair, short};

/// Most modules that are kept.
const MODULES: usize = 1_000;

/// Modules, or what stands in for them: rows, channels, controllers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// With their counts.
    pub modules: Vec<Module>,
    /// Memory that the kernel has taken out of use because it was damaged, in KiB.
    pub taken_out_kib: Option<u64>,
    /// What is fitted, as the memory controller sees it.
    pub fitted: Vec<Fitted>,
    /// All memory that the kernel uses, in KiB.
    pub total_kib: Option<u64>,
}

/// A module that is fitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitted {
    /// Where, as the driver counts: `mc0/dimm2`.
    pub place: String,
    /// Its label on the board, where the driver knows it.
    pub label: String,
    /// How large it is, in MiB.
    pub mib: u64,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// Its label or place.
    pub label: String,
    /// Errors that were corrected.
    pub corrected: u64,
    /// Errors that were not.
    pub uncorrected: u64,
}

/// The modules in a text.
pub(super) fn read(text: &str) -> Memory {
    let mut found = Memory::default();
    let (mut socket, mut is_corrected) = (String::new(), true);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            // mc0/csrow0/ce_count 11, also with = or : between.
            [path, count] if path.contains("ce_count") || path.contains("ue_count") => counter(&mut found, path, count),
            [path] if path.contains("_count") => {
                if let Some((path, count)) = path.split_once(['=', ':']) {
                    counter(&mut found, path, count);
                }
            }
            // mcelog: SOCKET 0 CHANNEL 1 DIMM any, then "corrected memory errors:", then "11 total".
            ["HardwareCorrupted:", amount, ..] => found.taken_out_kib = digits(amount),
            ["MemTotal:", amount, ..] => found.total_kib = digits(amount),
            [_, ..] if fitted(&mut found, line) => {}
            ["SOCKET", ..] => socket = short(line),
            ["corrected", "memory", "errors:"] => is_corrected = true,
            ["uncorrected", "memory", "errors:"] => is_corrected = false,
            [count, "total"] if !socket.is_empty() && !socket.contains("CHANNEL any") => {
                add(&mut found, &socket, digits(count), is_corrected);
            }
            _ if line.contains("DIMM Label(s)") => label(&mut found, line),
            _ => sentence(&mut found, line),
        }
    }
    found
}

/// `mc0/csrow0/ch1_ce_count`: the sums above (`mc0/ce_count`) are left out where there is more below them.
fn counter(found: &mut Memory, path: &str, count: &str) {
    let path = path.trim_end_matches([':', '=']);
    let is_corrected = path.contains("ce_count");
    let place = path.rsplit_once('/').map_or("", |(place, _)| place);
    let channel = path.rsplit('/').next().and_then(|name| name.split_once('_')).map_or("", |(head, _)| head);
    let label = if channel.starts_with("ch") { format!("{place}/{channel}") } else { place.to_owned() };
    let label = label.rsplit_once("/mc/").map_or(label.as_str(), |(_, rest)| rest).to_owned();
    add(found, &label, digits(count), is_corrected);
}

/// `/sys/devices/system/edac/mc/mc0/dimm2/size:16384`, `.../dimm_label:CPU1_DIMM_A2`; whether it is one of them.
fn fitted(found: &mut Memory, line: &str) -> bool {
    let Some((path, value)) = line.split_once(':').filter(|(path, _)| path.contains("/mc/mc")) else { return false };
    let Some((place, name)) = path.split_once("/mc/").and_then(|(_, rest)| rest.rsplit_once('/')) else { return false };
    let is_module = place.rsplit('/').next().is_some_and(|last| last.starts_with("dimm") || last.starts_with("rank"));
    if !is_module || !matches!(name, "size" | "dimm_label") {
        return false;
    }
    if found.fitted.last().is_none_or(|known| known.place != place) && found.fitted.len() < MODULES {
        found.fitted.push(Fitted { place: short(place), ..Fitted::default() });
    }
    match (found.fitted.last_mut().filter(|known| known.place == place), name) {
        (Some(known), "size") => known.mib = digits(value).unwrap_or(0),
        (Some(known), _) => known.label = short(value),
        (None, _) => {}
    }
    true
}

/// `mc0: csrow2: CPU_SrcID#0_Channel#1: 12 Corrected Errors`, `CPU_SrcID#0_DIMM#1: 0 corrected, 2 uncorrected`.
fn sentence(found: &mut Memory, line: &str) {
    let lower = line.to_ascii_lowercase();
    let Some((head, said)) = line.rsplit_once(": ").filter(|_| lower.contains("corrected")) else { return };
    if pair(line).is_none() {
        return;
    }
    for part in said.split(',') {
        let is_corrected = !part.to_ascii_lowercase().contains("uncorrected");
        add(found, head.trim(), number_in(part), is_corrected);
    }
}

/// `Corrected on DIMM Label(s): 'CPU_A1' location: 0:1:0:-1 errors: 12`: ras-mc-ctl --summary.
fn label(found: &mut Memory, line: &str) {
    let (label, count) = (line.split('\'').nth(1), line.rsplit_once("errors: ").map(|(_, count)| count));
    let is_corrected = line.trim_start().starts_with("Corrected");
    add(found, label.unwrap_or_default(), count.and_then(digits), is_corrected);
}

fn add(found: &mut Memory, label: &str, count: Option<u64>, is_corrected: bool) {
    let Some(count) = count else { return };
    let at = found.modules.iter().position(|module| module.label == label).unwrap_or_else(|| {
        found.modules.push(Module { label: short(label), ..Module::default() });
        found.modules.len() - 1
    });
    let module = &mut found.modules[at];
    if is_corrected {
        module.corrected = module.corrected.max(count);
    } else {
        module.uncorrected = module.uncorrected.max(count);
    }
    found.modules.truncate(MODULES);
}

/// Whether a text has such counters.
pub(super) fn is_one(text: &str) -> bool {
    [
        "/ce_count",
        "/ue_count",
        "_ce_count",
        "corrected memory errors:",
        "Corrected Errors",
        "Corrected errors",
        "DIMM Label(s)",
    ]
    .iter()
    .any(|part| text.contains(part))
}
