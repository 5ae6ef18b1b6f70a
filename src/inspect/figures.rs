//! Numbers as they are told: four digits, shares in percent, bars.

/// Four digits; very large and very small numbers by their powers of ten.
pub fn digits(x: f64) -> String {
    let power = format!("{x:.3e}");
    let exponent = power.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        Some(_) if x == 0. => "0".into(),
        Some(exponent @ -3..=4) => {
            let plain = format!("{x:.0$}", (3 - exponent).max(0) as usize);
            match plain.contains('.') {
                true => plain.trim_end_matches('0').trim_end_matches('.').into(),
                false => plain,
            }
        }
        _ => power, // also of NaN and infinities, which have none
    }
}

/// `12.3 %`
pub fn percent(x: f64) -> String {
    let x = 100. * x;
    if x != 0. && x.abs() < 0.05 {
        return "< 0.1 %".into();
    }
    if x.abs() < 9.95 { format!("{x:.1} %") } else { format!("{x:.0} %") }
}

/// A bar for a share, 20 wide for 100 %; hatched below 0.
pub fn bar(share: f64) -> String {
    let width = (20. * share.abs()).round().min(24.) as usize;
    match width {
        0 => "▏".into(),
        width => if share < 0. { "░" } else { "█" }.repeat(width),
    }
}

/// `1 other`, `2 others`
pub fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
