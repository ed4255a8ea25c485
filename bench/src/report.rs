//! The tables, in the terminal as they are done and in `bench/RESULTS.md` at the end.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Context;

use crate::stats::Series;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md");

/// One table. Markdown, padded so that it can be read in a terminal as well.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What was compared, and under which conditions.
    pub(crate) about: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A bound to reach, the nearest first.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(&'static [f64]),
    AtMost(&'static [f64]),
}

/// What has been measured so far.
pub(crate) struct Report {
    text: String,
}

impl Report {
    /// Notes what the numbers were measured on.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let mut report = Self {
            text: String::new(),
        };
        report.say(&format!(
            "# Results\n\nMade by `make bench`. Medians over the rounds, (least–most) beside them; ratios are taken \
             round by round.\n\n* date: {}\n* processor: {}, {} cores\n* kernel: {}\n* load average before: {}",
            date()?,
            processor()?,
            std::thread::available_parallelism()?,
            read("/proc/sys/kernel/osrelease")?.trim(),
            load_average()?,
        ));
        Ok(report)
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.say(&format!("\n## {}\n\n{}\n", table.title, table.about));
        let mut lines = vec![table.columns.iter().map(|it| (*it).to_owned()).collect()];
        lines.extend(table.rows.iter().cloned());
        let widths: Vec<usize> = (0..table.columns.len())
            .map(|column| {
                let cells = lines
                    .iter()
                    .filter_map(|line: &Vec<String>| line.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
        lines.insert(1, rule);
        for line in lines {
            let cells = line.iter().zip(&widths);
            let cells: Vec<_> = cells
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            self.say(&format!("| {} |", cells.join(" | ")));
        }
    }

    /// Writes the file.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let load = load_average()?;
        self.say(&format!(
            "\nLoad average after: {load} (the benchmark itself is about two of it)."
        ));
        std::fs::write(FILE, &self.text).with_context(|| format!("cannot write {FILE}"))?;
        println!("\nWritten to {FILE}");
        Ok(())
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

impl Goal {
    /// The ratio, and whether its median reaches each bound.
    pub(crate) fn judge(self, ratio: &Series) -> String {
        let mut text = spread(ratio, 2);
        let (sign, bounds) = match self {
            Self::AtLeast(bounds) => ('≥', bounds),
            Self::AtMost(bounds) => ('≤', bounds),
        };
        for bound in bounds {
            let reached = match self {
                Self::AtLeast(_) => ratio.median() >= *bound,
                Self::AtMost(_) => ratio.median() <= *bound,
            };
            let word = if reached { "yes" } else { "NO" };
            text += &format!("; {sign} {bound:.2} {word}");
        }
        text
    }
}

/// `median (least–most)`, or the number by itself where there is one.
pub(crate) fn spread(series: &Series, decimals: usize) -> String {
    if series.min() == series.max() {
        return number(series.median(), decimals);
    }
    format!(
        "{} ({}–{})",
        number(series.median(), decimals),
        number(series.min(), decimals),
        number(series.max(), decimals)
    )
}

pub(crate) fn number(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn load_average() -> anyhow::Result<String> {
    let text = read("/proc/loadavg")?;
    let first: Vec<&str> = text.split(' ').take(3).collect();
    Ok(first.join(" "))
}

fn processor() -> anyhow::Result<String> {
    let text = read("/proc/cpuinfo")?;
    // arm64 names none.
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.unwrap_or(std::env::consts::ARCH);
    Ok(name.trim_start_matches(['\t', ' ', ':']).to_owned())
}

fn date() -> anyhow::Result<String> {
    let output = Command::new("date")
        .args(["-u", "+%F %H:%M UTC"])
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_the_median() {
        let mut ratio = Series::default();
        for value in [0.6, 0.8, 0.9] {
            ratio.push(value);
        }
        let judged = Goal::AtLeast(&[0.7, 0.85]).judge(&ratio);
        assert_eq!(judged, "0.80 (0.60–0.90); ≥ 0.70 yes; ≥ 0.85 NO");
        let judged = Goal::AtMost(&[0.7]).judge(&ratio);
        assert_eq!(judged, "0.80 (0.60–0.90); ≤ 0.70 NO");
    }
}
