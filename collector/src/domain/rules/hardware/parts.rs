//! Memory modules, power and GPUs: few rules each.

use super::{
    finding::{Finding, Part, Weight},
    growth::WINDOW_DAYS,
    kernel_log::MEMORY_CORRECTED,
    plausible::since,
};
use crate::domain::{
    hardware::{
        gpu::Gpu,
        memory::{Fitted, Memory},
        power::{Battery, Power, Supply},
    },
    severity::Severity,
};

/// Less memory than before is a module that is gone from so much on: what kernels reserve differs by less, and the smallest
/// modules of servers have more. Of 32 modules one is more than the share.
const LOST_KIB: u64 = 1_000_000;
const LOST_SHARE: u64 = 33;
const RESEAT: &str = "reseat the module, or say that it was taken out: accept this for a week";
/// A battery that holds less of what it was made for is worn, told only; less than the second is to be replaced, less than the
/// third may fail at any time, 0-1.
const BATTERY_WORN: f64 = 0.8;
const BATTERY_REPLACE: f64 = 0.6;
const BATTERY_SPENT: f64 = 0.4;
/// No battery holds so much more than it was made for, 0-1.
const BATTERY_MOST: f64 = 1.5;
/// Load of a supply that is too near its limit, in percent (netdata).
const LOAD_PERCENT: u64 = 95;
/// Retired pages at which NVIDIA takes a GPU back (DCGM: 63).
const RETIRED_PAGES: u64 = 63;
/// Corrected errors of a GPU's memory within the window that are told (DCGM: 10 single-bit errors).
const GPU_CORRECTED: u64 = 10;

/// Findings about memory modules.
pub(super) fn memory(memory: &Memory) -> Vec<Finding> {
    let modules = memory.modules.iter().filter(|module| {
        // A controller's sum says nothing beside its rows.
        let below = format!("{}/", module.label);
        !memory.modules.iter().any(|other| other.label.starts_with(&below))
    });
    let findings = modules.filter_map(|module| {
        let part = Part { kind: "memory", slot: module.label.clone(), ..Part::default() };
        let new = |rule, severity, weight, summary: &str| Finding::new(part, rule, severity, weight, summary);
        let finding = match (module.uncorrected, module.corrected) {
            (0, 0) => return None,
            (0, corrected) if corrected < MEMORY_CORRECTED => {
                let summary = "a few errors were corrected; a third of all machines see that in a year";
                new("memory-corrected", Severity::Info, Weight::Doubt, summary).so("watch whether they go on")
            }
            (0, _) => {
                let summary = "one module makes many errors, corrected so far";
                new("memory-corrected", Severity::Warning, Weight::Failing, summary)
                    .so("reseat this module once; if it goes on, replace it")
            }
            _ => new("memory-uncorrected", Severity::Critical, Weight::Failed, "memory lost data")
                .so("replace this module"),
        };
        Some(finding.against("corrected errors", module.corrected, MEMORY_CORRECTED).against(
            "uncorrected errors",
            module.uncorrected,
            0,
        ))
    });
    findings.chain(taken_out(memory)).collect()
}

/// Memory that the kernel does not use any more because it was damaged; a page is also given up before it fails.
fn taken_out(memory: &Memory) -> Option<Finding> {
    let kib = memory.taken_out_kib.filter(|kib| *kib > 0)?;
    let part = Part { kind: "memory", ..Part::default() };
    let summary = "the kernel has taken damaged memory out of use since the machine started";
    let finding = Finding::new(part, "memory-taken-out", Severity::Info, Weight::Doubt, summary);
    Some(finding.seen("KiB", kib).so("look at the counts of the modules and the kernel's log for the module"))
}

/// Findings about memory that is worse than `then`, the window ago.
pub(super) fn memory_grown(now: &Memory, then: &Memory) -> Vec<Finding> {
    let grown = now.taken_out_kib.zip(then.taken_out_kib).filter(|(now, then)| now > then && *then > 0);
    let found = |(now, then): (u64, u64)| {
        let part = Part { kind: "memory", ..Part::default() };
        let summary = format!("the kernel goes on taking damaged memory out of use: more within {WINDOW_DAYS} days");
        let finding = Finding::new(part, "memory-taken-out", Severity::Warning, Weight::Failing, summary);
        finding
            .seen("KiB then", then)
            .seen("KiB now", now)
            .so("find the module by its counts or the kernel's log, and replace it")
    };
    grown.map(found).into_iter().chain(missing(now, then)).chain(shrunk(now, then)).collect()
}

