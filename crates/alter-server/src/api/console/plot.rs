//! Small plots, drawn on the server: a bar for each value.

use std::fmt::Write;

const WIDTH: u32 = 480;
const HEIGHT: u32 = 72;

/// A plot of values, the first one first, as SVG. `label` says in words what it shows.
pub fn bars(values: &[u64], label: &str, bad: bool) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let step = WIDTH / u32::try_from(values.len().max(1)).unwrap_or(1);
    let class = if bad { "plot bad" } else { "plot" };
    let label: String = label.chars().filter(|c| !matches!(c, '<' | '>' | '&' | '"')).collect();
    let mut svg =
        format!(r#"<svg class="{class}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}">"#);
    let base = HEIGHT - 1;
    // Writing to a String cannot fail.
    let _ = write!(svg, r#"<line x1="0" y1="{base}" x2="{WIDTH}" y2="{base}"/>"#);
    for (place, value) in values.iter().enumerate() {
        // A value above none is at least a line.
        let height = u32::try_from(u128::from(*value) * u128::from(base) / u128::from(most)).unwrap_or(base).max(u32::from(*value > 0));
        let x = u32::try_from(place).unwrap_or(0) * step;
        let _ = write!(svg, r#"<rect x="{x}" y="{}" width="{}" height="{height}"/>"#, base - height, step.saturating_sub(2).max(1));
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_plot() {
        let svg = bars(&[0, 5, 10], "Calls: <most> 10", false);
        assert!(svg.contains(r#"aria-label="Calls: most 10""#), "{svg}");
        assert!(svg.contains(r#"<rect x="320" y="0" width="158" height="71"/>"#), "{svg}");
        assert!(svg.contains(r#"<rect x="160" y="36" width="158" height="35"/>"#), "{svg}");
        assert!(svg.contains(r#"height="0"/>"#), "{svg}");
        assert!(bars(&[u64::MAX, 1], "x", true).contains(r#"height="1"/>"#));
        assert!(bars(&[], "none", false).contains("</svg>"));
    }
}
