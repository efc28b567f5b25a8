//! The results as a person reads them: Markdown tables, also between the markers of `docs/benchmarks.md`.

use std::fmt::Write as _;

use crate::bench::aims;
use crate::bench::programs::Program;
use crate::bench::results::{Results, Span, Spread};
use crate::report::Failure;

const BEGIN: &str = "<!-- begin: written by `cargo xtask bench --publish` -->";
const END: &str = "<!-- end -->";

/// All tables.
pub fn tables(results: &Results) -> String {
    [machine(results), aims(results), calls(results), startup(results), vault(results)].join("\n")
}

/// A page with the text between its markers replaced.
///
/// # Errors
/// When the page has no markers.
pub fn insert(page: &str, text: &str) -> Result<String, Failure> {
    let missing = || Failure::new(format!("docs/benchmarks.md needs the lines {BEGIN} and {END}"));
    let (before, rest) = page.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    format!(
        "Measured on {} at commit {} ({} build): {} × {}, {} GiB, Linux {}; load {:.1} when the run began. {}.\n",
        machine.date,
        machine.commit,
        machine.profile,
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.kernel,
        machine.load,
        machine.versions.join(", "),
    )
}

fn aims(results: &Results) -> String {
    let row = |aim: aims::Aim| vec![aim.wanted.to_owned(), aim.measured.join(", "), if aim.met { "met" } else { "**missed**" }.to_owned()];
    let rows = aims::judge(results).into_iter().map(row).collect();
    section("Aims", "", &["Aim", "Measured (transport, callers)", ""], rows)
}

fn calls(results: &Results) -> String {
    let callers = results.callers();
    let columns = [false, true].iter().flat_map(|&tls| callers.iter().map(move |&callers| (tls, callers)));
    let columns: Vec<(bool, usize)> = columns.collect();
    let heading = |&(tls, callers): &(bool, usize)| format!("{}, {callers}", if tls { "TLS" } else { "HTTP" });
    let mut header = vec!["Program".to_owned()];
    header.extend(columns.iter().map(heading));
    let rows = Program::ALL.iter().map(|program| {
        let cell = |&(tls, callers): &(bool, usize)| results.cpu(*program, tls, callers).map_or_else(String::new, spread);
        std::iter::once(program.title().to_owned()).chain(columns.iter().map(cell)).collect()
    });
    let text = format!(
        "Processor seconds of the client's process for 1000 calls, each of three requests (token, provider, audit): median of {} rounds \
         (lowest–highest). HTTP is HTTP/1.1 in clear text, TLS is HTTP/2 except for `fetch`, which has only HTTP/1.1; the number is that of \
         concurrent callers.",
        results.rounds
    );
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    section("Calls", &text, &header, rows.collect())
}

fn startup(results: &Results) -> String {
    let cell = |span: &Span| format!("{:.0} / {:.0}", 1000.0 * span.cpu.median, 1000.0 * span.wall.median);
    let title = |name: &str| Program::ALL.iter().find(|program| program.name() == name).map_or(name, |program| program.title()).to_owned();
    let rows = results.startup.iter().map(|row| vec![title(&row.program), cell(&row.import), cell(&row.client), cell(&row.first_call)]);
    let text = "A new Python process: milliseconds of processor time / of the clock, medians.";
    section("Start", text, &["Package", "`import alter_sdk`", "`App(…)`", "first `request()`"], rows.collect())
}

fn vault(results: &Results) -> String {
    let row = |row: &crate::bench::results::Vault| {
        vec![row.stored(), spread(row.cpu), spread(row.wall), format!("{:.0}", 1000.0 / row.wall.median)]
    };
    let text = "`alter serve` under signed token calls at 16 callers, over all stored grants in turn; each call's nonce and audit row are on \
                disk before it is answered. The policies are judged for each call, and none of them is about it.";
    let header = ["Stored", "Processor seconds for 1000 calls", "Seconds for 1000 calls", "Calls a second"];
    section("The vault", text, &header, results.vault.iter().map(row).collect())
}

/// `0.123 (0.120–0.130)`, with as many digits as mean something.
fn spread(spread: Spread) -> String {
    let digits = if spread.median < 1.0 { 3 } else { 2 };
    format!("{:.digits$} ({:.digits$}–{:.digits$})", spread.median, spread.lowest, spread.highest)
}

fn section(title: &str, text: &str, header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut section = format!("## {title}\n\n");
    if !text.is_empty() {
        section.push_str(text);
        section.push_str("\n\n");
    }
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let mut rule = vec!["---".to_owned(); header.len()];
    // Figures are read from the right.
    rule.iter_mut().skip(1).for_each(|cell| cell.push(':'));
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    for cells in [header, rule].iter().chain(&rows) {
        // Writing into a text cannot fail.
        let _ = writeln!(section, "{}", line(cells));
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::samples;

    #[test]
    fn every_row_has_a_cell_for_every_column() {
        let mut results = samples::results(&[(Program::Floor, 0.1234), (Program::Reference, 6.789)]);
        results.vault = vec![samples::vault(1_000, 0.05)];
        let text = tables(&results);
        for table in text.split("## ").skip(1) {
            let widths: Vec<usize> = table.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
            assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        }
        assert!(text.contains("0.123 (0.123–0.123)") && text.contains("6.79 (6.79–6.79)"), "{text}");
        assert!(text.contains("| 1000 grants | 0.050 (0.050–0.050) | 0.050 (0.050–0.050) | 20000 |"), "{text}");
    }

    #[test]
    fn a_page_keeps_what_is_around_the_markers() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let once = insert(&page, "new\n").expect("it has markers");
        assert_eq!(once, format!("# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n"));
        assert_eq!(insert(&once, "new").expect("it still has them"), once);
        assert!(insert("# Title\n", "new").is_err());
    }
}
