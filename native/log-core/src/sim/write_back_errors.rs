//! Who is told of a failed write-back.

/// Failed write-backs of a file. As on Linux, each open description is told once; one that is
/// opened afterwards is told of the latest if nobody was yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WriteBackErrors {
    count: u64,
    is_told: bool,
}

impl WriteBackErrors {
    pub(super) fn add(&mut self) {
        self.count += 1;
        self.is_told = false;
    }

    /// What a new description has heard of.
    pub(super) fn heard_at_open(self) -> u64 {
        self.count - u64::from(self.count > 0 && !self.is_told)
    }

    /// Whether a description that has heard of `heard` errors is told of one now.
    pub(super) fn tell(&mut self, heard: &mut u64) -> bool {
        let is_news = *heard < self.count;
        *heard = self.count;
        self.is_told |= is_news;
        is_news
    }
}
