//! What was asked of a store and what it answered: the truth that recovery is compared with.

use std::collections::BTreeMap;

use mantou_log_core::batch::{BatchView, HeaderError};
use mantou_log_core::{LogId, LogState};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    #[default]
    No,
    /// Asked for, not answered.
    Maybe,
    Yes,
}

#[derive(Clone, Debug, Default)]
pub struct LogLedger {
    /// By base offset, the bytes that may be there.
    images: BTreeMap<i64, Vec<Vec<u8>>>,
    /// End of what was submitted.
    pub end: i64,
    /// End of what was acknowledged as durable.
    durable: i64,
    /// A truncation that was asked for and not answered: nothing above it is promised any more.
    truncating: Option<i64>,
    /// The start lies between these.
    start_min: i64,
    pub start_max: i64,
    pub removal: Removal,
    /// Makes each batch different.
    pub serial: u64,
    pub epoch: i32,
}

/// The batches of `bytes`, which must be nothing else.
pub fn split(bytes: &[u8]) -> Vec<BatchView<'_>> {
    try_split(bytes).expect("whole batches only")
}

fn try_split(bytes: &[u8]) -> Result<Vec<BatchView<'_>>, HeaderError> {
    let mut batches = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let view = BatchView::parse(rest)?;
        rest = &rest[view.bytes().len()..];
        batches.push(view);
    }
    Ok(batches)
}

impl LogLedger {
    pub fn appended(&mut self, base_offset: i64, image: Vec<u8>) {
        let next = BatchView::parse(&image)
            .expect("a batch")
            .header
            .next_offset();
        self.images.entry(base_offset).or_default().push(image);
        self.end = next;
    }

    pub fn acknowledged(&mut self, end: i64) {
        assert!(end <= self.end, "acknowledged {end} of {}", self.end);
        let end = self.truncating.map_or(end, |limit| end.min(limit));
        self.durable = self.durable.max(end);
    }

    pub fn durable(&self) -> i64 {
        self.durable
    }

    /// Base offset of the batch with this number from the start.
    pub fn offset_of_batch(&self, number: usize) -> i64 {
        let from_start = self.images.range(self.start_max..).map(|(base, _)| *base);
        from_start.take(number + 1).last().unwrap_or(self.start_max)
    }

    /// The end when so many batches are dropped.
    pub fn offset_from_end(&self, batches: usize) -> i64 {
        let bases: Vec<i64> = self
            .images
            .range(self.start_max..self.end)
            .map(|(base, _)| *base)
            .collect();
        bases[bases.len().saturating_sub(batches).min(bases.len() - 1)]
    }

    pub fn truncating(&mut self, end: i64) {
        self.truncating = Some(end);
        self.durable = self.durable.min(end);
    }

    pub fn truncated(&mut self, end: i64) {
        self.images.split_off(&end);
        self.truncating = None;
        self.end = end;
        self.durable = self.durable.min(end);
        self.epoch += 1;
    }

    pub fn trimmed(&mut self, start: i64) {
        self.start_min = start;
        self.start_max = start;
    }

    /// What is served for `from` is what was appended: whole batches in order, the first of which
    /// holds `from` or lies behind it.
    pub fn expect_served(&self, bytes: &[u8], from: i64, context: &str) {
        let mut next = None;
        let batches = try_split(bytes);
        let batches = batches.unwrap_or_else(|error| panic!("{context}, from {from}: {error}"));
        for view in batches {
            let base = view.header.base_offset;
            assert!(
                base >= next.unwrap_or(base),
                "{context}: goes back to {base}"
            );
            assert!(
                view.header.next_offset() > from,
                "{context}: begins before {from}"
            );
            let images = self.images.get(&base).map_or(&[][..], |images| images);
            // No checksum covers the leader epoch.
            let parts = |image: &[u8]| [image[..12].to_vec(), image[16..].to_vec()];
            let is_image = images
                .iter()
                .any(|image| parts(image) == parts(view.bytes()));
            assert!(is_image, "{context}: {base} is none that was appended");
            next = Some(view.header.next_offset());
        }
    }

