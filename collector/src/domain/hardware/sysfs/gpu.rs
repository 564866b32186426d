//! `/sys/class/drm/card*/device/ras/`: what blocks of AMD's GPUs count since the driver was loaded
//! (Documentation/gpu/amdgpu/ras.rst): `ue: 0` errors that were not corrected, `ce: 0` those that were.

use super::lines;
use crate::domain::hardware::{
    gpu::Gpu,
    text::{digits, pair, short},
};

const IDENTITY: [&str; 5] = ["vendor", "device", "unique_id", "product_name", "serial_number"];
/// The blocks (drivers/gpu/drm/amd/amdgpu/amdgpu_ras.c).
const BLOCKS: [&str; 20] = [
    "umc_err_count",
    "sdma_err_count",
    "gfx_err_count",
    "mmhub_err_count",
    "athub_err_count",
    "pcie_bif_err_count",
    "hdp_err_count",
    "xgmi_wafl_err_count",
    "df_err_count",
    "smn_err_count",
    "sem_err_count",
    "mp0_err_count",
    "mp1_err_count",
    "fuse_err_count",
    "mca_err_count",
    "vcn_err_count",
    "jpeg_err_count",
    "ih_err_count",
    "mpio_err_count",
    "mmsch_err_count",
];
/// Most GPUs of a machine.
const GPUS: usize = 64;

/// The GPUs in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Vec<Gpu> {
    let names: Vec<&'static str> = IDENTITY.into_iter().chain(BLOCKS).collect();
    let mut found: Vec<Gpu> = Vec::new();
    for line in lines(text, &names) {
        let device = line.directory.strip_suffix("/ras").unwrap_or(line.directory);
        let card = device.strip_suffix("/device").unwrap_or(device).rsplit('/').next().unwrap_or_default();
        if found.last().is_none_or(|known| known.address != card) {
            if found.len() == GPUS {
                break;
            }
            found.push(Gpu { address: short(card), ..Gpu::default() });
        }
        let Some(gpu) = found.last_mut() else { continue };
        match line.name {
            "vendor" if gpu.model.is_empty() => gpu.model = short(line.value.trim_start_matches("0x")),
            "device" if !gpu.model.contains(':') => {
                gpu.model = format!("{}:{}", gpu.model, short(line.value.trim_start_matches("0x")));
            }
            "product_name" if !line.value.is_empty() => gpu.model = short(line.value),
            "unique_id" if gpu.serial.is_empty() => gpu.serial = short(line.value),
            "serial_number" if !line.value.is_empty() => gpu.serial = short(line.value),
            _ => match pair(line.value) {
                Some(("ue", count)) => {
                    gpu.uncorrected = gpu.uncorrected.saturating_add(digits(count).unwrap_or(0));
                    gpu.is_readable = true;
                }
                Some(("ce", count)) => gpu.corrected = gpu.corrected.saturating_add(digits(count).unwrap_or(0)),
                _ => {}
            },
        }
    }
    found
}
