//! Uninterruptible power supplies through the programs that watch them, and the machine's own batteries.
//!
//! What a supply measures moves all the time: only its state, and its charge and load by tens, are news.

use super::found::digest_of;
use super::tool::{Question, ask};
use super::{Found, Look, Outcome, Why};

/// `--kind` of what programs say of supplies, and of the files of batteries.
const UPS: &str = "ups";
const BATTERY: &str = "battery";
const SUPPLIES: &str = "/sys/class/power_supply";
/// Supplies and batteries of one machine.
const SUPPLIES_MAX: usize = 16;
/// Both programs ask a daemon on this machine, which answers out of memory.
const DEADLINE_MS: u64 = if cfg!(test) { 1_000 } else { 5_000 };
/// What is news of a supply: variables of NUT (nut-names.txt), then of apcupsd.
const STATES: [&str; 17] = [
    "ups.status",
    "ups.alarm",
    "ups.test.result",
    "ups.model",
    "ups.serial",
    "device.model",
    "device.serial",
    "battery.date",
    "battery.mfr.date",
    "STATUS",
    "MODEL",
    "SERIALNO",
    "SELFTEST",
    "BATTDATE",
    "LASTXFER",
    "NUMXFERS",
    "XOFFBATT",
];
/// By tens.
const AMOUNTS: [&str; 4] = ["battery.charge", "ups.load", "BCHARGE", "LOADPCT"];
/// What a battery is and holds when full (include/linux/power_supply.h); what it holds now is a reading.
const BATTERY_SAYS: [&str; 14] = [
    "NAME",
    "TYPE",
    "PRESENT",
    "TECHNOLOGY",
    "CYCLE_COUNT",
    "VOLTAGE_MIN_DESIGN",
    "ENERGY_FULL_DESIGN",
    "ENERGY_FULL",
    "CHARGE_FULL_DESIGN",
    "CHARGE_FULL",
    "HEALTH",
    "MANUFACTURER",
    "MODEL_NAME",
    "SERIAL_NUMBER",
];

/// Supplies, through NUT and apcupsd.
pub(super) fn supplies(look: &mut Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if look.host.tool("upsc").is_some() {
        let list = ask(look, &question("", "upsc", &["-l"]));
        match &list.outcome {
            Outcome::Read { payload, .. } => {
                let text = String::from_utf8_lossy(payload).into_owned();
                for name in text.lines().map(str::trim).filter(|name| is_name(name)).take(SUPPLIES_MAX) {
                    found.push(steady(ask(look, &question(name, "upsc", &[name]))));
                }
            }
            _ => found.push(list),
        }
    }
    if look.host.tool("apcaccess").is_some() {
        found.push(steady(ask(look, &question("apcupsd", "apcaccess", &["status"]))));
    }
    if found.is_empty() {
        let reason = "nothing watches an uninterruptible power supply here: neither NUT (upsc) nor apcupsd (apcaccess) \
                      is installed, or NUT knows none";
        found.push(Found::unseen(UPS, "", Why::NotPresent, reason));
    }
    found
}

fn question<'a>(part: &'a str, tool: &'a str, arguments: &'a [&'a str]) -> Question<'a> {
    Question { source: UPS, part, tool, arguments, deadline_ms: DEADLINE_MS }
}

/// A name as NUT allows it, so that nothing else becomes an argument.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && name.chars().all(is_plain)
}

/// With a digest of what is news.
fn steady(mut found: Found) -> Found {
    if let Outcome::Read { payload, note, digest } = &mut found.outcome {
        let text = String::from_utf8_lossy(payload);
        let news = |line: &str| {
            let (key, value) = line.split_once(':')?;
            let (key, value) = (key.trim(), value.trim());
            if STATES.contains(&key) {
                return Some(format!("{key}:{value}\n"));
            }
            let amount: f64 = value.split(' ').next()?.parse().ok().filter(|_| AMOUNTS.contains(&key))?;
            Some(format!("{key}:{:.0}\n", amount / 10.0))
        };
        let news: String = text.lines().filter_map(news).collect();
        *digest = digest_of(&[news.as_bytes(), note.as_bytes()]);
    }
    found
}

