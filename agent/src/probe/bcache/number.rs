//! Numbers for people, `1.5k`, as bcache writes them (drivers/md/bcache/util.c, `bch_hprint`).

/// The number; of a number for people as near as `node_exporter` comes, which takes what stands behind the point for
/// 1024ths divided by 100.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    let exponent = digits.chars().last().and_then(|unit| "kMGTPEZY".find(unit));
    let value = match exponent {
        // Not for people: perhaps with a point.
        None => digits_of(&digits.replacen('.', "0", 1)).and_then(|_| digits.parse().ok())?,
        Some(place) => {
            let mantissa = &digits[..digits.len() - 1];
            let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
            let unit = 1024_f64.powi(i32::try_from(place).ok()? + 1);
            (digits_of(whole)? + digits_of(part)? / 10.24) * unit
        }
    };
    Some(sign * value.trunc()).filter(|value| value.is_finite())
}

fn digits_of(text: &str) -> Option<f64> {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<f64>().ok().filter(|value| only_digits && value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_powers_of_1024_and_the_fraction_is_of_1024ths() {
        for (text, expected) in [
            ("0", 0.0),
            ("546", 546.0),
            ("-58", -58.0),
            ("1k", 1024.0),
            ("20.0G", 21_474_836_480.0),
            // (1 + 5 / 10.24) x 1024, and less its sign.
            ("1.5k", 1524.0),
            ("-2.0k", -2048.0),
            // (3 + 9 / 10.24) x 1024^2 = 4067328 exactly
            ("3.9M", 4_067_328.0),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "k", ".k", "1.k", "x", "1.2.3k", "inf", "nan", "1e5", "--1", "1K", "é", "1é"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("{}Y", "9".repeat(300))), None, "more than a double holds");
    }
}
