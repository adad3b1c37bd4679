//! Decides what is left of a batch, and writes it anew where something went.
//!
//! Kafka's rules (KIP-98, KIP-534): of each key the newest record stays; records of aborted
//! transactions go; records without a value, and markers whose transaction has no records left,
//! get a delete horizon when they are first met, and go when it has passed; the batch with a
//! live producer's last record stays as a header, so that its sequence is still known.

use std::collections::HashSet;

use super::batch_writer::{put_empty, put_header, put_record, seal};
use super::deflate::deflate;
use super::fault::CleanFault;
use super::offset_map::OffsetMap;
use super::record_view::{RecordView, RecordViews, inflate};
use super::spec::CleanSpec;
use super::transactions::{Aborted, marker_of};
use crate::batch::{BatchHeader, BatchView, Codec};

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Dropped,
    /// The new batch is in `Filter::output`.
    Rewritten,
}

pub struct Filter<'a> {
    pub spec: &'a CleanSpec,
    pub map: &'a OffsetMap,
    pub aborted: &'a Aborted,
    /// Nothing at or above it is touched.
    pub end: i64,
    /// The batch of the last verdict, where it was rewritten.
    pub output: Vec<u8>,
    pub records_kept: u64,
    pub records_removed: u64,
    /// Producers with records since their last marker.
    with_records: HashSet<i64>,
    inflated: Vec<u8>,
    kept: Vec<u8>,
}

/// What is left of a batch's records.
struct Kept {
    count: i32,
    all: bool,
    has_tombstone: bool,
    max_timestamp: i64,
}

impl<'a> Filter<'a> {
    pub fn new(
        spec: &'a CleanSpec,
        map: &'a OffsetMap,
        aborted: &'a Aborted,
        end: i64,
    ) -> Filter<'a> {
        Filter {
            spec,
            map,
            aborted,
            end,
            output: Vec::new(),
            records_kept: 0,
            records_removed: 0,
            with_records: HashSet::new(),
            inflated: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Judges a batch; they come in the order of the log, from its start. `must_stay`: a header is
    /// needed even where no record is left.
    pub fn judge(&mut self, batch: &BatchView<'_>, must_stay: bool) -> Result<Verdict, CleanFault> {
        let header = &batch.header;
        if header.base_offset >= self.end {
            return Ok(Verdict::Same);
        }
        if header.is_control() {
            return Ok(self.judge_marker(batch, must_stay));
        }
        if header.is_transactional() {
            self.with_records.insert(header.producer_id);
        }
        let must_stay = must_stay || self.is_last_of_producer(header);
        if header.records_count <= 0 {
            return Ok(if must_stay {
                Verdict::Same
            } else {
                Verdict::Dropped
            });
        }
        if self.aborted.covers(header) && header.last_offset() < self.end {
            self.records_removed += header.records_count as u64;
            return Ok(self.without_records(batch, must_stay));
        }
        self.judge_records(batch, must_stay)
    }

    fn judge_marker(&mut self, batch: &BatchView<'_>, must_stay: bool) -> Verdict {
        let header = &batch.header;
        if marker_of(batch).is_none() || header.last_offset() >= self.end {
            return Verdict::Same;
        }
        let had_records = self.with_records.remove(&header.producer_id);
        if had_records || must_stay || self.is_only_word_of_producer(header) {
            return Verdict::Same;
        }
        if header.has_delete_horizon() {
            return if self.horizon_has_passed(header) {
                Verdict::Dropped
            } else {
                Verdict::Same
            };
        }
        self.kept.clear();
        let horizon = self.horizon();
        if let Ok(Some(record)) = RecordViews::new(batch.payload(), header.records_count).next() {
            put_record(&mut self.kept, &record, header.base_timestamp, horizon);
        }
        let max_timestamp = header.max_timestamp;
        put_header(&mut self.output, batch, (1, max_timestamp), Some(horizon));
        self.output.extend_from_slice(&self.kept);
        seal(&mut self.output);
        Verdict::Rewritten
    }

    fn judge_records(
        &mut self,
        batch: &BatchView<'_>,
        must_stay: bool,
    ) -> Result<Verdict, CleanFault> {
        let header = &batch.header;
        let mut inflated = std::mem::take(&mut self.inflated);
        let payload = inflate(batch, self.spec.inflated_bytes_max, &mut inflated)
            .map_err(|error| CleanFault::inflate(header.base_offset, error))?;
        let verdict = self.judge_payload(batch, payload, must_stay);
        self.inflated = inflated;
        verdict
    }

    fn judge_payload(
        &mut self,
        batch: &BatchView<'_>,
        payload: &[u8],
        must_stay: bool,
    ) -> Result<Verdict, CleanFault> {
        let header = &batch.header;
        let kept = self.keep(header, payload)?;
        self.records_kept += kept.count as u64;
        self.records_removed += (header.records_count - kept.count) as u64;
        if kept.count == 0 {
            return Ok(self.without_records(batch, must_stay));
        }
        let wants_horizon =
            kept.has_tombstone && !header.has_delete_horizon() && header.last_offset() < self.end;
        if kept.all && !wants_horizon {
            return Ok(Verdict::Same);
        }
        let horizon = wants_horizon.then(|| self.horizon());
        if let Some(horizon) = horizon {
            self.keep_against(header, payload, horizon)?;
        }
        let max_timestamp = if header.is_log_append_time() {
            header.max_timestamp
        } else {
            kept.max_timestamp
        };
        let codec = header.codec().unwrap_or(Codec::None);
        put_header(
            &mut self.output,
            batch,
            (kept.count, max_timestamp),
            horizon,
        );
        deflate(codec, &self.kept, &mut self.output)?;
        seal(&mut self.output);
        Ok(Verdict::Rewritten)
    }

    /// Collects the records that stay, as they are.
    fn keep(&mut self, header: &BatchHeader, payload: &[u8]) -> Result<Kept, CleanFault> {
        self.kept.clear();
        let mut kept = Kept {
            count: 0,
            all: true,
            has_tombstone: false,
            max_timestamp: -1,
        };
        let mut records = RecordViews::new(payload, header.records_count);
        while let Some(record) = next(&mut records, header)? {
            if !self.stays(header, &record) {
                kept.all = false;
                continue;
            }
            self.kept.extend_from_slice(record.bytes);
            kept.count += 1;
            kept.has_tombstone |= !record.has_value;
            let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
            kept.max_timestamp = kept.max_timestamp.max(timestamp);
        }
        Ok(kept)
    }

    /// As `keep`, with timestamps that count from `base_timestamp`.
    fn keep_against(
        &mut self,
        header: &BatchHeader,
        payload: &[u8],
        base_timestamp: i64,
    ) -> Result<(), CleanFault> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        let mut records = RecordViews::new(payload, header.records_count);
        while let Some(record) = next(&mut records, header)? {
            if self.stays(header, &record) {
                put_record(&mut kept, &record, header.base_timestamp, base_timestamp);
            }
        }
        self.kept = kept;
        Ok(())
    }