/// Modules that were there and are not, or are smaller.
fn missing<'a>(now: &'a Memory, then: &'a Memory) -> impl Iterator<Item = Finding> + 'a {
    let found = |before: &Fitted| {
        let is = now.fitted.iter().find(|fitted| fitted.place == before.place).map_or(0, |fitted| fitted.mib);
        // Where the driver shows nothing at all it may not have been loaded.
        if before.mib == 0 || is >= before.mib || now.fitted.is_empty() {
            return None;
        }
        let slot = if before.label.is_empty() { &before.place } else { &before.label };
        let part = Part { kind: "memory", slot: slot.clone(), ..Part::default() };
        let summary = "a memory module is not seen any more, or smaller than it was";
        let finding = Finding::new(part, "memory-missing", Severity::Warning, Weight::Failing, summary);
        Some(finding.seen("MiB then", before.mib).seen("MiB now", is).so(RESEAT))
    };
    then.fitted.iter().filter_map(found)
}

/// The machine has less memory than it had.
fn shrunk(now: &Memory, then: &Memory) -> Option<Finding> {
    let (is, was) = now.total_kib.zip(then.total_kib)?;
    let lost = was.saturating_sub(is);
    if lost < LOST_KIB || lost < was / LOST_SHARE {
        return None;
    }
    let part = Part { kind: "memory", ..Part::default() };
    let summary = "the machine has less memory than it had";
    let finding = Finding::new(part, "memory-missing", Severity::Warning, Weight::Failing, summary);
    Some(finding.seen("KiB then", was).seen("KiB now", is).so(RESEAT))
}

/// Findings about supplies and batteries.
pub(super) fn power(power: &Power) -> Vec<Finding> {
    power.supply.iter().flat_map(supply).chain(power.batteries.iter().filter_map(battery)).collect()
}

fn supply(supply: &Supply) -> Vec<Finding> {
    let has = |words: &[&str]| supply.status.iter().any(|word| words.contains(&word.as_str()));
    let status = supply.status.join(" ");
    let part = || {
        let (model, serial) = (supply.model.clone(), supply.serial.clone());
        Part { kind: "ups", model, serial, ..Part::default() }
    };
    let mut findings = Vec::new();
    let mut add = |is, rule, severity, weight, summary: &str, action| {
        if is {
            findings.push(Finding::new(part(), rule, severity, weight, summary).seen("status", &status).so(action));
        }
    };
    let test = supply.self_test.to_ascii_lowercase();
    let (replace, shed) = ("replace its battery", "shut down what can wait");
    add(
        has(&["RB", "REPLACEBATT"]),
        "ups-replace-battery",
        Severity::Warning,
        Weight::Failing,
        "it asks for another battery",
        replace,
    );
    let failed = matches!(test.as_str(), "ng" | "bt") || test.contains("fail");
    add(failed, "ups-self-test", Severity::Warning, Weight::Failing, "its test of itself failed", replace);
    add(
        has(&["LB", "LOWBATT"]),
        "ups-low-battery",
        Severity::Critical,
        Weight::Failing,
        "its battery is nearly empty",
        shed,
    );
    add(
        has(&["OB", "ONBATT"]),
        "ups-on-battery",
        Severity::Info,
        Weight::Doubt,
        "the mains are gone, not the supply",
        shed,
    );
    let over = has(&["OVER", "OVERLOAD"]) || supply.load_percent.is_some_and(|percent| percent > LOAD_PERCENT);
    add(over, "ups-overload", Severity::Warning, Weight::Failing, "it feeds more than it can", "move load elsewhere");
    add(
        has(&["COMMLOST"]),
        "ups-silent",
        Severity::Info,
        Weight::Doubt,
        "nobody hears the supply",
        "look at its cable",
    );
    findings
}

