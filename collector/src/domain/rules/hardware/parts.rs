//! Memory modules, power, GPUs and network interfaces: few rules each.

use super::{
    finding::{Finding, Part, Weight},
    kernel_log::MEMORY_CORRECTED,
};
use crate::domain::{
    event::Severity,
    hardware::{
        gpu::Gpu,
        memory::Memory,
        nic::Nic,
        power::{Battery, Power, Supply},
    },
};

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
/// Damaged frames among those received that blame the cable, 0-1 (node_exporter's mixin: 1 %).
const DAMAGED_FRAMES: f64 = 0.01;

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
    findings.collect()
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

fn gpu(gpu: &Gpu) -> Option<Finding> {
    let part = Part {
        kind: "gpu",
        name: gpu.address.clone(),
        model: gpu.model.clone(),
        serial: gpu.serial.clone(),
        ..Part::default()
    };
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

/// Findings about network interfaces.
pub(super) fn nic(nic: &Nic) -> Vec<Finding> {
    let mut findings = Vec::new();
    let part = |kind| {
        let (model, serial) = nic.module.clone();
        Part { kind, name: nic.name.clone(), model, serial, ..Part::default() }
    };
    for alarm in &nic.alarms {
        // No light comes from a fibre that is unplugged or dirty, or from the other end; the module is not to blame.
        let is_dark = alarm.to_ascii_lowercase().contains("rx power low");
        let (severity, weight, summary, action) = if is_dark {
            (
                Severity::Info,
                Weight::Doubt,
                "no or too little light arrives",
                "look at the fibre and the other end, clean both",
            )
        } else {
            (Severity::Warning, Weight::Failing, "the optical module raises an alarm", "replace the module")
        };
        findings.push(
            Finding::new(part("module"), "module-alarm", severity, weight, summary).seen("alarm", alarm).so(action),
        );
    }
    if nic.damaged > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a share of packets")]
        let share = nic.damaged as f64 / nic.received.unwrap_or(0).max(1) as f64;
        let (severity, weight) =
            if share > DAMAGED_FRAMES { (Severity::Warning, Weight::Failing) } else { (Severity::Info, Weight::Told) };
        let finding = Finding::new(part("link"), "nic-damaged-frames", severity, weight, "frames arrive damaged");
        findings
            .push(finding.against("damaged frames", nic.damaged, "1 % of those received").so("replace cable or optic"));
    }
    let down = nic.members.iter().filter(|(_, is_up)| !is_up);
    for (name, _) in down.clone() {
        let is_all = down.clone().count() == nic.members.len();
        let (severity, weight) =
            if is_all { (Severity::Critical, Weight::Failed) } else { (Severity::Warning, Weight::Failing) };
        let part = Part { kind: "link", name: name.clone(), ..Part::default() };
        let summary = "a member of the bond has no link";
        findings.push(
            Finding::new(part, "bond-member-down", severity, weight, summary)
                .seen("link", "down")
                .so("look at cable and switch port"),
        );
    }
    findings
}
