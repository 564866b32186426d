//! PURE. What a Nagios plugin prints, taken apart: text, and performance data as figures in base units.
//!
//! The grammar is that of the Monitoring Plugins Development Guidelines: on the first line, and once more below it, a `|`
//! separates text from items `'label'=value[unit];[warn];[crit];[min];[max]`. Numbers with a comma or an exponent occur in
//! the wild and are taken; an item that cannot be read is passed over, and so are values that are not known (`U`).

/// Figures of one outcome; check_disk on a large machine says some hundred.
pub const DATA_MAX: usize = 256;
/// Longest label, in bytes; longer ones are cut.
const LABEL_MAX: usize = 128;
/// Units longer than this are none.
const UNIT_MAX: usize = 16;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// What it is of.
    pub label: String,
    /// Its value in `unit`.
    pub value: f64,
    /// The base unit: `s`, `B`, `%`, empty, or whatever the plugin wrote that nobody knows.
    pub unit: String,
    /// It only ever rises.
    pub counter: bool,
}

/// Text and figures of what a plugin printed.
#[must_use]
pub fn parse(output: &str) -> (String, Vec<Datum>) {
    let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
    let (headline, on_first) = first.split_once('|').unwrap_or((first, ""));
    // Once a second `|` has come, all the rest is performance data.
    let (long, below) = rest.split_once('|').unwrap_or((rest, ""));
    let text = format!("{}\n{}", headline.trim(), long.trim_end()).trim().to_owned();
    let mut data: Vec<Datum> = Vec::new();
    for item in items(on_first).into_iter().chain(below.lines().flat_map(items)) {
        let Some(datum) = datum(&item) else { continue };
        let known = data.iter().any(|known| known.label == datum.label && known.unit == datum.unit);
        if !known && data.len() < DATA_MAX {
            data.push(datum);
        }
    }
    (text, data)
}

/// Label and the rest of one item.
struct Item {
    label: String,
    rest: String,
}

/// Items are separated by spaces, except within quotes; `''` within quotes is one quote.
fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut left = text.trim_start();
    while !left.is_empty() {
        let Some((label, after)) = label(left) else {
            // What has no `=` is no item: go on after the next space.
            left = left.split_once(char::is_whitespace).map_or("", |(_, after)| after.trim_start());
            continue;
        };
        let (rest, after) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        items.push(Item { label, rest: rest.to_owned() });
        left = after.trim_start();
    }
    items
}

/// The label at the start, and what stands after its `=`.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (label, after) = text.split_once('=')?;
        return (!label.is_empty() && !label.contains(char::is_whitespace)).then(|| (label.to_owned(), after));
    };
    let mut label = String::new();
    let mut left = quoted;
    loop {
        let (part, after) = left.split_once('\'')?;
        label.push_str(part);
        left = match after.strip_prefix('\'') {
            Some(after) => {
                label.push('\'');
                after
            }
            None => return after.strip_prefix('=').filter(|_| !label.is_empty()).map(|after| (label, after)),
        };
    }
}

fn datum(item: &Item) -> Option<Datum> {
    let field = item.rest.split(';').next().unwrap_or_default();
    let (value, unit) = number(field)?;
    if unit.len() > UNIT_MAX || unit.contains(char::is_control) {
        return None;
    }
    let (base, factor) = base_of(unit);
    let label = &item.label[..item.label.floor_char_boundary(LABEL_MAX)];
    let label = label.replace(char::is_control, " ");
    Some(Datum { label, value: value * factor, unit: base.to_owned(), counter: unit == "c" })
}

