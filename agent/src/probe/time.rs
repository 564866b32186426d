//! The time, where it comes from and how good it is.

use super::decimal::Decimal;
use super::{Kind, ProbeError, Sink, zone};
use crate::host::{Host, Timex};

/// TIME_ERROR and STA_NANO of include/uapi/linux/timex.h.
const TIME_ERROR: i32 = 5;
const STA_NANO: i32 = 0x2000;
const MICROSECONDS: f64 = 1e6;
const NANOSECONDS: f64 = 1e9;
/// Frequencies are parts per million scaled by 2^16, adjtimex(2).
const SCALED_PPM: f64 = 1e6 * 65536.0;

pub(super) fn time(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into 53 bits")]
    let seconds = sink.now().wall_ms as f64 / 1000.0;
    sink.single("node_time_seconds", Kind::Gauge, "System time in seconds since epoch (1970).", seconds);
    say_zone(host, sink);
    for device in 0_u32.. {
        let number = Decimal::of(device);
        let file =
            |name: &str| host.fact(&["/sys/devices/system/clocksource/clocksource", number.text(), name].concat());
        let (Some(available), Some(current)) = (file("/available_clocksource"), file("/current_clocksource")) else {
            break;
        };
        let help = "Available clocksources read from '/sys/devices/system/clocksource'.";
        sink.family("node_time_clocksource_available_info", Kind::Gauge, help);
        for clocksource in available.split_ascii_whitespace() {
            sink.sample(&[("device", number.text()), ("clocksource", clocksource)], 1.0);
        }
        let help = "Current clocksource read from '/sys/devices/system/clocksource'.";
        sink.family("node_time_clocksource_current_info", Kind::Gauge, help);
        sink.sample(&[("device", number.text()), ("clocksource", &current)], 1.0);
    }
    Ok(())
}

