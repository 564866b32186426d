//! `nvidia-smi -q`, for people and as XML: what a GPU counts of its memory's errors.

use super::text::{number, short};

/// Most GPUs of a machine.
const GPUS: usize = 64;

/// One GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpu {
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// PCI address.
    pub address: String,
    /// Rows that were replaced because of errors that could not be corrected.
    pub rows_uncorrectable: Option<u64>,
    /// A replacement waits for a reset.
    pub remap_pending: bool,
    /// A row could not be replaced.
    pub remap_failed: bool,
    /// Pages that were retired.
    pub pages_retired: u64,
    /// A page waits to be retired.
    pub retirement_pending: bool,
    /// Errors since the driver was loaded that were not corrected.
    pub uncorrected: u64,
    /// Errors since the driver was loaded that were corrected.
    pub corrected: u64,
    /// It counts at all.
    pub is_readable: bool,
}

/// The GPUs in a text of either form.
pub(super) fn read(text: &str) -> Vec<Gpu> {
    let mut found: Vec<Gpu> = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        let (key, value) = match element(line) {
            Some(pair) => pair,
            None => match line.split_once(" : ") {
                Some((key, value)) => {
                    (key.trim().to_ascii_lowercase().replace([' ', '-'], "_"), value.trim().to_owned())
                }
                None => (heading(line), String::new()),
            },
        };
        if key == "gpu" || key.starts_with("gpu_0") || key == "gpu_id" {
            found.push(Gpu { address: short(value.as_str()), ..Gpu::default() });
            section.clear();
        }
        if value.is_empty() {
            if !key.is_empty() && !key.starts_with('/') {
                section = key;
            }
            continue;
        }
        if found.is_empty() {
            found.push(Gpu::default());
        }
        if let Some(gpu) = found.last_mut() {
            take(gpu, &section, &key, &value);
        }
    }
    found.truncate(GPUS);
    found
}

/// `<tag>value</tag>`, `<tag>`; the tag in lower case.
fn element(line: &str) -> Option<(String, String)> {
    let rest = line.trim().strip_prefix('<')?;
    let (tag, rest) = rest.split_once('>')?;
    let value = rest.split_once("</").map_or("", |(value, _)| value).trim();
    let name = tag.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let value = match tag.split_once("id=\"") {
        Some((_, id)) if name == "gpu" => id.trim_end_matches('"').to_owned(),
        _ => value.to_owned(),
    };
    Some((name, value))
}

/// A line without a value heads a section: `    Remapped Rows`.
fn heading(line: &str) -> String {
    line.trim().to_ascii_lowercase().replace([' ', '-', ':', '.'], "_")
}

fn take(gpu: &mut Gpu, section: &str, key: &str, value: &str) {
    let is_yes = value.eq_ignore_ascii_case("yes");
    match key {
        "product_name" => gpu.model = short(value),
        "serial_number" | "serial" => gpu.serial = short(value),
        "remapped_row_unc" => gpu.rows_uncorrectable = number(value),
        "uncorrectable_error" if section.starts_with("remapped_rows") => gpu.rows_uncorrectable = number(value),
        "remapped_row_pending" => gpu.remap_pending |= is_yes,
        "pending" if section.starts_with("remapped_rows") => gpu.remap_pending |= is_yes,
        "remapped_row_failure" | "remapping_failure_occurred" => gpu.remap_failed |= is_yes,
        "pending_retirement" | "pending_page_blacklist" | "pending_blacklist" => gpu.retirement_pending |= is_yes,
        "retired_count" | "single_bit_ecc" | "double_bit_ecc"
            if !section.contains("aggregate") && !section.contains("volatile") =>
        {
            gpu.pages_retired = gpu.pages_retired.saturating_add(number(value).unwrap_or(0));
        }
        "dram_uncorrectable" | "sram_uncorrectable" | "double_bit_total" if section.contains("volatile") => {
            gpu.uncorrected = gpu.uncorrected.max(number(value).unwrap_or(0));
        }
        _ => return,
    }
    gpu.is_readable = true;
}

/// Whether a text is of these.
pub(super) fn is_one(text: &str) -> bool {
    ["<nvidia_smi_log>", "NVSMI LOG", "Remapped Rows", "<remapped_rows>"].iter().any(|part| text.contains(part))
}