fn battery(battery: &Battery) -> Option<Finding> {
    let part = Part {
        kind: "battery",
        name: battery.name.clone(),
        model: battery.model.clone(),
        serial: battery.serial.clone(),
        ..Part::default()
    };
    let replace = "replace the battery";
    if !battery.health.is_empty() {
        let summary = "the battery says that it is not well";
        let finding = Finding::new(part, "battery-health", Severity::Warning, Weight::Failing, summary);
        return Some(finding.seen("health", &battery.health).so(replace));
    }
    let ratio = battery.health_ratio().filter(|ratio| *ratio < BATTERY_MOST)?;
    let (severity, weight, summary, action) = match ratio {
        _ if ratio < BATTERY_SPENT => {
            (Severity::Warning, Weight::Failing, "it is spent: it may fail at any time", replace)
        }
        _ if ratio < BATTERY_REPLACE => (Severity::Warning, Weight::Failing, "it is worn", replace),
        _ if ratio < BATTERY_WORN => (Severity::Info, Weight::Told, "it is somewhat worn", ""),
        _ => return None,
    };
    let finding = Finding::new(part, "battery-worn", severity, weight, summary);
    Some(
        finding
            .against(
                "full charge of design",
                format!("{:.0} %", ratio * 100.0),
                format!("{:.0} %", BATTERY_REPLACE * 100.0),
            )
            .so(action),
    )
}

/// Findings about GPUs.
pub(super) fn gpus(gpus: &[Gpu]) -> Vec<Finding> {
    gpus.iter().filter_map(gpu).collect()
}

fn gpu_part(gpu: &Gpu) -> Part {
    let Gpu { address: name, model, serial, .. } = gpu.clone();
    Part { kind: "gpu", name, model, serial, ..Part::default() }
}

fn gpu(gpu: &Gpu) -> Option<Finding> {
    let part = gpu_part(gpu);
    let reset = "reset the GPU when nothing runs on it; it is not to be sent back yet";
    let (rule, severity, weight, summary, action) = match () {
        () if gpu.remap_failed => (
            "gpu-remap-failed",
            Severity::Critical,
            Weight::Failed,
            "a bad row of memory could not be replaced",
            "have it replaced",
        ),
        () if gpu.pages_retired >= RETIRED_PAGES => (
            "gpu-pages-retired",
            Severity::Warning,
            Weight::Failing,
            "too many pages of its memory are retired",
            "have it replaced",
        ),
        () if gpu.remap_pending || gpu.retirement_pending => (
            "gpu-remap-pending",
            Severity::Warning,
            Weight::Failing,
            "a bad piece of memory waits to be replaced",
            reset,
        ),
        () if gpu.uncorrected > 0 => (
            "gpu-uncorrected",
            Severity::Warning,
            Weight::Failing,
            "its memory lost data",
            "reset it; if it comes back, have it replaced",
        ),
        () if gpu.rows_uncorrectable.is_some_and(|rows| rows > 0) => (
            "gpu-rows-remapped",
            Severity::Info,
            Weight::Doubt,
            "bad rows of memory were replaced; that is what spare rows are for",
            "",
        ),
        () => return None,
    };
    let finding = Finding::new(part, rule, severity, weight, summary).so(action);
    Some(
        finding
            .seen("rows replaced after uncorrectable errors", gpu.rows_uncorrectable.unwrap_or(0))
            .against("pages retired", gpu.pages_retired, RETIRED_PAGES)
            .seen("uncorrected errors", gpu.uncorrected),
    )
}

/// Findings about GPUs that are worse than `then`, the window ago.
pub(super) fn gpus_grown(now: &[Gpu], then: &[Gpu]) -> Vec<Finding> {
    let found = |gpu: &Gpu| {
        let is_it = |known: &&Gpu| known.address == gpu.address && known.serial == gpu.serial;
        let before = then.iter().find(is_it)?.corrected;
        let grown = since(gpu.corrected, before);
        if grown < GPU_CORRECTED {
            return None;
        }
        let summary = format!("errors of its memory were corrected within {WINDOW_DAYS} days");
        let finding = Finding::new(gpu_part(gpu), "gpu-corrected-growing", Severity::Warning, Weight::Failing, summary);
        Some(finding.against("corrected errors", grown, GPU_CORRECTED).so("watch it; if it goes on, have it replaced"))
    };
    now.iter().filter_map(found).collect()
}