/// Batteries of the machine, not those of mice.
pub(super) fn batteries(look: &mut Look<'_>) -> Vec<Found> {
    let names = look.host.list(SUPPLIES).unwrap_or_default();
    let battery = |name: &String| {
        let uevent = look.host.read_text(&format!("{SUPPLIES}/{name}/uevent")).ok()?;
        let says = |what: &str| uevent.lines().any(|line| line == what);
        if !says("POWER_SUPPLY_TYPE=Battery") || says("POWER_SUPPLY_SCOPE=Device") {
            return None;
        }
        let wanted = |line: &&str| {
            let key = line.strip_prefix("POWER_SUPPLY_").and_then(|line| line.split_once('=')).map(|(key, _)| key);
            key.is_some_and(|key| BATTERY_SAYS.contains(&key))
        };
        let said: String = uevent.lines().filter(wanted).map(|line| format!("{line}\n")).collect();
        Some(Found::read(BATTERY, name, said.into_bytes(), String::new()))
    };
    names.iter().take(SUPPLIES_MAX).filter_map(battery).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    fn told(found: &[Found]) -> Vec<String> {
        let how = |found: &Found| match &found.outcome {
            Outcome::Unseen { why, .. } => why.word().to_owned(),
            Outcome::Read { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
            Outcome::Unasked { .. } => "unasked".to_owned(),
        };
        found.iter().map(|found| format!("{} {}: {}", found.source, found.part, how(found))).collect()
    }

    #[test]
    fn every_supply_that_nut_knows_is_asked_and_apcupsds_too() {
        let mut machine = Machine::new();
        assert_eq!(told(&machine.look("supplies", 0)), ["ups : not_present"]);
        machine.tool(
            "upsc",
            "case $1 in -l) echo one; echo ' two'; echo '--help'; echo 'a b';; *) echo \"ups.status: OL $1\";; esac",
        );
        machine.tool("apcaccess", "echo 'STATUS   : ONLINE'");
        let expected =
            ["ups one: ups.status: OL one\n", "ups two: ups.status: OL two\n", "ups apcupsd: STATUS   : ONLINE\n"];
        assert_eq!(told(&machine.look("supplies", 0)), expected);
        assert_eq!(machine.asked(), ["upsc -l", "upsc one", "upsc two", "apcaccess status"]);
        machine.tool("upsc", "exit 1");
        machine.tool("apcaccess", "exit 1");
        assert_eq!(told(&machine.look("supplies", 0)), ["ups : failed", "ups apcupsd: failed"]);
    }

    #[test]
    fn the_state_of_a_supply_is_news_and_what_it_measures_is_by_tens() {
        let mut machine = Machine::new();
        let mut digest = |status: &str, charge: &str, volts: &str| {
            machine.tool(
                "apcaccess",
                &format!("echo 'STATUS : {status}'; echo 'BCHARGE : {charge} Percent'; echo 'LINEV : {volts} Volts'"),
            );
            machine.look("supplies", 0)[0].digest().unwrap()
        };
        let first = digest("ONLINE", "100.0", "231.0");
        assert_eq!(digest("ONLINE", "98.0", "229.0"), first);
        assert_ne!(digest("ONLINE", "88.0", "231.0"), first);
        assert_ne!(digest("ONBATT", "100.0", "231.0"), first);
    }

    #[test]
    fn a_battery_says_what_it_holds_when_full_and_a_mouses_is_none() {
        let mut machine = Machine::new();
        let battery = "POWER_SUPPLY_NAME=BAT0\nPOWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Discharging\n\
                       POWER_SUPPLY_CYCLE_COUNT=12\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=50000000\n\
                       POWER_SUPPLY_ENERGY_FULL=40000000\nPOWER_SUPPLY_ENERGY_NOW=31000000\n";
        machine.file("sys/class/power_supply/BAT0/uevent", battery);
        machine.file("sys/class/power_supply/AC/uevent", "POWER_SUPPLY_NAME=AC\nPOWER_SUPPLY_TYPE=Mains\n");
        let mouse = "POWER_SUPPLY_NAME=hidpp_0\nPOWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_SCOPE=Device\n";
        machine.file("sys/class/power_supply/hidpp_0/uevent", mouse);
        let expected = "battery BAT0: POWER_SUPPLY_NAME=BAT0\nPOWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_CYCLE_COUNT=12\n\
                        POWER_SUPPLY_ENERGY_FULL_DESIGN=50000000\nPOWER_SUPPLY_ENERGY_FULL=40000000\n";
        assert_eq!(told(&machine.look("batteries", 0)), [expected]);
    }
}
