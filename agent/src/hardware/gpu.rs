//! GPUs: what NVIDIA's say of their memory, through `nvidia-smi`, and AMD's in files of their driver.
//!
//! NVIDIA's library (NVML) cannot be asked: this program is static and loads none. Of what nvidia-smi says only what a GPU is
//! and how its memory is goes on: programs that run on it are nobody's business here. A GPU that sleeps is not woken.

use super::text::Text;
use super::tool::{Question, ask};
use super::{Found, Look, Outcome, Why};
use crate::host::Host;

/// `nvidia-smi -q -x`, cut to what matters.
const NVIDIA: &str = "gpu";
/// Files of sysfs, one `path:value` a line.
const AMD: &str = "amd-ras";
/// It may have to load the driver first, and asks eight GPUs one after the other.
const DEADLINE_MS: u64 = if cfg!(test) { 1_000 } else { 60_000 };
/// NVIDIA's number (PCI-SIG), and the base class of display controllers.
const VENDOR: &str = "0x10de";
const DISPLAY: &str = "0x03";
/// GPUs, and files of one.
const CARDS_MAX: usize = 64;
const FILES_MAX: usize = 64;
/// Elements that go on as they are, and those that go on with all that is in them.
const SAID: [&str; 8] =
    ["nvidia_smi_log", "driver_version", "product_name", "serial", "uuid", "vbios_version", "gpu", "ecc_mode"];
const SECTIONS: [&str; 3] = ["ecc_errors", "retired_pages", "remapped_rows"];

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let mut found: Vec<Found> = nvidia(look).into_iter().collect();
    found.extend(amd(look.host));
    found
}

fn nvidia(look: &mut Look<'_>) -> Option<Found> {
    let host = look.host;
    const DEVICES: &str = "/sys/bus/pci/devices";
    let of = |name: &str, file: &str| host.read_text(&format!("{DEVICES}/{name}/{file}")).unwrap_or_default();
    let is_one = |name: &String| of(name, "vendor") == VENDOR && of(name, "class").starts_with(DISPLAY);
    let cards: Vec<String> = host.list(DEVICES).unwrap_or_default().into_iter().filter(is_one).collect();
    let count = cards.len();
    if count == 0 {
        return None;
    }
    if host.tool("nvidia-smi").is_none() {
        let reason = format!("nvidia-smi is not installed: nothing is known of the memory of {count} NVIDIA GPUs");
        return Some(Found::unseen(NVIDIA, "", Why::NotInstalled, reason));
    }
    if cards.iter().any(|card| of(card, "power/runtime_status") == "suspended") {
        return Some(Found::unseen(NVIDIA, "", Why::Asleep, "the kernel has suspended a GPU, which asking would wake"));
    }
    let question =
        Question { source: NVIDIA, part: "", tool: "nvidia-smi", arguments: &["-q", "-x"], deadline_ms: DEADLINE_MS };
    let found = ask(look, &question);
    Some(match found.outcome {
        Outcome::Read { payload, note, .. } => {
            Found::read(NVIDIA, "", of_memory(&String::from_utf8_lossy(&payload)).into_bytes(), note)
        }
        _ => found,
    })
}

/// Of the document what says who the GPUs are and how their memory is, line by line as it is written.
fn of_memory(document: &str) -> String {
    let mut kept = String::new();
    let mut section: Option<&str> = None;
    for line in document.lines() {
        let Some(tag) = line.trim().strip_prefix('<').and_then(|rest| rest.split(['>', ' ']).next()) else { continue };
        let name = tag.trim_start_matches('/');
        if section.is_none() {
            section = SECTIONS.iter().find(|known| **known == tag).copied();
        }
        if section.is_some() || SAID.contains(&name) {
            kept.push_str(line);
            kept.push('\n');
        }
        if section.is_some_and(|section| tag.strip_prefix('/') == Some(section)) {
            section = None;
        }
    }
    kept
}

