//! Progress of long work, on stderr: a bar on a terminal, a line for every tenth elsewhere, nothing with `--json`.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Output, notice, shows_progress};

const TEMPLATE: &str = "{msg}  {wide_bar}  {pos} of {len}  {per_sec}  {eta} left";

/// Shows how far a piece of work is.
pub struct Progress {
    what: &'static str,
    form: Form,
}

enum Form {
    Bar(ProgressBar),
    Lines { begun: Instant, first: u64, tenths: u64 },
    Nothing,
}

impl Progress {
    /// Begins to show work of which `done` is done already.
    pub fn new(what: &'static str, done: u64, output: Output) -> Self {
        let form = match (output.is_json(), shows_progress()) {
            (true, _) => Form::Nothing,
            (false, true) => {
                let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_message(what).with_position(done);
                let style = ProgressStyle::with_template(TEMPLATE).expect("the template is a constant that the tests draw");
                Form::Bar(bar.with_style(style))
            }
            (false, false) => Form::Lines { begun: Instant::now(), first: done, tenths: 0 },
        };
        Self { what, form }
    }

    /// `done` of `all` are done. Both may grow.
    pub fn at(&mut self, done: u64, all: u64) {
        match &mut self.form {
            Form::Bar(bar) => {
                bar.set_length(all);
                bar.set_position(done);
            }
            Form::Lines { begun, first, tenths } => {
                let reached = (done * 10).checked_div(all).unwrap_or(0);
                if reached > *tenths {
                    *tenths = reached;
                    notice(tenth_line(self.what, done, all, done.saturating_sub(*first), begun.elapsed()));
                }
            }
            Form::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Form::Bar(bar) = self.form {
            bar.finish_and_clear();
        }
    }
}

/// One line: share, count, rate since the beginning, time left at that rate.
fn tenth_line(what: &str, done: u64, all: u64, done_here: u64, elapsed: Duration) -> String {
    let rate = done_here as f64 / elapsed.as_secs_f64().max(0.001);
    let left = if rate > 0.0 { (all.saturating_sub(done) as f64 / rate).ceil() } else { 0.0 };
    format!("{what}: {} %, {done} of {all}, {rate:.0}/s, {left:.0} s left", done * 100 / all.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_share_rate_and_time_left() {
        let line = tenth_line("re-wrapped", 30, 100, 20, Duration::from_secs(2));
        assert_eq!(line, "re-wrapped: 30 %, 30 of 100, 10/s, 7 s left");
        assert_eq!(tenth_line("x", 0, 0, 0, Duration::ZERO), "x: 0 %, 0 of 0, 0/s, 0 s left");
    }

    #[test]
    fn the_bar_can_be_drawn() {
        ProgressStyle::with_template(TEMPLATE).expect("a template");
    }

    #[test]
    fn each_tenth_is_told_once() {
        let mut progress = Progress { what: "x", form: Form::Lines { begun: Instant::now(), first: 0, tenths: 0 } };
        let mut told = Vec::new();
        for done in 0..=100 {
            progress.at(done, 100);
            let Form::Lines { tenths, .. } = progress.form else { panic!("lines") };
            if told.last() != Some(&tenths) {
                told.push(tenths);
            }
        }
        assert_eq!(told, (0..=10).collect::<Vec<_>>());
    }
}