/// `-?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?` and what follows. An exponent is one only if digits follow.
fn number(field: &str) -> Option<(f64, &str)> {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut end = usize::from(field.starts_with(['-', '+']));
    let whole = digits(&field[end..]);
    end += whole;
    let mut decimals = 0;
    if field[end..].starts_with(['.', ',']) {
        decimals = digits(&field[end + 1..]);
        end += if decimals > 0 { 1 + decimals } else { 0 };
    }
    if whole + decimals == 0 {
        return None;
    }
    if field[end..].starts_with(['e', 'E']) {
        let sign = usize::from(field[end + 1..].starts_with(['-', '+']));
        let exponent = digits(&field[end + 1 + sign..]);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    let value: f64 = field[..end].replace(',', ".").parse().ok().filter(|value: &f64| value.is_finite())?;
    Some((value, &field[end..]))
}

/// The base unit of a unit, and what one of it is in that.
fn base_of(unit: &str) -> (&str, f64) {
    const K: f64 = 1024.0;
    match unit {
        "ms" => ("s", 1e-3),
        "us" | "µs" | "μs" => ("s", 1e-6),
        "ns" => ("s", 1e-9),
        // The guidelines' KB, MB and TB are not said to be of 1000 or 1024; the standard plugins mean 1024.
        "KB" | "kB" | "KiB" => ("B", K),
        "MB" | "MiB" => ("B", K * K),
        "GB" | "GiB" => ("B", K * K * K),
        "TB" | "TiB" => ("B", K * K * K * K),
        "PB" | "PiB" => ("B", K * K * K * K * K),
        "c" => ("", 1.0),
        other => (other, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Label, value, unit and whether it is a counter.
    fn read(output: &str) -> Vec<(String, f64, String, bool)> {
        parse(output).1.into_iter().map(|datum| (datum.label, datum.value, datum.unit, datum.counter)).collect()
    }

    fn one(item: &str) -> Option<(f64, String, bool)> {
        read(&format!("OK | x={item}")).pop().map(|(_, value, unit, counter)| (value, unit, counter))
    }

    fn said(label: &str, value: f64, unit: &str) -> (String, f64, String, bool) {
        (label.into(), value, unit.into(), false)
    }

    #[test]
    fn what_the_standard_plugins_print_is_read_to_the_last_figure() {
        let load = "OK - load average: 0.31, 0.52, 0.41|load1=0.310;15.000;30.000;0; load5=0.520;10.000;25.000;0; load15=0.410;5.000;20.000;0;\n";
        assert_eq!(read(load), [said("load1", 0.31, ""), said("load5", 0.52, ""), said("load15", 0.41, "")]);
        assert_eq!(parse(load).0, "OK - load average: 0.31, 0.52, 0.41");
        let disk = "DISK OK - free space: / 3326 MiB (56% inode=96%);| /=2643MiB;5948;5958;0;5968 /boot=68MB;88;93;0;98\n/ 15272 MB (77%);\n/home 69357 MB (27%); | /home=69357MB;253404;253409;0;253414\n/var/log=818MB;970;975;0;980\n";
        let mib = 1_048_576.0;
        assert_eq!(
            read(disk),
            [
                said("/", 2643.0 * mib, "B"),
                said("/boot", 68.0 * mib, "B"),
                said("/home", 69_357.0 * mib, "B"),
                said("/var/log", 818.0 * mib, "B"),
            ]
        );
        assert_eq!(
            parse(disk).0,
            "DISK OK - free space: / 3326 MiB (56% inode=96%);\n/ 15272 MB (77%);\n/home 69357 MB (27%);"
        );
        let ping =
            "PING OK - Packet loss = 0%, RTA = 0.05 ms|rta=0.050000ms;100.000000;500.000000;0.000000 pl=0%;20;60;0";
        assert_eq!(read(ping), [said("rta", 0.05 * 1e-3, "s"), said("pl", 0.0, "%")]);
    }

    #[test]
    fn units_become_base_units_and_counters_are_told() {
        let unit = |text: &str| one(text).map(|(value, unit, _)| (value, unit));
        for (text, value, base) in [
            ("1s", 1.0, "s"),
            ("250ms", 0.25, "s"),
            ("4us", 4e-6, "s"),
            ("12%", 12.0, "%"),
            ("5B", 5.0, "B"),
            ("2KB", 2048.0, "B"),
            ("1GB", 1_073_741_824.0, "B"),
            ("1TB", 1_099_511_627_776.0, "B"),
            ("3", 3.0, ""),
            ("21C", 21.0, "C"),
            ("-4.5", -4.5, ""),
            ("1,5s", 1.5, "s"),
            ("1.5e3", 1500.0, ""),
            ("2E-2s", 0.02, "s"),
            ("7e", 7.0, "e"),
            (".5", 0.5, ""),
        ] {
            assert_eq!(unit(text), Some((value, base.to_owned())), "{text}");
        }
        assert_eq!(one("123c"), Some((123.0, String::new(), true)));
    }

    #[test]
    fn limits_of_all_forms_are_passed_over() {
        for limits in ["", ";", ";1;2", ";@10:20;~:30;0;100", ";10:;:20", ";;;;", ";1,5;2,5"] {
            assert_eq!(one(&format!("4{limits}")), Some((4.0, String::new(), false)), "{limits}");
        }
    }

    #[test]
    fn labels_may_be_quoted_and_hold_spaces_equals_signs_and_quotes() {
        let items = "OK | 'a b'=1 'it''s'=2 'x=y'=3s;1;2 c=4";
        assert_eq!(
            read(items),
            [said("a b", 1.0, ""), said("it's", 2.0, ""), said("x=y", 3.0, "s"), said("c", 4.0, "")]
        );
    }

    #[test]
    fn what_cannot_be_read_costs_only_itself() {
        assert_eq!(read("OK | a=U;1;2 b=1 nonsense c= d=x e=2 =3 'open=4"), [said("b", 1.0, ""), said("e", 2.0, "")]);
        assert_eq!(read("OK"), []);
        assert_eq!(read("| a=1 a=2"), [said("a", 1.0, "")], "the first counts");
        assert_eq!(parse("").0, "");
        assert_eq!(parse("a|b=1\nc\nd").0, "a\nc\nd");
    }

    #[test]
    fn there_are_at_most_256_figures_and_labels_are_short() {
        let many: String = (0..300).map(|n| format!("l{n}={n} ")).collect();
        assert_eq!(read(&format!("OK|{many}")).len(), 256);
        let long = read(&format!("OK|{}=1", "ä".repeat(100)));
        assert_eq!(long[0].0.len(), 128);
    }

    proptest! {
        #[test]
        fn whatever_is_printed_is_read_without_a_panic(text in "\\PC*", more in "[ -~|='\n;]{0,200}") {
            for output in [text.as_str(), &more, &format!("{text}|{more}")] {
                prop_assert!(parse(output).1.iter().all(|datum| datum.value.is_finite() && !datum.label.is_empty()));
            }
        }

        #[test]
        fn what_is_written_by_the_rules_is_read_back(
            items in prop::collection::btree_map("[a-z/' =]{0,10}[a-z]", (-1_000_000_i64..1_000_000, "(s|B|%|)"), 0..20)
        ) {
            let spelled = items.iter().map(|(label, (thousandths, unit))| {
                let (sign, size) = (if *thousandths < 0 { "-" } else { "" }, thousandths.unsigned_abs());
                let label = label.replace('\'', "''");
                format!("'{label}'={sign}{}.{:03}{unit};1:2;@3;;", size / 1000, size % 1000)
            });
            let line = format!("text | {}", spelled.collect::<Vec<_>>().join(" "));
            let expected: Vec<_> = items
                .iter()
                .map(|(label, (thousandths, unit))| said(label, *thousandths as f64 / 1000.0, unit))
                .collect();
            prop_assert_eq!(read(&line), expected);
        }
    }
}