/// Counters of a GPU's blocks (Documentation/gpu/amdgpu/ras.rst), where it has them.
fn amd(host: &Host) -> Vec<Found> {
    const CARDS: &str = "/sys/class/drm";
    // card0 is a GPU, card0-DP-1 a plug of it.
    let is_card =
        |name: &&String| name.strip_prefix("card").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let names = host.list(CARDS).unwrap_or_default();
    let card = |name: &String| {
        let directory = format!("{CARDS}/{name}/device");
        let files = host.list(&format!("{directory}/ras")).unwrap_or_default();
        let counters: Vec<&str> =
            files.iter().map(String::as_str).filter(|file| file.ends_with("_err_count")).take(FILES_MAX).collect();
        if counters.is_empty() {
            return None;
        }
        let mut text = Text::of(host);
        text.values(&directory, &["vendor", "device", "unique_id", "product_name", "serial_number"]);
        text.values(&format!("{directory}/ras"), &counters);
        text.found(AMD, name)
    };
    names.iter().filter(is_card).take(CARDS_MAX).filter_map(card).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    /// Cut from the order in which nvidia-smi writes.
    const DOCUMENT: &str = "<?xml version=\"1.0\" ?>\n<nvidia_smi_log>\n\t<timestamp>now</timestamp>\n\
        \t<gpu id=\"00000000:3B:00.0\">\n\t\t<product_name>Made Up G1</product_name>\n\t\t<ecc_errors>\n\t\t\t<volatile>\n\
        \t\t\t\t<dram_uncorrectable>0</dram_uncorrectable>\n\t\t\t</volatile>\n\t\t</ecc_errors>\n\t\t<remapped_rows>\n\
        \t\t\t<remapped_row_pending>No</remapped_row_pending>\n\t\t</remapped_rows>\n\t\t<processes>\n\
        \t\t\t<process_info>\n\t\t\t\t<process_name>secret</process_name>\n\t\t\t</process_info>\n\t\t</processes>\n\
        \t</gpu>\n</nvidia_smi_log>\n";

    fn card(machine: &Machine, status: &str) {
        let card = "sys/bus/pci/devices/0000:3b:00.0";
        machine.file(&format!("{card}/vendor"), "0x10de\n");
        machine.file(&format!("{card}/class"), "0x030200\n");
        machine.file(&format!("{card}/power/runtime_status"), status);
    }

    fn why(found: &[Found]) -> Vec<&str> {
        let why = |found: &Found| match &found.outcome {
            Outcome::Unseen { why, .. } => why.word(),
            _ => "read",
        };
        found.iter().map(why).collect()
    }

    #[test]
    fn a_gpu_says_how_its_memory_is_and_nothing_of_who_uses_it() {
        let mut machine = Machine::new();
        machine.tool("nvidia-smi", &format!("cat <<'END'\n{DOCUMENT}END"));
        assert_eq!(machine.look("gpus", 0), [], "no GPU");
        card(&machine, "active\n");
        let found = machine.look("gpus", 0);
        let Outcome::Read { payload, .. } = &found[0].outcome else { panic!("{found:?}") };
        let said = String::from_utf8_lossy(payload);
        let expected = DOCUMENT
            .lines()
            .filter(|line| !["xml", "timestamp", "process"].iter().any(|word| line.contains(word)))
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        assert_eq!(said, expected);
        assert_eq!(machine.asked(), ["nvidia-smi -q -x"]);
    }

    #[test]
    fn a_gpu_that_sleeps_is_not_woken_and_one_without_the_tool_is_told() {
        let mut machine = Machine::new();
        card(&machine, "suspended\n");
        assert_eq!(why(&machine.look("gpus", 0)), ["not_installed"]);
        machine.tool("nvidia-smi", "echo never");
        assert_eq!(why(&machine.look("gpus", 0)), ["asleep"]);
        assert_eq!(machine.asked(), [] as [String; 0]);
    }

    #[test]
    fn what_blocks_of_amds_gpus_count_is_told_of_each_card() {
        let mut machine = Machine::new();
        let device = "sys/class/drm/card1/device";
        machine.file(&format!("{device}/vendor"), "0x1002\n");
        machine.file(&format!("{device}/ras/umc_err_count"), "ue: 0\nce: 3\n");
        machine.file(&format!("{device}/ras/features"), "feature mask: 0x1\n");
        machine.file("sys/class/drm/card1-DP-1/status", "connected\n");
        machine.file("sys/class/drm/card0/device/vendor", "0x8086\n");
        let found = machine.look("gpus", 0);
        let Outcome::Read { payload, .. } = &found[0].outcome else { panic!("{found:?}") };
        let expected =
            format!("/{device}/vendor:0x1002\n/{device}/ras/umc_err_count:ue: 0\n/{device}/ras/umc_err_count:ce: 3\n");
        assert_eq!(
            (found.len(), found[0].part.as_str(), String::from_utf8_lossy(payload).into_owned()),
            (1, "card1", expected)
        );
    }
}
