//! Median and spread over rounds.

/// One number for each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// What was looked at once.
    pub(crate) fn of(value: f64) -> Self {
        Self(vec![value])
    }

    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// 0 when there was no round.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        if sorted.len().is_multiple_of(2) && !sorted.is_empty() {
            f64::midpoint(sorted[sorted.len() / 2 - 1], upper)
        } else {
            upper
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().reduce(f64::min).unwrap_or_default()
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().reduce(f64::max).unwrap_or_default()
    }

    /// Combines two series round by round: what slows a whole round down slows both, and cancels out in a ratio.
    pub(crate) fn with(&self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(a, b)| combine(*a, *b)).collect())
    }

    pub(crate) fn ratio_to(&self, base: &Self) -> Self {
        self.with(base, |a, b| a / b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series(values.to_vec())
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        assert_eq!(series(&[9.0, 1.0, 4.0, 2.0]).median(), 3.0);
        assert_eq!(series(&[9.0, 1.0, 4.0]).median(), 4.0);
        assert_eq!(series(&[]).median(), 0.0);
    }

    #[test]
    fn a_round_that_was_slow_for_both_leaves_their_ratio_alone() {
        let ratio = series(&[10.0, 5.0]).ratio_to(&series(&[20.0, 10.0]));
        assert_eq!((ratio.min(), ratio.max()), (0.5, 0.5));
    }
}