    /// Compares a recovered log, and continues from what was found.
    pub fn compare(&mut self, state: &LogState, bytes: &[u8], context: &str) {
        let context = format!("{context}: log {}", state.log);
        assert_eq!(
            state.corrupt_from_offset, None,
            "{context}: nothing was damaged: {state:?}"
        );
        assert!(
            state.end_offset >= self.durable,
            "{context}: acknowledged {} but only {} is left",
            self.durable,
            state.end_offset,
        );
        assert!(
            state.end_offset <= self.end,
            "{context}: end {} of {}",
            state.end_offset,
            self.end
        );
        assert!(
            (self.start_min..=self.start_max).contains(&state.start_offset),
            "{context}: start {} is not within {}..={}",
            state.start_offset,
            self.start_min,
            self.start_max,
        );
        let mut next = None;
        let mut kept = BTreeMap::new();
        for view in split(bytes) {
            let base = view.header.base_offset;
            assert_eq!(base, next.unwrap_or(base), "{context}: a gap or a double");
            let images = self.images.get(&base).map_or(&[][..], |images| images);
            assert!(
                images.iter().any(|image| image == view.bytes()),
                "{context}: the batch at {base} is none that was appended there",
            );
            kept.insert(base, vec![view.bytes().to_vec()]);
            next = Some(view.header.next_offset());
        }
        if let Some(next) = next {
            let first = *kept.keys().next().expect("a batch");
            assert!(first <= state.start_offset, "{context}: begins at {first}");
            assert_eq!(next, state.end_offset, "{context}: ends early");
        } else {
            assert_eq!(
                state.start_offset, state.end_offset,
                "{context}: nothing to read"
            );
        }
        // Batches below the start are gone or not, and nobody can tell any more.
        self.images
            .retain(|base, _| *base < state.start_offset && !kept.contains_key(base));
        self.images.extend(kept);
        self.end = state.end_offset;
        self.truncating = None;
        // Whatever recovery has shown must stay.
        self.durable = state.end_offset;
        // What retention deleted may come back; what was trimmed may not.
        self.start_max = state.start_offset;
        self.epoch += 1;
    }
}

#[derive(Clone, Debug, Default)]
pub struct FileLedger {
    settled: Option<Vec<u8>>,
    putting: Option<Option<Vec<u8>>>,
}

impl FileLedger {
    pub fn putting(&mut self, bytes: Option<Vec<u8>>) {
        self.putting = Some(bytes);
    }

    pub fn settled(&mut self) {
        if let Some(bytes) = self.putting.take() {
            self.settled = bytes;
        }
    }

    pub fn compare(&mut self, found: Option<Vec<u8>>, context: &str) {
        let is_putting = self.putting.as_ref() == Some(&found);
        assert!(
            found == self.settled || is_putting,
            "{context}: {found:?} is neither {:?} nor {:?}",
            self.settled,
            self.putting,
        );
        self.settled = found;
        self.putting = None;
    }
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    logs: BTreeMap<LogId, LogLedger>,
    files: BTreeMap<(Option<LogId>, String), FileLedger>,
}

impl Ledger {
    pub fn log(&mut self, log: LogId) -> &mut LogLedger {
        self.logs.entry(log).or_default()
    }

    pub fn file(&mut self, log: Option<LogId>, name: &str) -> &mut FileLedger {
        self.files.entry((log, name.to_owned())).or_default()
    }

    pub fn file_names(&self) -> Vec<(Option<LogId>, String)> {
        self.files.keys().cloned().collect()
    }

    /// Logs that were not surely removed.
    pub fn live(&self) -> Vec<LogId> {
        let live = self
            .logs
            .iter()
            .filter(|(_, log)| log.removal != Removal::Yes);
        live.map(|(id, _)| *id).collect()
    }
}