/// The time zone of `/etc/localtime`; without that file it is UTC (tzset(3)), unless the capture just lacks it.
fn say_zone(host: &Host, sink: &mut Sink<'_>) {
    let at_s = sink.now().wall_ms.div_euclid(1000);
    let help = "System time zone offset in seconds.";
    let said = sink.read_bytes(host, "/etc/localtime", |sink, file| {
        if let Some((name, offset_s)) = zone::at(file, at_s) {
            sink.family("node_time_zone_offset_seconds", Kind::Gauge, help);
            sink.sample(&[("time_zone", name)], f64::from(offset_s));
        }
        Ok(())
    });
    if said.is_err() && host.is_live() {
        sink.family("node_time_zone_offset_seconds", Kind::Gauge, help);
        sink.sample(&[("time_zone", "UTC")], 0.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown as doubles, as Prometheus does")]
pub(super) fn timex(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let timex = host.adjtimex()?;
    let Timex { status, shift, tai, .. } = timex;
    let unit = if status & STA_NANO == 0 { MICROSECONDS } else { NANOSECONDS };
    let synchronised = if timex.state == TIME_ERROR { 0.0 } else { 1.0 };
    let gauges = [
        ("offset_seconds", timex.offset as f64 / unit, "Time offset in between local system and reference clock."),
        ("frequency_adjustment_ratio", 1.0 + timex.freq as f64 / SCALED_PPM, "Local clock frequency adjustment."),
        ("maxerror_seconds", timex.maxerror as f64 / MICROSECONDS, "Maximum error in seconds."),
        ("estimated_error_seconds", timex.esterror as f64 / MICROSECONDS, "Estimated error in seconds."),
        ("status", f64::from(status), "Value of the status array bits."),
        ("loop_time_constant", timex.constant as f64, "Phase-locked loop time constant."),
        ("tick_seconds", timex.tick as f64 / MICROSECONDS, "Seconds between clock ticks."),
        ("pps_frequency_hertz", timex.ppsfreq as f64 / SCALED_PPM, "Pulse per second frequency."),
        ("pps_jitter_seconds", timex.jitter as f64 / unit, "Pulse per second jitter."),
        ("pps_shift_seconds", f64::from(shift), "Pulse per second interval duration."),
        (
            "pps_stability_hertz",
            timex.stabil as f64 / SCALED_PPM,
            "Pulse per second stability, average of recent frequency changes.",
        ),
        ("tai_offset_seconds", f64::from(tai), "International Atomic Time (TAI) offset."),
        ("sync_status", synchronised, "Is clock synchronized to a reliable server (1 = yes, 0 = no)."),
    ];
    let counters = [
        ("pps_jitter_total", timex.jitcnt as f64, "Pulse per second count of jitter limit exceeded events."),
        ("pps_calibration_total", timex.calcnt as f64, "Pulse per second count of calibration intervals."),
        ("pps_error_total", timex.errcnt as f64, "Pulse per second count of calibration errors."),
        (
            "pps_stability_exceeded_total",
            timex.stbcnt as f64,
            "Pulse per second count of stability limit exceeded events.",
        ),
    ];
    for (kind, families) in [(Kind::Gauge, &gauges[..]), (Kind::Counter, &counters[..])] {
        for (family, value, help) in families {
            sink.spelled(&["node_timex_", family], kind, &[help]);
            sink.sample(&[], *value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, is_absent, said};
    use super::*;

    #[test]
    fn clock_discipline_is_said_in_seconds_whatever_the_kernel_counts_in() {
        let captured = r#"{"state":0,"status":8193,"offset":1500000,"freq":-6553600,"maxerror":500000,"esterror":250,
            "constant":7,"tick":10000,"ppsfreq":65536000000,"jitter":2000,"shift":3,"stabil":0,"jitcnt":4,"calcnt":5,
            "errcnt":6,"stbcnt":7,"tai":37}"#;
        assert_eq!(
            said(timex, &[(".muster/adjtimex.json", captured)]),
            [
                "node_timex_offset_seconds 0.0015",
                "node_timex_frequency_adjustment_ratio 0.9999",
                "node_timex_maxerror_seconds 0.5",
                "node_timex_estimated_error_seconds 0.00025",
                "node_timex_status 8193",
                "node_timex_loop_time_constant 7",
                "node_timex_tick_seconds 0.01",
                "node_timex_pps_frequency_hertz 1",
                "node_timex_pps_jitter_seconds 0.000002",
                "node_timex_pps_shift_seconds 3",
                "node_timex_pps_stability_hertz 0",
                "node_timex_tai_offset_seconds 37",
                "node_timex_sync_status 1",
                "node_timex_pps_jitter_total 4",
                "node_timex_pps_calibration_total 5",
                "node_timex_pps_error_total 6",
                "node_timex_pps_stability_exceeded_total 7",
            ]
        );
        let micro = said(timex, &[(".muster/adjtimex.json", r#"{"state":5,"status":64,"offset":1500000}"#)]);
        assert_eq!((&*micro[0], &*micro[12]), ("node_timex_offset_seconds 1.5", "node_timex_sync_status 0"));
    }

    #[test]
    fn a_capture_without_it_has_none_and_a_broken_one_fails() {
        assert!(is_absent(timex, &[]));
        assert!(failure(timex, &[(".muster/adjtimex.json", "{]")]).contains("adjtimex.json"));
    }

    #[test]
    fn every_clocksource_device_is_said() {
        let file = |device: u32, name: &str| format!("sys/devices/system/clocksource/clocksource{device}/{name}");
        let (available, current) = (file(0, "available_clocksource"), file(0, "current_clocksource"));
        let (other, others) = (file(1, "current_clocksource"), file(1, "available_clocksource"));
        let files = [(&*available, "tsc hpet \n"), (&*current, "hpet\n"), (&*others, "x\n"), (&*other, "x\n")];
        assert_eq!(
            said(time, &files)[1..],
            [
                r#"node_time_clocksource_available_info{device="0",clocksource="tsc"} 1"#,
                r#"node_time_clocksource_available_info{device="0",clocksource="hpet"} 1"#,
                r#"node_time_clocksource_current_info{device="0",clocksource="hpet"} 1"#,
                r#"node_time_clocksource_available_info{device="1",clocksource="x"} 1"#,
                r#"node_time_clocksource_current_info{device="1",clocksource="x"} 1"#,
            ]
        );
    }
}
