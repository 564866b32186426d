//! Interrupts per CPU and source, from `/proc/interrupts`. Dear: the kernel formats the whole matrix.

use super::decimal::Decimal;
use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Beyond this many counters those that are zero are left out: on a machine with hundreds of CPUs nearly all are.
const ZEROS_BELOW: usize = 2000;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/interrupts";
    sink.read(host, PATH, |sink, text| {
        let mut lines = text.lines();
        let heading = lines.next().ok_or_else(|| strange(PATH, "is empty"))?;
        // The heading names the CPUs that are online, `CPU0 CPU2`; `node_exporter` counts them from 0.
        let cpus = heading.split_ascii_whitespace().count();
        let zeros = cpus.saturating_mul(text.lines().count()) <= ZEROS_BELOW;
        sink.family("node_interrupts_total", Kind::Counter, "Interrupt details.");
        for line in lines {
            say(sink, line, cpus, zeros)?;
        }
        Ok(())
    })
}

fn say(sink: &mut Sink<'_>, line: &str, cpus: usize, zeros: bool) -> Result<(), ProbeError> {
    let Some((name, fields)) = line.split_once(':') else { return Ok(()) };
    let name = name.trim_start_matches(' ');
    let Some((counts, about)) = split_after(fields, cpus) else { return Ok(()) };
    let (info, devices) = describe(name, about);
    for (cpu, count) in (0_u32..).zip(counts.split_ascii_whitespace()) {
        let count = parse_number(count).ok_or_else(|| strange("/proc/interrupts", "a count that is no number"))?;
        if zeros || count > 0.0 {
            let cpu = Decimal::of(cpu);
            let labels = [("cpu", cpu.text()), ("type", name), ("info", &*info), ("devices", &*devices)];
            sink.sample(&labels, count);
        }
    }
    Ok(())
}

/// The first `count` fields and what follows them; `None` where nothing follows (`ERR` and `MIS` have one count).
fn split_after(fields: &str, count: usize) -> Option<(&str, &str)> {
    let after = fields.split_ascii_whitespace().nth(count)?;
    // Both are parts of the same text.
    Some(fields.split_at(after.as_ptr().addr() - fields.as_ptr().addr()))
}

/// What kind of interrupt it is, and whose: a numbered one has its controller first.
fn describe<'a>(name: &str, about: &'a str) -> (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>) {
    if name.parse::<i64>().is_err() {
        return (single_spaced(about), "".into());
    }
    match about.split_once(|separator: char| separator.is_ascii_whitespace()) {
        Some((info, devices)) => (info.into(), single_spaced(devices)),
        None => (about.into(), "".into()),
    }
}

/// Words with one space between them: the kernel fills columns.
fn single_spaced(text: &str) -> std::borrow::Cow<'_, str> {
    let text = text.trim_ascii();
    if text.contains("  ") || text.contains('\t') {
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, said};
    use super::*;

    const PATH: &str = "proc/interrupts";

    #[test]
    fn numbered_and_named_interrupts_are_told_apart() {
        let text = "            CPU0       CPU1       \n   4:          7          0   IO-APIC   4-edge      ttyS0\n\
                    LOC:         10         20   Local timer interrupts\nERR:          3\nMIS:          0\n\
                    IPI0:        1          2       Rescheduling interrupts\nnothing\n";
        assert_eq!(
            said(read, &[(PATH, text)]),
            [
                r#"node_interrupts_total{cpu="0",type="4",info="IO-APIC",devices="4-edge ttyS0"} 7"#,
                r#"node_interrupts_total{cpu="1",type="4",info="IO-APIC",devices="4-edge ttyS0"} 0"#,
                r#"node_interrupts_total{cpu="0",type="LOC",info="Local timer interrupts",devices=""} 10"#,
                r#"node_interrupts_total{cpu="1",type="LOC",info="Local timer interrupts",devices=""} 20"#,
                r#"node_interrupts_total{cpu="0",type="IPI0",info="Rescheduling interrupts",devices=""} 1"#,
                r#"node_interrupts_total{cpu="1",type="IPI0",info="Rescheduling interrupts",devices=""} 2"#,
            ]
        );
    }

    #[test]
    fn of_a_large_matrix_zeros_are_left_out() {
        let mut text: String = (0..400).map(|cpu| format!(" CPU{cpu}")).collect::<String>() + "\n";
        for number in 0..20 {
            text += &format!("{number}: {} PCI-MSI eth{number}\n", "0 ".repeat(399) + "5");
        }
        let said = said(read, &[(PATH, &text)]);
        assert_eq!(said.len(), 20);
        assert_eq!(said[0], r#"node_interrupts_total{cpu="399",type="0",info="PCI-MSI",devices="eth0"} 5"#);
    }

    #[test]
    fn what_is_no_count_fails_the_source() {
        assert_eq!(failure(read, &[(PATH, "")]), "/proc/interrupts: is empty");
        let told = failure(read, &[(PATH, " CPU0\n 1: many IO-APIC x\n")]);
        assert_eq!(told, "/proc/interrupts: a count that is no number");
    }
}
