//! What a store counts about itself, as plain objects.

use mantou_log_core::{CleanerStats, HistogramCounts};
use napi::Result;
use napi_derive::napi;

use crate::engine::with_engine;

/// Counts by powers of two, as the cores keep them.
#[napi(object)]
pub struct JsHistogram {
    pub counts: Vec<f64>,
    pub sum: f64,
}

impl From<HistogramCounts> for JsHistogram {
    fn from(histogram: HistogramCounts) -> JsHistogram {
        JsHistogram {
            counts: histogram.buckets.map(|count| count as f64).to_vec(),
            sum: histogram.sum as f64,
        }
    }
}

#[napi(object)]
pub struct JsCleanerStats {
    pub runs_total: f64,
    pub failures_total: f64,
    pub read_bytes_total: f64,
    pub written_bytes_total: f64,
    pub last_run_ms: f64,
    pub last_map_bytes: f64,
}

impl From<CleanerStats> for JsCleanerStats {
    fn from(stats: CleanerStats) -> JsCleanerStats {
        JsCleanerStats {
            runs_total: stats.runs_total as f64,
            failures_total: stats.failures_total as f64,
            read_bytes_total: stats.read_bytes_total as f64,
            written_bytes_total: stats.written_bytes_total as f64,
            last_run_ms: stats.last_run_ms as f64,
            last_map_bytes: stats.last_map_bytes as f64,
        }
    }
}

#[napi(object)]
pub struct JsStoreStats {
    pub appended_bytes_total: f64,
    pub groups_total: f64,
    pub flushes_total: f64,
    pub files_open: f64,
    pub free_bytes: f64,
    pub total_bytes: f64,
    pub append_micros: JsHistogram,
    pub flush_micros: JsHistogram,
    pub group_batches: JsHistogram,
    pub group_bytes: JsHistogram,
    pub locates_total: f64,
    pub page_cache_misses_total: f64,
    pub cleaner: JsCleanerStats,
}

#[napi]
pub fn store_stats(engine: u32) -> Result<JsStoreStats> {
    with_engine(engine, |engine| {
        let stats = engine
            .open_store()
            .map(|store| store.stats())
            .unwrap_or_default();
        Ok(JsStoreStats {
            appended_bytes_total: stats.appended_bytes_total as f64,
            groups_total: stats.groups_total as f64,
            flushes_total: stats.flushes_total as f64,
            files_open: stats.files_open as f64,
            free_bytes: stats.free_bytes as f64,
            total_bytes: stats.total_bytes as f64,
            append_micros: stats.append_micros.into(),
            flush_micros: stats.flush_micros.into(),
            group_batches: stats.group_batches.into(),
            group_bytes: stats.group_bytes.into(),
            locates_total: stats.locates_total as f64,
            page_cache_misses_total: stats.page_cache_misses_total as f64,
            cleaner: stats.cleaner.into(),
        })
    })
}