    fn stays(&self, header: &BatchHeader, record: &RecordView<'_>) -> bool {
        let offset = header.base_offset + i64::from(record.offset_delta);
        if offset >= self.end {
            return true;
        }
        // From before the topic was compacted; nobody could ever replace it.
        let Some(key) = record.key else { return false };
        if self.map.get(key) > offset {
            return false;
        }
        record.has_value
            || !header.has_delete_horizon()
            || header.last_offset() >= self.end
            || !self.horizon_has_passed(header)
    }

    fn horizon(&self) -> i64 {
        let CleanSpec {
            now_ms,
            delete_retention_ms,
            ..
        } = self.spec;
        now_ms.saturating_add(*delete_retention_ms)
    }

    fn horizon_has_passed(&self, header: &BatchHeader) -> bool {
        header.base_timestamp <= self.spec.now_ms
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let found = self.producer(header);
        found.is_some_and(|producer| producer.last_offset == header.last_offset())
    }

    /// A marker tells the epoch of a producer of which nothing else is known.
    fn is_only_word_of_producer(&self, header: &BatchHeader) -> bool {
        let found = self.producer(header);
        found.is_some_and(|producer| {
            producer.last_offset < 0 && producer.producer_epoch == header.producer_epoch
        })
    }

    fn producer(&self, header: &BatchHeader) -> Option<&super::spec::LiveProducer> {
        if !header.has_producer() {
            return None;
        }
        let producers = &self.spec.producers;
        let index = producers
            .binary_search_by_key(&header.producer_id, |producer| producer.producer_id)
            .ok()?;
        Some(&producers[index])
    }

    fn without_records(&mut self, batch: &BatchView<'_>, must_stay: bool) -> Verdict {
        if !must_stay {
            return Verdict::Dropped;
        }
        put_empty(&mut self.output, batch);
        Verdict::Rewritten
    }
}

fn next<'a>(
    records: &mut RecordViews<'a>,
    header: &BatchHeader,
) -> Result<Option<RecordView<'a>>, CleanFault> {
    records
        .next()
        .map_err(|error| CleanFault::records(header.base_offset, error))
}
