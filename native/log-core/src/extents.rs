//! Which bytes of a segment this process has checked against their checksums (or wrote itself).

/// Most separate runs that are remembered; beyond it the shortest is forgotten and, when it is
/// read again, checked again.
const RUNS_MAX: usize = 64;

/// Disjoint runs of bytes (from, to), ascending, never touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    runs: Vec<(u64, u64)>,
}

impl Extents {
    pub fn covers(&self, from: u64, to: u64) -> bool {
        if from >= to {
            return true;
        }
        let index = self.runs.partition_point(|run| run.1 <= from);
        self.runs
            .get(index)
            .is_some_and(|run| run.0 <= from && to <= run.1)
    }

    pub fn add(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        // Appends extend the last run nearly always.
        if let Some(last) = self.runs.last_mut()
            && last.1 == from
        {
            last.1 = to;
            return;
        }
        let first = self.runs.partition_point(|run| run.1 < from);
        let behind = self.runs.partition_point(|run| run.0 <= to);
        let merged = self.runs[first..behind]
            .iter()
            .fold((from, to), |merged, run| {
                (merged.0.min(run.0), merged.1.max(run.1))
            });
        self.runs.splice(first..behind, [merged]);
        if self.runs.len() > RUNS_MAX
            && let Some((shortest, _)) = self
                .runs
                .iter()
                .enumerate()
                .min_by_key(|(_, run)| run.1 - run.0)
        {
            self.runs.remove(shortest);
        }
    }

    /// Forgets everything at and above `end`.
    pub fn truncate(&mut self, end: u64) {
        self.runs.retain_mut(|run| {
            run.1 = run.1.min(end);
            run.0 < run.1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_merge_and_cover() {
        let mut extents = Extents::default();
        extents.add(10, 20);
        extents.add(30, 40);
        assert!(extents.covers(10, 20) && extents.covers(32, 40));
        assert!(!extents.covers(10, 31) && !extents.covers(19, 21) && !extents.covers(0, 11));
        extents.add(20, 30);
        assert!(extents.covers(10, 40));
        extents.add(0, 5);
        extents.add(4, 12);
        assert!(extents.covers(0, 40));
        extents.truncate(15);
        assert!(extents.covers(0, 15) && !extents.covers(14, 16));
    }

    #[test]
    fn a_model_agrees() {
        let mut state: u64 = 7;
        let mut next = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..200 {
            let mut extents = Extents::default();
            let mut model = [false; 100];
            for _ in 0..20 {
                let (from, length) = (next(90), next(10));
                extents.add(from, from + length);
                model[from as usize..(from + length) as usize].fill(true);
                if next(10) == 0 {
                    let end = next(100);
                    extents.truncate(end);
                    model[end as usize..].fill(false);
                }
                let (from, length) = (next(90), next(10));
                let expected = model[from as usize..(from + length) as usize]
                    .iter()
                    .all(|bit| *bit);
                assert_eq!(extents.covers(from, from + length), expected);
            }
        }
    }

    #[test]
    fn runs_are_bounded() {
        let mut extents = Extents::default();
        for index in 0..1000 {
            extents.add(index * 100, index * 100 + 50);
        }
        assert!(extents.runs.len() <= RUNS_MAX);
    }
}
