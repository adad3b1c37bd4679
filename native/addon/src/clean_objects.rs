//! Plain objects of compaction, as `clean.ts` names their fields.

use mantou_log_core::{CleanOutcome, CleanSpec, LiveProducer};
use napi_derive::napi;

/// `CleanRequest` of clean.ts.
#[napi(object)]
pub struct JsCleanSpec {
    pub first_dirty_offset: f64,
    pub limit: f64,
    pub now_ms: f64,
    pub delete_retention_ms: f64,
    pub map_bytes: f64,
    pub inflated_bytes_max: f64,
    /// 0: no limit.
    pub bytes_per_second_max: f64,
    /// Rows of id, epoch and last offset.
    pub producers: Vec<f64>,
}

impl From<JsCleanSpec> for CleanSpec {
    fn from(spec: JsCleanSpec) -> CleanSpec {
        let rows = spec.producers.chunks_exact(3);
        let mut producers: Vec<LiveProducer> = rows
            .map(|row| LiveProducer {
                producer_id: row[0] as i64,
                producer_epoch: row[1] as i16,
                last_offset: row[2] as i64,
            })
            .collect();
        producers.sort_unstable_by_key(|producer| producer.producer_id);
        CleanSpec {
            first_dirty: spec.first_dirty_offset as i64,
            limit: spec.limit as i64,
            now_ms: spec.now_ms as i64,
            delete_retention_ms: spec.delete_retention_ms as i64,
            map_bytes: spec.map_bytes as u64,
            inflated_bytes_max: spec.inflated_bytes_max as u64,
            bytes_per_second: spec.bytes_per_second_max as u64,
            producers,
        }
    }
}

#[napi(object)]
pub struct JsCleanOutcome {
    pub clean_end_offset: f64,
    pub read_bytes: f64,
    pub written_bytes: f64,
    pub bytes_before: f64,
    pub bytes_after: f64,
    pub records_kept: f64,
    pub records_removed: f64,
    pub keys: f64,
    pub is_map_full: bool,
    pub duration_ms: f64,
}

impl From<CleanOutcome> for JsCleanOutcome {
    fn from(outcome: CleanOutcome) -> JsCleanOutcome {
        JsCleanOutcome {
            clean_end_offset: outcome.clean_end as f64,
            read_bytes: outcome.read_bytes as f64,
            written_bytes: outcome.written_bytes as f64,
            bytes_before: outcome.bytes_before as f64,
            bytes_after: outcome.bytes_after as f64,
            records_kept: outcome.records_kept as f64,
            records_removed: outcome.records_removed as f64,
            keys: outcome.keys as f64,
            is_map_full: outcome.is_map_full,
            duration_ms: outcome.duration_ms as f64,
        }
    }
}
